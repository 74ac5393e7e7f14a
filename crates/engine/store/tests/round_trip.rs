//! Whatever rows go into a segment file come out again, and the file says truly what it holds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use model::{
    Annotation, CommitId, Epoch, Lane, LogId, Position, ProjectId, Properties, PropertyOpKind, SubjectId,
    Value,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tallymark_ledger::{Fingerprint, SegmentKind};
use tallymark_model as model;
use tallymark_store::{
    Column, EventRow, MAX_PROPERTY_COLUMNS, ObjectStore, PropertyRow, SegmentReader, SegmentSpec,
    encode_events, encode_properties, open, properties, verify_segment,
};

fn spec(level: u8) -> SegmentSpec {
    let mut spec = SegmentSpec::new(
        ProjectId(7),
        LogId(uuid::Uuid::from_u128(1)),
        CommitId(uuid::Uuid::from_u128(2)),
        Epoch(3),
    );
    spec.level = level;
    spec
}

fn position(lane: Lane, partition: u16, offset: u64) -> Position {
    Position { lane, partition, offset }
}

fn row(offset: u64, event: &str, properties: Value) -> EventRow {
    EventRow {
        position: position(Lane::Live, 0, offset),
        received_at: 1_000 + offset as i64,
        time: 500 + offset as i64,
        event: event.to_owned(),
        subject: SubjectId(offset as u32 + 1),
        user_id: None,
        device_id: Some("d".to_owned()),
        insert_id: None,
        session_id: None,
        properties: match properties {
            Value::Object(map) => map,
            _ => Properties::new(),
        },
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

fn stored(store: &ObjectStore, rows: &[EventRow], spec: &SegmentSpec) -> SegmentReader {
    let encoded = encode_events(rows, spec).unwrap();
    let meta = futures::executor::block_on(encoded.store(store)).unwrap();
    assert_eq!(verify_segment(store, &meta).unwrap().rows, rows.len() as u64);
    SegmentReader::open(store, &meta).unwrap()
}

/// Values compare by canonical text, as everywhere; groups as a set.
fn normal(row: &EventRow) -> (EventRow, Vec<(String, String)>) {
    let mut groups = row.groups.clone();
    groups.sort();
    let properties = row.properties.iter().map(|(k, v)| {
        let text = format!("{}:{}", v.is_string(), model::canonical_text(v));
        (k.clone(), if v.is_null() { Value::Null } else { Value::String(text) })
    });
    let properties = properties.collect();
    (EventRow { properties, groups: Vec::new(), ..row.clone() }, groups)
}

fn assert_same(found: &[EventRow], expected: &[EventRow]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(normal(found), normal(expected));
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "a", "b", "event", "s:x", "g:y", "_overflow", "a.b", "名前", "\u{0}", "\""])
            .prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000i64..1_000_000, 0u32..4).prop_map(|(n, e)| Value::from(n as f64 / 10f64.powi(e as i32))),
        prop::sample::select(vec![0.0, -0.0, 1e300, -1e-300, 9_007_199_254_740_992.0, 1e18])
            .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((text(), inner), 0..3).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn event_row()(
        (lane, partition) in (prop::sample::select(vec![Lane::Live, Lane::Bulk]), 0u16..4),
        (received_at, time) in (any::<i64>(), any::<i64>()),
        event in text(),
        subject in any::<u32>(),
        ids in [prop::option::of(text()), prop::option::of(text()), prop::option::of(text()), prop::option::of(text())],
        properties in vec((text(), json()), 0..6),
        groups in vec((text(), text()), 0..4),
        annotations in vec(prop::sample::select(vec![Annotation::IdDropped, Annotation::Truncated]), 0..3),
    ) -> EventRow {
        let [user_id, device_id, insert_id, session_id] = ids;
        EventRow {
            position: position(lane, partition, 0),
            received_at, time, event, subject: SubjectId(subject), user_id, device_id, insert_id, session_id,
            properties: properties.into_iter().collect(), groups, annotations,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_events_come_back(mut rows in vec(event_row(), 1..40), level in 0u8..3) {
        for (offset, row) in rows.iter_mut().enumerate() {
            row.position.offset = offset as u64 * 3;
        }
        if level == 2 {
            rows.sort_by(|a, b| a.event.cmp(&b.event));
        }
        let store = open("memory:").unwrap();
        let spec = spec(level);
        let reader = stored(&store, &rows, &spec);
        let found: Vec<EventRow> = reader.events().map(Result::unwrap).collect();
        assert_same(&found, &rows);

        let meta = reader.meta();
        let sum = rows.iter().fold(Fingerprint::default(), |sum, r| sum + Fingerprint::of(spec.log, r.position));
        prop_assert_eq!((meta.kind, meta.rows, meta.fingerprint), (SegmentKind::Events, rows.len() as u64, sum));
        prop_assert_eq!(meta.time_min, rows.iter().map(|r| r.time).min().unwrap());
        prop_assert_eq!(meta.received_max, rows.iter().map(|r| r.received_at).max().unwrap());
        for row in &rows {
            prop_assert!(reader.row_groups().iter().any(|g| g.may_contain(&row.event)
                && g.overlaps(row.time, row.time.saturating_add(1))
                && (g.subject_min..=g.subject_max).contains(&row.subject.0)));
        }
    }

    #[test]
    fn arbitrary_property_operations_come_back(
        raw in vec((text(), 1u8..=10, json(), any::<u32>(), any::<i64>(), 0u64..1000), 1..40),
    ) {
        let rows: Vec<PropertyRow> = raw.into_iter().enumerate().map(|(i, (name, op, value, subject, time, offset))| {
            PropertyRow {
                subject: SubjectId(subject), name, op: PropertyOpKind::from_u8(op).unwrap(), value_json: value.to_string(),
                time, position: position(Lane::Bulk, 3, offset), received_at: time, index: i as u32,
            }
        }).collect();
        let store = open("memory:").unwrap();
        let encoded = encode_properties(&rows, &spec(0)).unwrap();
        let meta = futures::executor::block_on(encoded.store(&store)).unwrap();
        verify_segment(&store, &meta).unwrap();
        let reader = SegmentReader::open(&store, &meta).unwrap();
        prop_assert_eq!(reader.property_rows().map(Result::unwrap).collect::<Vec<_>>(), rows);
    }
}

#[test]
fn properties_beyond_the_limit_overflow_and_read_alike() {
    let many = MAX_PROPERTY_COLUMNS + 300;
    let value = |i: usize| match i % 4 {
        0 => Value::from(i),
        1 => Value::from(format!("text {i}")),
        2 => Value::from(i % 8 == 2),
        _ => Value::from(vec![i]),
    };
    let wide: Properties = (0..many).map(|i| (format!("p{i}"), value(i))).collect();
    // "p5" has a text column from the first row; as a number it no longer gets one.
    let rows = [
        row(0, "wide", Value::Object(wide)),
        row(1, "narrow", serde_json::json!({"p5": 17, "p2200": "other type", "p1": ""})),
        row(2, "none", Value::Null),
    ];
    let store = open("memory:").unwrap();
    let reader = stored(&store, &rows, &spec(0));
    assert_eq!(
        reader.columns().iter().filter(|c| matches!(c, Column::Property(..))).count(),
        MAX_PROPERTY_COLUMNS
    );
    assert_same(&reader.events().map(Result::unwrap).collect::<Vec<_>>(), &rows);

    for name in ["p0", "p1", "p2", "p3", "p5", "p2200", "p2201", "p2202", "p2203", "absent"] {
        let batch = reader.read(0, &properties::columns(&reader, name)).unwrap();
        let arrays = properties::PropertyArrays::of_batch(&batch, name).unwrap();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(arrays.value(at), row.properties.get(name).cloned(), "{name} of row {at}");
        }
    }
    assert!(!reader.overflow_may_contain("p0") && reader.overflow_may_contain("p2200"));
    assert!(reader.overflow_may_contain("p5"));
    assert_eq!(properties::columns(&reader, "absent"), []);
}

