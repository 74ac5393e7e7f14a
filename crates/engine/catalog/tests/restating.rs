//! Skips, replays and reprocessing as commits: random histories against a model that knows each record's outcome.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use proptest::prelude::*;
use std::collections::BTreeMap;
use tallymark_catalog::{
    Advance, Commit, CommitAnswer, Commits, Garbage, Origin, SegmentMeta, Snapshots, Source,
};
use tallymark_ledger::{Account, Fingerprint, Interval, Part, Restatement, Tally};
use tallymark_model::{CommitId, ProjectId, Shard};
use uuid::Uuid;
use world::*;

/// What became of a record: nothing yet, or its project and whether it is visible.
type Fate = Option<(u32, bool)>;

#[derive(Debug, Clone)]
enum Step {
    /// Process so many records of a shard; every n-th is dead.
    Process(u16, u64, u64),
    Skip(u16, u64),
    /// Replay at most so many skipped records of a shard.
    Replay(u16, u64),
    /// Decide a part of the books again: start and length in percent, and which are dead now.
    Reprocess(u16, u64, u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let shard = 0u16..2;
    prop_oneof![
        3 => (shard.clone(), 1u64..40, 2u64..5).prop_map(|(s, n, d)| Step::Process(s, n, d)),
        2 => (shard.clone(), 1u64..30).prop_map(|(s, n)| Step::Skip(s, n)),
        3 => (shard.clone(), 1u64..20).prop_map(|(s, n)| Step::Replay(s, n)),
        3 => (shard, 0u64..100, 1u64..60, 2u64..5).prop_map(|(s, f, n, d)| Step::Reprocess(s, f, n, d)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_books_say_what_happened_to_each_record(steps in proptest::collection::vec(step(), 1..30)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(steps));
    }
}

fn decide(offset: u64, dead_every: u64) -> Fate {
    Some((1 + (offset % 3) as u32, !offset.is_multiple_of(dead_every)))
}

fn sums(shard: Shard, fates: impl Iterator<Item = (u64, Fate)>) -> (Account, Vec<Part>) {
    let mut parts: BTreeMap<u32, (Tally, Fingerprint)> = BTreeMap::new();
    for (offset, fate) in fates {
        let (project, visible) = fate.expect("only decided records are summed");
        let (tally, sum) = parts.entry(project).or_default();
        if visible {
            tally.visible += 1;
            *sum += term(shard, offset);
        } else {
            tally.dead += 1;
        }
    }
    let parts: Vec<Part> = parts.into_iter().map(|(p, (t, f))| (ProjectId(p), t, f)).collect();
    let (tally, visible) =
        parts.iter().fold((Tally::default(), Fingerprint::default()), |(t, f), p| (t + p.1, f + p.2));
    (Account::Accounted { tally, visible }, parts)
}

fn segments(id: CommitId, interval: Interval, parts: &[Part]) -> Vec<SegmentMeta> {
    let visible = parts.iter().filter(|(_, t, _)| t.visible > 0);
    visible
        .map(|(p, t, f)| segment(p.0, id, vec![Source { interval, rows: t.visible, fingerprint: *f }]))
        .collect()
}

async fn run(steps: Vec<Step>) {
    let w = World::new().await;
    let mut model: BTreeMap<Shard, Vec<Fate>> = BTreeMap::new();
    for step in steps {
        let id = CommitId(Uuid::new_v4());
        let mut commit = Commit::new(id, w.epoch(), 7);
        match step {
            Step::Process(n, len, dead) => {
                let fates = model.entry(shard(n)).or_default();
                let from = fates.len() as u64;
                fates.extend((from..from + len).map(|o| decide(o, dead)));
                let (account, projects) = sums(shard(n), (from..from + len).map(|o| (o, decide(o, dead))));
                let (to, shard) = (from + len, shard(n));
                commit.add = segments(id, Interval::new(shard, from, to), &projects);
                commit.advances =
                    vec![Advance { shard, from, to, account, received_from: 1, received_to: 1, projects }];
            }
            Step::Skip(n, len) => {
                let fates = model.entry(shard(n)).or_default();
                let from = fates.len() as u64;
                fates.extend((0..len).map(|_| None));
                let account = Account::Skipped { by: "op".into(), reason: "poison".into() };
                let (to, shard, projects) = (from + len, shard(n), vec![]);
                commit.origin = Origin::Skip { job: 1 };
                commit.advances =
                    vec![Advance { shard, from, to, account, received_from: 1, received_to: 1, projects }];
            }
            Step::Replay(n, most) => {
                let Some(row) =
                    w.catalog.skipped().await.unwrap().into_iter().find(|r| r.interval.shard == shard(n))
                else {
                    continue;
                };
                let Interval { shard, from, to } = row.interval;
                let interval = Interval::new(shard, from, to.min(from + most));
                let (now, now_parts) = sums(shard, (interval.from..interval.to).map(|o| (o, decide(o, 4))));
                let fates = model.get_mut(&shard).unwrap();
                (interval.from..interval.to).for_each(|o| fates[o as usize] = decide(o, 4));
                commit.add = segments(id, interval, &now_parts);
                commit.origin = Origin::Replay { job: 2 };
                commit.restate = vec![restated(interval, (row.account, vec![]), (now, now_parts))];
            }
            Step::Reprocess(n, start, len, dead) => {
                let Some(fates) = model.get_mut(&shard(n)) else { continue };
                let from = fates.len() as u64 * start / 100;
                let to = (from + len).min(fates.len() as u64);
                // Only a run of decided records within one row of the books.
                let rows = w.catalog.ledger(None, None, None).await.unwrap();
                let Some(row) = rows.iter().find(|r| {
                    r.interval.shard == shard(n) && r.interval.from <= from && from < r.interval.to
                }) else {
                    continue;
                };
                if !matches!(row.account, Account::Accounted { .. }) {
                    continue;
                }
                let interval = Interval::new(shard(n), from, to.min(row.interval.to));
                let offsets = || interval.from..interval.to;
                let was = sums(shard(n), offsets().map(|o| (o, fates[o as usize])));
                offsets().for_each(|o| fates[o as usize] = decide(o, dead));
                let now = sums(shard(n), offsets().map(|o| (o, fates[o as usize])));
                commit.add = segments(id, interval, &now.1);
                commit.masks = vec![interval];
                commit.origin = Origin::Reprocess { job: 3 };
                commit.restate = vec![restated(interval, was, now)];
            }
        }
        let answer = w.catalog.commit(&commit).await.unwrap();
        assert!(matches!(answer, CommitAnswer::Applied(_)), "{answer:?} to {commit:?}");
        assert!(matches!(w.catalog.commit(&commit).await.unwrap(), CommitAnswer::Already(_)));
    }
    check(&w, &model).await;
    assert_replays(&w.catalog).await;
}

fn restated(interval: Interval, was: (Account, Vec<Part>), now: (Account, Vec<Part>)) -> Restatement {
    Restatement {
        interval,
        was: was.0,
        was_parts: was.1,
        now: now.0,
        now_parts: now.1,
        received_from: 1,
        received_to: 1,
    }
}

async fn check(w: &World, model: &BTreeMap<Shard, Vec<Fate>>) {
    assert!(book(&w.catalog).await.verify().is_empty());
    for project in 1..=3u32 {
        let fates = model.values().flatten().flatten().filter(|(p, _)| *p == project);
        let (visible, dead) = fates.fold((0, 0), |(v, d), (_, ok)| if *ok { (v + 1, d) } else { (v, d + 1) });
        let tally = w.catalog.tally(Some(ProjectId(project))).await.unwrap();
        assert_eq!(tally, Tally { visible, dead, ..Tally::default() });
        // Rows that count = rows of live segments without the masked ones, by position.
        let snapshot = w.catalog.snapshot(ProjectId(project), None).await.unwrap();
        let mut counted: BTreeMap<Shard, Vec<u64>> = BTreeMap::new();
        for s in &snapshot.segments {
            let masks = snapshot.masked.get(&s.id).map_or(&[][..], Vec::as_slice);
            for source in &s.sources {
                let free = (source.interval.from..source.interval.to).filter(|o| {
                    !masks.iter().any(|m| m.shard == source.interval.shard && m.from <= *o && *o < m.to)
                });
                let ours = free.filter(|o| 1 + (o % 3) as u32 == project);
                counted.entry(source.interval.shard).or_default().extend(ours);
            }
        }
        for (shard, offsets) in &mut counted {
            let all = offsets.len();
            offsets.sort_unstable();
            offsets.dedup();
            assert_eq!(all, offsets.len(), "no position of {shard} is offered by two segments");
        }
        for (shard, fates) in model {
            for (o, fate) in fates.iter().enumerate().filter(|(_, f)| **f == Some((project, true))) {
                assert!(counted[shard].contains(&(o as u64)), "{shard}@{o} {fate:?} is in no segment");
            }
        }
    }
    let before = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    w.catalog.drop_spent_masks().await.unwrap();
    assert_eq!(
        w.catalog.snapshot(ProjectId(1), None).await.unwrap(),
        before,
        "what hides a row is never spent"
    );
    assert_eq!(w.catalog.drop_spent_masks().await.unwrap(), 0);
}

#[tokio::test]
async fn a_restatement_that_does_not_fit_changes_nothing() {
    let w = World::new().await;
    let live = commit(w.epoch(), vec![advance(shard(0), 0, 20, HOUR)]);
    w.catalog.commit(&live).await.unwrap();
    let before = (w.catalog.tally(None).await.unwrap(), book(&w.catalog).await);
    let part = |n: u64| {
        let tally = Tally { dead: n, ..Tally::default() };
        let account = Account::Accounted { tally, visible: Fingerprint::default() };
        (account, vec![(ProjectId(1), tally, Fingerprint::default())])
    };
    let filtered = || {
        let tally = Tally { filtered: 2, ..Tally::default() };
        let account = Account::Accounted { tally, visible: Fingerprint::default() };
        (account, vec![(ProjectId(1), tally, Fingerprint::default())])
    };
    // No record of these is dead; these are not skipped; these are beyond the books.
    let skipped = (Account::Skipped { by: "x".into(), reason: "y".into() }, vec![]);
    for (from, to, was) in [(3, 5, part(2)), (3, 5, skipped), (19, 21, part(2))] {
        let mut c = Commit::new(CommitId(Uuid::new_v4()), w.epoch(), 9);
        let interval = Interval::new(shard(0), from, to);
        c.restate = vec![restated(interval, was, filtered())];
        assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Mismatch { interval });
    }
    assert_eq!((w.catalog.tally(None).await.unwrap(), book(&w.catalog).await), before);
    assert!(w.catalog.restatements(None, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_compaction_that_does_not_know_of_a_mask_is_refused() {
    let w = World::new().await;
    w.catalog.commit(&commit(w.epoch(), vec![advance(shard(0), 0, 9, HOUR)])).await.unwrap();
    let live = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    let ids: Vec<_> = live.segments.iter().map(|s| s.id).collect();
    let mut merge = compaction(w.epoch(), &live.segments);
    merge.as_of = live.seq;
    // Offset 0 is project 1's and visible; now it is dead.
    let was = sums(shard(0), [(0, Some((1, true)))].into_iter());
    let now = sums(shard(0), [(0, Some((1, false)))].into_iter());
    let mut change = Commit::new(CommitId(Uuid::new_v4()), w.epoch(), 9);
    change.masks = vec![Interval::new(shard(0), 0, 1)];
    change.restate = vec![restated(change.masks[0], was, now)];
    assert!(matches!(w.catalog.commit(&change).await.unwrap(), CommitAnswer::Applied(_)));
    let masked = w.catalog.masked(&ids).await.unwrap();
    assert_eq!((masked.len(), masked[0].1[0].interval), (1, change.masks[0]));
    assert_eq!(
        w.catalog.commit(&merge).await.unwrap(),
        CommitAnswer::Masked { segment: live.segments[0].id }
    );
    // Knowing of it, the merge leaves the row out and says so.
    let fresh = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    let mut merge = compaction(w.epoch(), &fresh.segments);
    merge.as_of = fresh.seq;
    merge.add[0].rows -= 1;
    merge.add[0].fingerprint -= term(shard(0), 0);
    merge.add[0].sources[0].rows -= 1;
    merge.add[0].sources[0].fingerprint -= term(shard(0), 0);
    assert!(w.catalog.commit(&merge).await.is_err(), "a row is missing without a word");
    merge.left_out = vec![tallymark_catalog::LeftOut {
        segment: fresh.segments[0].id,
        rows: 1,
        fingerprint: term(shard(0), 0),
    }];
    assert!(matches!(w.catalog.commit(&merge).await.unwrap(), CommitAnswer::Applied(_)));
    let after = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    assert!(after.masked.is_empty());
    // The past still sees the past.
    let past = w.catalog.snapshot(ProjectId(1), Some(fresh.seq)).await.unwrap();
    assert_eq!(past.masked.len(), 1);
}
