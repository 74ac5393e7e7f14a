//! Random histories of commits and compactions against the books of the `ledger` crate as a model.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use proptest::prelude::*;
use tallymark_catalog::{Advance, CommitAnswer, Commits, Snapshots};
use tallymark_ledger::Book;
use tallymark_model::ProjectId;
use world::*;

#[derive(Debug, Clone)]
enum Step {
    /// Advances of (shard, offset against the expected position, length, hours passed).
    Process(Vec<(u16, i8, u64, i64)>),
    /// Merge all live segments of a project.
    Compact(u32),
    /// Send the last applied commit again.
    Retry,
}

fn step() -> impl Strategy<Value = Step> {
    let drift = prop_oneof![8 => Just(0i8), 1 => Just(-1), 1 => Just(1)];
    let part = (0u16..4, drift, 1u64..30, 0i64..3);
    prop_oneof![
        6 => proptest::collection::vec(part, 1..4).prop_map(Step::Process),
        2 => (1u32..4).prop_map(Step::Compact),
        1 => Just(Step::Retry),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_stored_books_are_those_of_the_model(steps in proptest::collection::vec(step(), 1..25)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(steps));
    }
}

async fn run(steps: Vec<Step>) {
    let w = World::new().await;
    let mut model = Book::new();
    let mut clock = HOUR;
    let mut last = None;
    for step in steps {
        match step {
            Step::Process(parts) => {
                let mut next = model.clone();
                let mut advances: Vec<Advance> = Vec::new();
                let mut sound = true;
                for (n, drift, len, hours) in parts {
                    let cursor = next.cursor(shard(n));
                    let from = cursor.saturating_add_signed(i64::from(drift));
                    sound &= from == cursor;
                    clock += hours * HOUR;
                    let a = advance(shard(n), from, from + len, clock);
                    if sound {
                        next.advance(a.entry()).unwrap();
                    }
                    advances.push(a);
                }
                let c = commit(w.epoch(), advances);
                let answer = w.catalog.commit(&c).await;
                let applied = matches!(answer, Ok(CommitAnswer::Applied(_)));
                assert_eq!(applied, sound, "{answer:?}");
                if applied {
                    model = next;
                    last = Some(c);
                }
            }
            Step::Compact(project) => {
                let live = w.catalog.snapshot(ProjectId(project), None).await.unwrap().segments;
                if !live.is_empty() {
                    let c = compaction(w.epoch(), &live);
                    assert!(matches!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Applied(_)));
                    last = Some(c);
                }
            }
            Step::Retry => {
                if let Some(c) = &last {
                    assert!(matches!(w.catalog.commit(c).await.unwrap(), CommitAnswer::Already(_)));
                }
            }
        }
    }
    assert_sound(&w.catalog).await;
    assert_eq!(w.catalog.tally(None).await.unwrap(), model.total());
    for cursor in w.catalog.cursors().await.unwrap() {
        assert_eq!(cursor.position, model.cursor(cursor.shard));
    }
    let stored: u64 = book(&w.catalog).await.settled().len();
    assert_eq!(stored, model.settled().len());
}