#[test]
fn level_two_cuts_row_groups_at_names() {
    let mut rows = Vec::new();
    for (event, count) in [("a", 30_000), ("b", 10), ("c", 20), ("d", 25_000)] {
        for _ in 0..count {
            rows.push(row(rows.len() as u64, event, Value::Null));
        }
    }
    let store = open("memory:").unwrap();
    let reader = stored(&store, &rows, &spec(2));
    let groups = reader.row_groups();
    let shape: Vec<_> = groups.iter().map(|g| (g.rows, g.single())).collect();
    assert_eq!(shape, [(30_000, Some("a")), (30, None), (25_000, Some("d"))]);
    assert_eq!(groups[1].names, Some(vec!["b".to_owned(), "c".to_owned()]));
    assert!(!groups[1].may_contain("a") && !groups[1].may_contain("bb"));
    assert_eq!((groups[0].time_min, groups[0].time_max), (500, 500 + 29_999));
    assert!(!groups[0].overlaps(500 + 30_000, i64::MAX) && groups[0].overlaps(0, 501));

    let batch = reader
        .read(2, &[Column::Time, Column::Event, Column::property("no", tallymark_store::PropertyType::Text)]);
    let batch = batch.unwrap();
    assert_eq!(batch.num_columns(), 3);
    assert_eq!(batch.column(2).null_count(), 25_000);
    assert_eq!(batch.schema().field(1).data_type(), &Column::Event.data_type());
}

