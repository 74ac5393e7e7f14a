//! Conditions in three forms: row by row, over columns, and in SQL. No row tells them apart.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use support::worlds::{MemorySource, PROJECT, block_on, log};
use tallymark_insights::Engine;
use tallymark_model::{CommitId, CommitSeq, Epoch, Lane, Position, Properties, SubjectId};
use tallymark_predicate::Condition;
use tallymark_query::{Context, Names, ProjectInfo, Scan, Selector, Source};
use tallymark_sql::{DataFusionSql, sql_of};
use tallymark_state::{State, StateConfig, StateReader, StatsBuilder};
use tallymark_store::{EventRow, SegmentSpec, encode_events};
use tallymark_testkit::reference::RefEvent;

const PATHS: [&str; 6] = ["p", "q", "p.x", "p.x.y", "q.z", "it's \"odd\""];

fn value() -> impl Strategy<Value = Value> {
    let leaf = proptest::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-3),
        json!(2.5),
        json!(1e300),
        json!(-0.0),
        json!("1"),
        json!(" 1.0 "),
        json!(9007199254740993u64),
        json!(""),
        json!("Red"),
        json!("red wine"),
        json!("it's 100%_\\"),
        json!("2025-03-01"),
        json!("2025-03-01T00:00:00.0005Z"),
        json!([]),
        json!("[]"),
        json!(1_740_787_200),
        json!("ß"),
        json!("İstanbul"),
        json!("null"),
        json!("a\nb"),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[xyz]", inner, 0..3).prop_map(|m| json!(m)),
        ]
    })
}

fn properties() -> impl Strategy<Value = Properties> {
    let name = proptest::sample::select(vec!["p", "q", "p.x", "q.z", "it's \"odd\""]);
    proptest::collection::btree_map(name, value(), 0..4)
        .prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn condition() -> impl Strategy<Value = Value> {
    let operand = proptest::sample::select(vec![
        json!(1),
        json!("1"),
        json!(2.5),
        json!("red"),
        json!("RED"),
        json!(""),
        json!(true),
        json!(null),
        json!("2025-01-01"),
        json!("2025-03-01"),
        json!(["1", "Red"]),
        json!(["", "Red"]),
        json!([]),
        json!([0, 2.5]),
        json!(["2", "x"]),
        json!(9007199254740993u64),
        json!("it's"),
        json!("%_\\"),
        json!("i̇"),
        json!("^[rR]ed( \\w+)?$"),
        json!("\\d"),
        json!("a.b"),
        json!("("),
    ]);
    let ops = tallymark_predicate::Operator::ALL.map(|(name, _)| name);
    let op = proptest::sample::select(ops.to_vec());
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

/// Drops operands of operators that take none, so that every operator is tried.
fn usable(condition: &mut Value) {
    match condition {
        Value::Array(list) => list.iter_mut().for_each(usable),
        Value::Object(map) => {
            if map.get("op").and_then(Value::as_str).is_some_and(|op| op.ends_with("set")) {
                map.remove("value");
            }
            map.values_mut().for_each(usable);
        }
        _ => {}
    }
}

fn source(all: &[Properties]) -> MemorySource {
    let row = |(i, properties): (usize, &Properties)| EventRow {
        position: Position { lane: Lane::Live, partition: 0, offset: i as u64 },
        received_at: 0,
        time: 1000,
        event: "e".into(),
        subject: SubjectId::NONE,
        user_id: None,
        device_id: None,
        insert_id: None,
        session_id: None,
        properties: properties.clone(),
        groups: Vec::new(),
        annotations: Vec::new(),
    };
    let rows: Vec<EventRow> = all.iter().enumerate().map(row).collect();
    let store = tallymark_store::open("memory:").unwrap();
    let id = CommitId(uuid::Uuid::now_v7());
    let spec = SegmentSpec::new(PROJECT, log(), id, Epoch(1));
    let segment = block_on(encode_events(&rows, &spec).unwrap().store(&store)).unwrap();
    // Every property is known, whatever the rows have.
    let known = PATHS.iter().map(|p| ((*p).to_owned(), json!(["any"]))).collect();
    let sent = RefEvent { event: "e".into(), properties: known, ..RefEvent::default() };
    let mut stats = StatsBuilder::default();
    stats.add(&sent.to_event());
    let empty = State::empty(StateConfig::default());
    let mut overlay = empty.overlay();
    overlay.project(PROJECT).stats(&stats.finish());
    let state = StateReader::default();
    state.apply(CommitSeq(1), &overlay.finish(id)).unwrap();
    MemorySource {
        project: ProjectInfo::plain(PROJECT),
        segments: vec![segment],
        store,
        state,
        complete_through: None,
        hidden: Arc::default(),
        completeness: Arc::default(),
        cohorts: Default::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn rows_columns_and_sql_agree(
        all in proptest::collection::vec(properties(), 1..12),
        conditions in proptest::collection::vec(condition(), 12),
    ) {
        let source = Arc::new(source(&all));
        let snapshot = source.pin(PROJECT).unwrap();
        let engine = Engine::new(source, 2).with_sql(Arc::new(DataFusionSql::new()));
        for mut condition in conditions {
            usable(&mut condition);
            let Ok(parsed) = Condition::parse(&condition, "where") else { continue };
            let Ok(expr) = parsed.compile() else { continue };
            let by_row: Vec<u64> = (0..all.len()).filter(|i| expr.matches(&all[*i])).map(|i| i as u64).collect();
            let scan = Scan {
                selectors: vec![Selector { names: Names::Any, filter: Some(expr), nth: None }],
                to: 2000,
                order: true,
                ..Scan::default()
            };
            let context = Context::default();
            let prepared = scan.prepare(&snapshot, &context).unwrap();
            let found = prepared.run(2, Vec::new, |found: &mut Vec<u64>, batch| {
                found.extend(batch.positions.iter().map(|p| Position::unpack(*p).unwrap().offset));
                Ok(())
            });
            let mut by_column: Vec<u64> = found.unwrap().into_iter().flatten().collect();
            by_column.sort_unstable();
            let text = sql_of(&parsed).unwrap();
            let answer = support::sql(&engine, &format!(
                "SELECT position, {text} IS NULL FROM events WHERE {text} ORDER BY position"
            )).map_err(|e| TestCaseError::fail(format!("{e}\n{condition}\n{text}")))?;
            let offset = |row: &Value| {
                let packed = row[0].as_u64().or_else(|| row[0].as_str().and_then(|t| t.parse().ok())).unwrap();
                Position::unpack(packed).unwrap().offset
            };
            let rows = answer["rows"].as_array().unwrap();
            prop_assert!(rows.iter().all(|r| r[1] == false));
            let by_sql: Vec<u64> = rows.iter().map(offset).collect();
            prop_assert_eq!(&by_row, &by_column, "{}", condition);
            prop_assert_eq!(&by_row, &by_sql, "{}\n{}", condition, text);
        }
    }
}
