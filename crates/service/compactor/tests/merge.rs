//! Merging changes the order of rows and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use model::{CommitId, CommitSeq, Epoch, LogId, Properties, SubjectId, SubjectKind, Value};
use support::{Dice, LOG, PROJECT, event, normalise};
use tallymark_compactor::{CompactError, MergeRequest, Order, merge};
use tallymark_identity::{Graph, View};
use tallymark_model as model;
use tallymark_store::{
    Column, EventRow, MAX_GROUP_TYPES, MAX_PROPERTY_COLUMNS, ObjectStore, SegmentReader, SegmentSpec,
    encode_events, open, properties, verify_segment,
};
use tokio_util::sync::CancellationToken;

fn id() -> CommitId {
    CommitId(uuid::Uuid::from_u128(5))
}

async fn segment(store: &ObjectStore, rows: &[EventRow], log: LogId) -> SegmentReader {
    let encoded = encode_events(rows, &SegmentSpec::new(PROJECT, log, id(), Epoch(1))).unwrap();
    SegmentReader::open(store, &encoded.store(store).await.unwrap()).unwrap()
}

fn request(order: Order<'_>, max_file_rows: usize) -> MergeRequest<'_> {
    MergeRequest { order, max_file_rows, commit: id(), parent: None, epoch: Epoch(2) }
}

async fn merged(
    store: &ObjectStore,
    inputs: &[SegmentReader],
    order: Order<'_>,
    max: usize,
) -> Vec<SegmentReader> {
    let mut readers = Vec::new();
    for output in merge(inputs, &request(order, max), &CancellationToken::new()).unwrap() {
        let meta = output.store(store).await.unwrap();
        verify_segment(store, &meta).unwrap();
        readers.push(SegmentReader::open(store, &meta).unwrap());
    }
    readers
}

fn rows_of(readers: &[SegmentReader]) -> Vec<EventRow> {
    let mut rows: Vec<EventRow> = readers.iter().flat_map(|r| r.events().map(Result::unwrap)).collect();
    normalise(&mut rows);
    rows
}

fn everybody(subjects: u32) -> std::sync::Arc<View> {
    let mut graph = Graph::default();
    for n in 1..=subjects {
        graph.add_subject(
            SubjectId(n),
            SubjectKind::Device,
            model::Seq { received_at: 1, position: u64::from(n) },
        );
    }
    graph.view()
}

#[tokio::test]
async fn any_order_and_any_size_of_files_keeps_the_rows() {
    let view = everybody(support::SUBJECTS);
    for seed in 0..20 {
        let store = open("memory:").unwrap();
        let mut dice = Dice(seed);
        let mut rows = Vec::new();
        let mut inputs = Vec::new();
        for _ in 0..1 + dice.below(6) {
            let from = rows.len() as u64;
            let some: Vec<EventRow> =
                (from..=from + dice.below(200)).map(|o| event(&mut dice, o, 4)).collect();
            inputs.push(segment(&store, &some, LOG).await);
            rows.extend(some);
        }
        normalise(&mut rows);
        let max = 1 + dice.below(rows.len() as u64) as usize;
        let min_rows = dice.below(80) as usize;
        for order in [Order::Arrival, Order::Days { view: &view, seq: CommitSeq(3), min_rows }] {
            let outputs = merged(&store, &inputs, order, max).await;
            assert_eq!(rows_of(&outputs), rows, "seed {seed}");
            assert!(outputs.iter().all(|o| o.meta().rows <= max as u64));
            // And once more, from what came out.
            let again = merged(&store, &outputs, order, max).await;
            assert_eq!(rows_of(&again), rows, "seed {seed}, again");
        }
    }
}

#[tokio::test]
async fn more_properties_and_groups_than_a_file_may_have_overflow() {
    let store = open("memory:").unwrap();
    let mut dice = Dice(1);
    let mut rows = Vec::new();
    let mut inputs = Vec::new();
    for part in 0..3u64 {
        let mut some: Vec<EventRow> = (part * 10..part * 10 + 10).map(|o| event(&mut dice, o, 1)).collect();
        for i in 0..900 {
            // One property is in every row, under two types; the others in one row each.
            let name = format!("p{part}.{i}");
            some[i % 10]
                .properties
                .insert(name, if i % 2 == 0 { Value::from(i) } else { Value::from(vec![i]) });
        }
        for (i, row) in some.iter_mut().enumerate() {
            row.properties
                .insert("always".to_owned(), if i % 2 == 0 { Value::from("x") } else { Value::from(true) });
            row.groups = (0..5).map(|g| (format!("type {part} {i} {g}"), "name".to_owned())).collect();
        }
        // This one overflows already when it is committed.
        if part == 2 {
            let wide: Properties = (0..2_100).map(|i| (format!("wide {i}"), Value::from(i))).collect();
            some[3].properties.extend(wide);
        }
        inputs.push(segment(&store, &some, LOG).await);
        rows.extend(some);
    }
    normalise(&mut rows);
    let outputs = merged(&store, &inputs, Order::Arrival, 1_000).await;
    assert_eq!(rows_of(&outputs), rows);
    let columns = outputs[0].columns();
    assert_eq!(columns.iter().filter(|c| matches!(c, Column::Property(..))).count(), MAX_PROPERTY_COLUMNS);
    assert_eq!(outputs[0].group_types().count(), MAX_GROUP_TYPES);
    assert!(columns.contains(&Column::Overflow) && columns.contains(&Column::GroupOverflow));
    assert_eq!(outputs[0].property_types("always").len(), 2, "what many rows have keeps its columns");

    // Every property is found, wherever it went, and only where it is.
    for name in ["always", "p0.1", "p1.898", "p2.899", "wide 0", "wide 2099", "nowhere"] {
        let batch = outputs[0].read(0, &properties::columns(&outputs[0], name)).unwrap();
        let arrays = properties::PropertyArrays::of_batch(&batch, name).unwrap();
        let found: Vec<Option<Value>> = (0..rows.len()).map(|at| arrays.value(at)).collect();
        let expected: Vec<Option<Value>> = rows.iter().map(|r| r.properties.get(name).cloned()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn two_logs_are_not_mixed_and_cancelling_stops() {
    let store = open("memory:").unwrap();
    let mut dice = Dice(2);
    let rows: Vec<EventRow> = (0..10).map(|o| event(&mut dice, o, 1)).collect();
    let inputs =
        [segment(&store, &rows, LOG).await, segment(&store, &rows, LogId(uuid::Uuid::from_u128(1234))).await];
    let refused = merge(&inputs, &request(Order::Arrival, 10), &CancellationToken::new());
    assert!(matches!(refused, Err(CompactError::MixedLogs(..))), "{refused:?}");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let stopped = merge(&inputs[..1], &request(Order::Arrival, 10), &cancel);
    assert!(matches!(stopped, Err(CompactError::Cancelled)));
}
