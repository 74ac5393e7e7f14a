//! Where only the stretch of time of a row matters, times are not read, and no row is lost or misplaced by that.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use tallymark_ledger::SegmentMeta;
use tallymark_model::{
    CommitId, CommitSeq, Epoch, Lane, LogId, Millis, Position, ProjectId, Properties, SubjectId,
};
use tallymark_query::{Buckets, Context, Names, ProjectInfo, Scan, Selector, Snapshot};
use tallymark_state::StateReader;
use tallymark_store::{EventRow, ObjectStore, SegmentSpec, encode_events};

const PROJECT: ProjectId = ProjectId(1);

fn file(store: &ObjectStore, first: u64, times: &[Millis], name: &str) -> SegmentMeta {
    let row = |(i, time): (usize, &Millis)| EventRow {
        position: Position { lane: Lane::Live, partition: 0, offset: first + i as u64 },
        received_at: 0,
        time: *time,
        event: name.to_owned(),
        subject: SubjectId::NONE,
        user_id: None,
        device_id: None,
        insert_id: None,
        session_id: None,
        properties: Properties::new(),
        groups: Vec::new(),
        annotations: Vec::new(),
    };
    let rows: Vec<EventRow> = times.iter().enumerate().map(row).collect();
    let log = LogId(uuid::Uuid::from_u128(7));
    let spec = SegmentSpec::new(PROJECT, log, CommitId(uuid::Uuid::now_v7()), Epoch(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(encode_events(&rows, &spec).unwrap().store(store)).unwrap()
}

#[test]
fn a_time_may_stand_for_its_stretch_and_only_for_that() {
    let store = tallymark_store::open("memory:").unwrap();
    let files = [
        file(&store, 0, &[10, 19, 12], "a"),
        file(&store, 3, &[15, 25], "a"),
        file(&store, 5, &[29, 30], "a"),
        file(&store, 7, &[22, 24], "b"),
    ];
    let state = StateReader::default().snapshot(PROJECT);
    let info = ProjectInfo::plain(PROJECT);
    let snapshot = Snapshot::new(info, CommitSeq(1), files.to_vec(), state.identity, state.names, store);
    let buckets = Buckets::of_bounds(vec![10, 20, 30]);
    let selectors = |b: &str| {
        vec![
            Selector::named(["a"]),
            Selector { names: Names::Of([b.to_owned()].into()), filter: None, nth: None },
        ]
    };
    let asked = |stretches: Option<Buckets>, spans: Vec<(Millis, Millis)>| {
        let scan = Scan { selectors: selectors("b"), from: 10, to: 30, stretches, spans, ..Scan::default() };
        let context = Context::default();
        let prepared = scan.prepare(&snapshot, &context).unwrap();
        let found = prepared.run(2, Vec::new, |found: &mut Vec<(Option<usize>, u32, bool)>, batch| {
            for (time, mask) in batch.times.iter().zip(&batch.masks) {
                assert!(batch.instant.is_none_or(|instant| instant == *time));
                found.push((buckets.find(*time), *mask, batch.instant.is_some()));
            }
            Ok(())
        });
        let mut found: Vec<_> = found.unwrap().into_iter().flatten().collect();
        found.sort_unstable();
        found
    };
    let places = |found: Vec<(Option<usize>, u32, bool)>| -> Vec<(Option<usize>, u32)> {
        found.into_iter().map(|(bucket, mask, _)| (bucket, mask)).collect()
    };
    let coarse = asked(Some(buckets.clone()), Vec::new());
    assert_eq!(places(coarse.clone()), places(asked(None, Vec::new())));
    assert_eq!(coarse.len(), 8, "the row at 30 lies outside");
    // The first file and the one of `b` lie inside one stretch; the others cross a boundary or the end.
    assert_eq!(coarse.iter().filter(|(_, _, shared)| *shared).count(), 5);
    // `b` matters only in the first stretch, in which it has no rows: its file is not read.
    let spared = asked(Some(buckets.clone()), vec![(10, 30), (10, 20)]);
    assert_eq!(places(spared), places(coarse).into_iter().filter(|(_, mask)| *mask == 1).collect::<Vec<_>>());
}