#[test]
fn a_row_outside_the_announced_intervals_is_refused() {
    let mut spec = spec(0);
    let shard = position(Lane::Live, 0, 0).shard();
    spec.sources = vec![tallymark_ledger::Interval { shard, from: 0, to: 2 }];
    assert!(encode_events(&[row(1, "a", Value::Null)], &spec).is_ok());
    assert!(encode_events(&[row(2, "a", Value::Null)], &spec).is_err());
    assert!(encode_events(&[], &spec).is_err());
}

#[test]
fn other_programs_read_the_file_as_plain_parquet() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let rows = [row(0, "a", serde_json::json!({"x.y": 1})), row(1, "b", serde_json::json!({"x.y": 2}))];
    let encoded = encode_events(&rows, &spec(0)).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(encoded.bytes).unwrap();
    assert_eq!(builder.schema().field_with_name("event").unwrap().data_type(), &Column::Event.data_type());
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 2);
    assert!(batches[0].column_by_name("n:x.y").is_some());
}

#[test]
fn single_rows_read_like_the_rows_of_the_whole() {
    let rows: Vec<EventRow> = (0..70_000u64)
        .map(|i| {
            let mut properties = serde_json::json!({"n": i, "s": format!("text {}", i % 91)});
            if i % 1000 == 7 {
                properties["rare"] = Value::from(vec![i]);
            }
            row(i, ["a", "b"][i as usize % 2], properties)
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&format!("file:{}", dir.path().display())).unwrap();
    let reader = stored(&store, &rows, &spec(0));
    let wanted = [0, 1, 7, 2_047, 2_048, 2_049, 19_999, 20_000, 20_001, 45_007, 69_999];
    let expected: Vec<EventRow> = wanted.iter().map(|&at| rows[at as usize].clone()).collect();
    assert_eq!(reader.event_rows(0, &wanted).unwrap(), expected);
    assert_eq!(reader.event_rows(0, &[]).unwrap(), []);
    let narrow = [Column::Subject, Column::property("absent", tallymark_store::PropertyType::Number)];
    let batch = reader.read_rows(0, &narrow, &wanted).unwrap();
    assert_eq!((batch.num_rows(), batch.column(1).null_count()), (11, 11));
    for wrong in [&[70_000][..], &[5, 5], &[6, 5]] {
        assert!(reader.read_rows(0, &narrow, wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_file_says_in_which_row_groups_a_subject_is() {
    let store = open("memory:").unwrap();
    let names = ["a", "b", "c"];
    let mut rows: Vec<EventRow> =
        (0..9_000).map(|i| row(i, names[i as usize / 3_000], Value::Null)).collect();
    for (i, row) in rows.iter_mut().enumerate() {
        row.subject = SubjectId(if i < 6_000 { i as u32 % 1_500 } else { 1_400 + i as u32 % 200 });
    }
    let reader = stored(&store, &rows, &spec(2));
    assert_eq!(reader.row_groups().len(), 3, "names of some thousand rows stand alone");
    let groups = |subjects: &[u32]| reader.groups_of(subjects).unwrap().unwrap();
    assert_eq!(groups(&[7]), [0, 1]);
    assert_eq!(groups(&[1_450]), [0, 1, 2]);
    assert_eq!(groups(&[1_550]), [2]);
    assert_eq!(groups(&[7, 1_550]), [0, 1, 2]);
    assert!(groups(&[1_600, 4_000_000_000]).is_empty());
}
