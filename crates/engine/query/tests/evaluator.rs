//! Conditions and values over columns against the row evaluator, through segment files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_model::{CommitId, CommitSeq, Epoch, Lane, LogId, Position, ProjectId, Properties, SubjectId};
use tallymark_predicate::{Condition, PropertyRef, Scope, canonical_text, is_none, lookup_path};
use tallymark_query::{Context, Names, ProjectInfo, Scan, Selector, Snapshot};
use tallymark_state::StateReader;
use tallymark_store::{EventRow, MAX_PROPERTY_COLUMNS, SegmentSpec, encode_events};

const PROJECT: ProjectId = ProjectId(1);
const PATHS: [&str; 5] = ["p", "q", "p.x", "p.x.y", "q.z"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = proptest::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-3),
        json!(2.5),
        json!(1e300),
        json!("1"),
        json!("1.0"),
        json!(9007199254740993u64),
        json!(""),
        json!("Red"),
        json!("red wine"),
        json!("2025-03-01"),
        json!([]),
        json!("[]"),
        json!(1_740_787_200),
        json!("ß"),
        json!("null"),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[xyz]", inner, 0..3).prop_map(|m| json!(m)),
        ]
    })
}

fn properties() -> impl Strategy<Value = Properties> {
    let name = proptest::sample::select(vec!["p", "q", "p.x", "q.z"]);
    proptest::collection::btree_map(name, value(), 0..4)
        .prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn condition() -> impl Strategy<Value = Value> {
    let operand = proptest::sample::select(vec![
        json!(1),
        json!("1"),
        json!(2.5),
        json!("red"),
        json!(""),
        json!(true),
        json!(null),
        json!("2025-01-01"),
        json!(["1", "Red"]),
        json!(9007199254740993u64),
    ]);
    let op = proptest::sample::select(vec![
        "is",
        "is_not",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "gt",
        "gte",
        "lt",
        "lte",
        "before",
        "after",
        "is_set",
        "is_not_set",
    ]);
    let path = proptest::sample::select(PATHS.to_vec());
    let leaf =
        (path, op, operand).prop_map(|(path, op, value)| json!({"property": path, "op": op, "value": value}));
    leaf.prop_recursive(3, 8, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            list.clone().prop_map(|l| json!({"all": l})),
            list.prop_map(|l| json!({"any": l})),
            inner.prop_map(|c| json!({"not": c})),
        ]
    })
}

fn snapshot(rows: &[EventRow]) -> Snapshot {
    let store = tallymark_store::open("memory:").unwrap();
    let log = LogId(uuid::Uuid::from_u128(7));
    let spec = SegmentSpec::new(PROJECT, log, CommitId(uuid::Uuid::now_v7()), Epoch(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let segment = runtime.block_on(encode_events(rows, &spec).unwrap().store(&store)).unwrap();
    let state = StateReader::default().snapshot(PROJECT);
    Snapshot::new(
        ProjectInfo::plain(PROJECT),
        CommitSeq(1),
        vec![segment],
        state.identity,
        state.names,
        store,
    )
}

fn row(offset: u64, properties: Properties) -> EventRow {
    EventRow {
        position: Position { lane: Lane::Live, partition: 0, offset },
        received_at: 0,
        time: 1000,
        event: "e".into(),
        subject: SubjectId::NONE,
        user_id: None,
        device_id: None,
        insert_id: None,
        session_id: None,
        properties,
        groups: Vec::new(),
        annotations: Vec::new(),
    }
}

fn check(all: &[Properties], rows: &[EventRow], condition: &Value) -> Result<(), TestCaseError> {
    let Ok(expr) = Condition::parse(condition, "where").and_then(|c| c.compile()) else { return Ok(()) };
    let snapshot = snapshot(rows);
    let columns: Vec<PropertyRef> =
        PATHS.iter().map(|p| PropertyRef { scope: Scope::Event, path: (*p).to_owned() }).collect();
    let scan = |filter| Scan {
        selectors: vec![Selector { names: Names::Any, filter, nth: None }],
        to: 2000,
        columns: columns.clone(),
        order: true,
        ..Scan::default()
    };
    let run = |scan: Scan| {
        let context = Context::default();
        let prepared = scan.prepare(&snapshot, &context).unwrap();
        let found = prepared.run(2, Vec::new, |found: &mut Vec<(u64, Vec<Value>)>, batch| {
            for row in 0..batch.len() {
                let values = batch.columns.iter().map(|c| c.value(row).to_json()).collect();
                found.push((batch.positions[row], values));
            }
            Ok(())
        });
        let mut found: Vec<_> = found.unwrap().into_iter().flatten().collect();
        found.sort_by_key(|(position, _)| *position);
        found
    };
    let expected: Vec<u64> = (0..all.len()).filter(|i| expr.matches(&all[*i])).map(|i| i as u64).collect();
    let found: Vec<u64> = run(scan(Some(expr))).into_iter().map(|(position, _)| position).collect();
    prop_assert_eq!(found, expected, "{}", condition);
    for (position, values) in run(scan(None)) {
        for (property, ours) in columns.iter().zip(values) {
            let theirs = lookup_path(&all[position as usize], property);
            let theirs = theirs.filter(|v| !is_none(v)).map(|v| canonical_text(&v)).unwrap_or_default();
            prop_assert_eq!(canonical_text(&ours), theirs, "{} of row {}", property.path, position);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn columns_answer_like_rows(all in proptest::collection::vec(properties(), 1..12), condition in condition()) {
        let rows: Vec<EventRow> = all.iter().enumerate().map(|(i, p)| row(i as u64, p.clone())).collect();
        check(&all, &rows, &condition)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Properties beyond the columns of a file answer the same.
    #[test]
    fn overflowing_properties_answer_like_others(all in proptest::collection::vec(properties(), 2..8), condition in condition()) {
        let mut rows: Vec<EventRow> = all.iter().enumerate().map(|(i, p)| row(i as u64, p.clone())).collect();
        // The first row fills all columns before its own properties come.
        let filler = (0..MAX_PROPERTY_COLUMNS).map(|i| (format!("filler{i}"), json!("x")));
        rows[0].properties = filler.chain(all[0].clone()).collect();
        check(&all, &rows, &condition)?;
    }
}
