//! Files written by the first version, byte for byte as they were then: every later version must read them.
//! Never regenerate them; a new format gets new files beside them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{
    Annotation, CommitId, CommitSeq, Epoch, Lane, LogId, Position, ProjectId, PropertyOpKind, SegmentId,
    SubjectId,
};
use serde_json::json;
use tallymark_model as model;
use tallymark_store::{EventRow, ObjectStore, PropertyRow, SegmentReader, SegmentSpec, open, verify_segment};

fn position(offset: u64) -> Position {
    Position { lane: Lane::Bulk, partition: 2, offset }
}

fn events() -> Vec<EventRow> {
    let event = |offset: u64, name: &str, properties: serde_json::Value| EventRow {
        position: position(offset),
        received_at: 1_700_000_000_000 + offset as i64,
        time: 1_699_999_000_000 - offset as i64,
        event: name.to_owned(),
        subject: SubjectId(offset as u32),
        user_id: (offset == 1).then(|| "ann".to_owned()),
        device_id: Some("device".to_owned()),
        insert_id: Some(format!("insert {offset}")),
        session_id: None,
        properties: properties.as_object().unwrap().clone(),
        groups: Vec::new(),
        annotations: Vec::new(),
    };
    let mut rows = vec![
        event(
            1,
            "buy",
            json!({"price": 9.5, "plan": "pro", "ok": true, "tags": ["a", 1], "big": 18446744073709551615u64}),
        ),
        event(2, "buy", json!({"price": "9,5", "a.b": null, "empty": ""})),
        event(7, "öffnen", json!({})),
    ];
    rows[0].groups = vec![("company".to_owned(), "acme".to_owned())];
    rows[1].groups = vec![("team".to_owned(), "x".to_owned()), ("team".to_owned(), "y".to_owned())];
    rows[2].annotations = vec![Annotation::TimeReplaced];
    rows
}

fn operations() -> Vec<PropertyRow> {
    let operation = |name: &str, op, value: &str, index| PropertyRow {
        subject: SubjectId(4),
        name: name.to_owned(),
        op,
        value_json: value.to_owned(),
        time: 1_699_999_000_000,
        position: position(9),
        received_at: 1_700_000_000_000,
        index,
    };
    vec![
        operation("", PropertyOpKind::ClearAll, "null", 0),
        operation("plan", PropertyOpKind::Set, "\"pro\"", 1),
    ]
}

fn spec(n: u128, level: u8) -> SegmentSpec {
    let id = uuid::Uuid::from_u128;
    let mut spec = SegmentSpec::new(ProjectId(3), LogId(id(1)), CommitId(id(2)), Epoch(5));
    spec.id = SegmentId(id(n));
    spec.level = level;
    spec.day = Some(19_675);
    spec.identity = CommitSeq(6);
    spec
}

fn fixture(store: &ObjectStore, name: &str, key: &str) -> SegmentReader {
    let bytes = std::fs::read(format!("{}/tests/compat/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    futures::executor::block_on(store.put(key, bytes.into())).unwrap();
    let reader = SegmentReader::open_key(store, key).unwrap();
    verify_segment(store, reader.meta()).unwrap();
    reader
}

#[test]
fn version_one_reads() {
    let store = open("memory:").unwrap();
    let reader = fixture(&store, "v1-events.parquet", &spec(10, 2).key());
    assert_eq!(reader.events().map(Result::unwrap).collect::<Vec<_>>(), events());
    let meta = reader.meta();
    assert_eq!((meta.level, meta.day, meta.identity, meta.epoch), (2, Some(19_675), CommitSeq(6), Epoch(5)));
    let reader = fixture(&store, "v1-properties.parquet", &spec(11, 1).key());
    assert_eq!(reader.property_rows().map(Result::unwrap).collect::<Vec<_>>(), operations());
}
