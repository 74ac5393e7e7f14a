//! How the catalog answers commits: equality, fencing, proofs, retries, races.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use tallymark_catalog::{
    CatalogError, CommitAnswer, Commits, Feed, Garbage, LeaseName, Leases, SegmentKind, Snapshots,
};
use tallymark_ledger::{Account, Fingerprint, GapCause, InvariantId, Tally};
use tallymark_model::{CommitId, CommitSeq, Epoch, ProjectId, SegmentId};
use uuid::Uuid;
use world::*;

fn broken(answer: Result<CommitAnswer, CatalogError>) -> Vec<InvariantId> {
    match answer {
        Err(CatalogError::Violations(found)) => found.iter().map(|v| v.invariant).collect(),
        other => panic!("expected violations, got {other:?}"),
    }
}

#[tokio::test]
async fn a_commit_moves_cursors_and_makes_segments_visible() {
    let w = World::new().await;
    let c = commit(w.epoch(), vec![advance(shard(0), 0, 10, HOUR), advance(shard(1), 0, 4, HOUR)]);
    assert_eq!(w.catalog.status(c.id).await.unwrap(), None);
    assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Applied(CommitSeq(1)));
    assert_eq!(w.catalog.status(c.id).await.unwrap(), Some(CommitSeq(1)));
    let snapshot = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    assert_eq!((snapshot.seq, snapshot.created_at), (CommitSeq(1), 7));
    assert_eq!(snapshot.segments, c.add.iter().filter(|s| s.project.0 == 1).cloned().collect::<Vec<_>>());
    assert_eq!(snapshot.cursors, [(shard(0), 10), (shard(1), 4)]);
    let record = &w.catalog.feed(CommitSeq(0), 10).await.unwrap()[0];
    assert_eq!((record.id, &record.delta, &record.advances), (c.id, &c.delta, &c.advances));
    assert_eq!(record.added.len(), c.add.len());
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn a_retry_is_recognised_and_changes_nothing() {
    let w = World::new().await;
    let c = commit(w.epoch(), vec![advance(shard(0), 0, 10, HOUR)]);
    w.catalog.commit(&c).await.unwrap();
    assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Already(CommitSeq(1)));
    // Even after the lease went to somebody else: it was applied, and saying so harms nobody.
    lease(&w.catalog, LeaseName::Process, "me").await;
    assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Already(CommitSeq(1)));
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn equality_of_positions_is_required_and_one_wrong_shard_refuses_all() {
    let w = World::new().await;
    let first = commit(w.epoch(), vec![advance(shard(0), 0, 10, HOUR)]);
    w.catalog.commit(&first).await.unwrap();
    for (from, to, expected) in [
        (9, 12, CommitAnswer::Behind { shard: shard(0), cursor: 10 }),
        (0, 10, CommitAnswer::Behind { shard: shard(0), cursor: 10 }),
        (11, 12, CommitAnswer::Gap { shard: shard(0), cursor: 10 }),
    ] {
        let c = commit(w.epoch(), vec![advance(shard(2), 0, 5, HOUR), advance(shard(0), from, to, HOUR)]);
        assert_eq!(w.catalog.commit(&c).await.unwrap(), expected);
        assert_eq!(w.catalog.status(c.id).await.unwrap(), None);
    }
    assert_eq!(w.catalog.cursors().await.unwrap().len(), 1, "the good shard was not moved either");
    assert_eq!(w.catalog.latest_seq().await.unwrap(), CommitSeq(1));
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn an_old_epoch_is_fenced() {
    let w = World::new().await;
    let newer = lease(&w.catalog, LeaseName::Process, "me").await;
    assert!(newer.epoch > w.epoch());
    let late = commit(w.epoch(), vec![advance(shard(0), 0, 3, HOUR)]);
    assert_eq!(w.catalog.commit(&late).await.unwrap(), CommitAnswer::Fenced { epoch: newer.epoch });
    // The compactor's lease does not allow processing.
    let compact = lease(&w.catalog, LeaseName::Compact, "me").await;
    let wrong = commit(compact.epoch, vec![advance(shard(0), 0, 3, HOUR)]);
    assert_eq!(w.catalog.commit(&wrong).await.unwrap(), CommitAnswer::Fenced { epoch: newer.epoch });
    let good = commit(newer.epoch, vec![advance(shard(0), 0, 3, HOUR)]);
    assert_eq!(w.catalog.commit(&good).await.unwrap(), CommitAnswer::Applied(CommitSeq(1)));
    // Giving the lease back does not revive older epochs.
    w.catalog.release(&newer).await.unwrap();
    let late = commit(w.epoch(), vec![advance(shard(0), 3, 4, HOUR)]);
    assert!(matches!(w.catalog.commit(&late).await.unwrap(), CommitAnswer::Fenced { .. }));
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn what_does_not_add_up_is_refused() {
    let w = World::new().await;
    let good = commit(w.epoch(), vec![advance(shard(0), 0, 10, HOUR)]);

    let mut c = good.clone();
    c.advances[0].to = 11;
    assert!(broken(w.catalog.commit(&c).await).contains(&InvariantId::I3), "a tally that is too short");

    let mut c = good.clone();
    c.add.pop();
    assert_eq!(broken(w.catalog.commit(&c).await), [InvariantId::I4], "rows without a segment");

    let mut c = good.clone();
    c.add[0].sources[0].fingerprint += Fingerprint(1);
    assert!(broken(w.catalog.commit(&c).await).contains(&InvariantId::I4), "another row than the books say");

    let mut c = good.clone();
    c.advances[0].projects.pop();
    assert_eq!(broken(w.catalog.commit(&c).await), [InvariantId::I3], "a project's part is missing");

    let mut c = good.clone();
    (c.advances[0].from, c.advances[0].to) = (10, 10);
    assert!(broken(w.catalog.commit(&c).await).contains(&InvariantId::I2), "an empty advance");

    let mut c = good.clone();
    c.add[0].commit = CommitId(Uuid::new_v4());
    assert!(matches!(w.catalog.commit(&c).await, Err(CatalogError::Malformed(_))), "a foreign segment");

    let mut c = good.clone();
    c.remove.push(SegmentId(Uuid::new_v4()));
    assert!(matches!(w.catalog.commit(&c).await, Err(CatalogError::Malformed(_))), "both verbs at once");

    let mut c = good.clone();
    c.advances.clear();
    assert!(matches!(w.catalog.commit(&c).await, Err(CatalogError::Malformed(_))), "rows from nowhere");

    assert_eq!(w.catalog.latest_seq().await.unwrap(), CommitSeq(0));
    assert!(w.catalog.cursors().await.unwrap().is_empty());
    assert_eq!(w.catalog.commit(&good).await.unwrap(), CommitAnswer::Applied(CommitSeq(1)));
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn gaps_skips_controls_and_holes_are_booked() {
    let w = World::new().await;
    let s = shard(0);
    let mut lost = advance(s, 5, 8, HOUR);
    lost.account = Account::Lost { cause: GapCause::Corrupt, evidence: "000002.log".into() };
    lost.projects.clear();
    let mut skipped = advance(s, 8, 9, HOUR);
    skipped.account = Account::Skipped { by: "operator".into(), reason: "poison".into() };
    skipped.projects.clear();
    let mut notes = advance(s, 9, 12, HOUR);
    let tally = Tally { control: 2, hole: 1, ..Tally::default() };
    notes.account = Account::Accounted { tally, visible: Fingerprint::default() };
    notes.projects.clear();
    let c = commit(w.epoch(), vec![advance(s, 0, 5, HOUR), lost, skipped, notes]);
    assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Applied(CommitSeq(1)));

    let book = book(&w.catalog).await;
    assert_eq!(book.verify(), []);
    assert_eq!(book.gaps().map(|g| g.0).collect::<Vec<_>>(), [interval(s, 5, 8)]);
    assert_eq!(book.settled().gaps(interval(s, 0, 12)), [interval(s, 8, 9)]);
    assert_eq!(w.catalog.tally(Some(ProjectId::UNKNOWN)).await.unwrap(), tally);
    let books = w.catalog.books(ProjectId(2), Some(9 * HOUR), None).await.unwrap();
    assert!(books.rows.is_empty());
    assert_eq!(books.anomalies.iter().map(|r| r.interval.from).collect::<Vec<_>>(), [5, 8]);
    assert_eq!((books.seq, books.cursors[0].position), (CommitSeq(1), 12));
    assert_eq!((books.instance, books.project.visible), (book.total(), 1));
    // A project sees its own rows and every anomaly.
    let rows = w.catalog.ledger(Some(ProjectId(2)), None, None).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.interval.from).collect::<Vec<_>>(), [0, 5, 8]);
}

#[tokio::test]
async fn ledger_rows_close_with_the_hour_and_can_be_asked_for_by_time() {
    let w = World::new().await;
    let s = shard(3);
    for (i, received) in
        [HOUR, HOUR + 5, 2 * HOUR - 1, 2 * HOUR, 2 * HOUR + 9, 5 * HOUR].into_iter().enumerate()
    {
        let at = i as u64 * 10;
        let c = commit(w.epoch(), vec![advance(s, at, at + 10, received)]);
        w.catalog.commit(&c).await.unwrap();
    }
    let rows = w.catalog.ledger(None, None, None).await.unwrap();
    let spans: Vec<_> = rows.iter().map(|r| (r.interval.from, r.interval.to, r.received_from)).collect();
    assert_eq!(spans, [(0, 30, HOUR), (30, 50, 2 * HOUR), (50, 60, 5 * HOUR)]);
    let some = w.catalog.ledger(Some(ProjectId(1)), Some(2 * HOUR), Some(5 * HOUR)).await.unwrap();
    assert_eq!(some.iter().map(|r| r.interval.from).collect::<Vec<_>>(), [30]);
    let expected = (30..50).filter(|o| o % 3 == 0).count() as u64;
    assert_eq!(some[0].tally.total(), expected);
    assert!(w.catalog.ledger(Some(ProjectId(9)), None, None).await.unwrap().is_empty());
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn snapshots_of_the_past_stay_what_they_were() {
    let w = World::new().await;
    for at in [0, 10, 20] {
        let c = commit(w.epoch(), vec![advance(shard(0), at, at + 10, HOUR)]);
        w.catalog.commit(&c).await.unwrap();
    }
    let before = w.catalog.snapshot(ProjectId(1), Some(CommitSeq(2))).await.unwrap();
    let all = w.catalog.snapshot(ProjectId(1), None).await.unwrap();
    let merged = compaction(w.epoch(), &all.segments);
    assert_eq!(w.catalog.commit(&merged).await.unwrap(), CommitAnswer::Applied(CommitSeq(4)));

    assert_eq!(w.catalog.snapshot(ProjectId(1), Some(CommitSeq(2))).await.unwrap(), before);
    assert_eq!((before.segments.len(), &before.cursors[..]), (2, &[(shard(0), 20)][..]));
    assert_eq!(w.catalog.snapshot(ProjectId(1), None).await.unwrap().segments, merged.add);
    assert!(w.catalog.snapshot(ProjectId(1), Some(CommitSeq(0))).await.unwrap().segments.is_empty());
    let future = w.catalog.snapshot(ProjectId(1), Some(CommitSeq(5))).await;
    assert!(matches!(future, Err(CatalogError::UnknownSeq { .. })));
    assert_eq!(w.catalog.cursors_at(CommitSeq(1)).await.unwrap(), [(shard(0), 10)]);
    assert_sound(&w.catalog).await;
}

#[tokio::test]
async fn compactions_keep_every_row_and_conflict_on_what_is_gone() {
    let w = World::new().await;
    for at in [0, 10] {
        let c = commit(w.epoch(), vec![advance(shard(0), at, at + 10, HOUR)]);
        w.catalog.commit(&c).await.unwrap();
    }
    let inputs = w.catalog.snapshot(ProjectId(2), None).await.unwrap().segments;
    let compact = lease(&w.catalog, LeaseName::Compact, "me").await;

    let mut short = compaction(compact.epoch, &inputs);
    short.add[0] = segment(2, short.id, inputs[0].sources.clone());
    assert_eq!(broken(w.catalog.commit(&short).await), [InvariantId::I13]);
    let mut moved = compaction(compact.epoch, &inputs);
    moved.add[0].project = ProjectId(3);
    assert!(broken(w.catalog.commit(&moved).await).contains(&InvariantId::I13), "rows change their owner");

    let good = compaction(compact.epoch, &inputs);
    let again = compaction(compact.epoch, &inputs);
    assert_eq!(w.catalog.commit(&good).await.unwrap(), CommitAnswer::Applied(CommitSeq(3)));
    assert_eq!(
        w.catalog.commit(&again).await.unwrap(),
        CommitAnswer::Conflict { missing: inputs.iter().map(|s| s.id).collect() }
    );
    assert_eq!(w.catalog.feed(CommitSeq(2), 9).await.unwrap()[0].removed, good.remove);
    let stale = compaction(Epoch(999), &good.add);
    assert!(matches!(w.catalog.commit(&stale).await.unwrap(), CommitAnswer::Fenced { .. }));
    assert_sound(&w.catalog).await;

    // Garbage: only what was removed by then, and never what is live.
    assert!(w.catalog.removed_before(CommitSeq(2)).await.unwrap().is_empty());
    assert_eq!(w.catalog.removed_before(CommitSeq(3)).await.unwrap().len(), inputs.len());
    assert!(w.catalog.is_live(good.add[0].id).await.unwrap());
    assert!(!w.catalog.is_live(inputs[0].id).await.unwrap());
    assert!(!w.catalog.is_live(SegmentId(Uuid::new_v4())).await.unwrap());
    let asked = [inputs[0].id, good.add[0].id];
    assert_eq!(w.catalog.forget(&asked).await.unwrap(), 1);
    assert!(w.catalog.is_live(good.add[0].id).await.unwrap());
    assert_eq!(w.catalog.removed_before(CommitSeq(3)).await.unwrap().len(), inputs.len() - 1);
    assert!(w.catalog.live().await.unwrap().contains(&good.add[0]));
}

#[tokio::test]
async fn property_segments_need_no_advance_of_their_own() {
    let w = World::new().await;
    let mut c = commit(w.epoch(), vec![advance(shard(0), 0, 10, HOUR)]);
    let mut properties = segment(1, c.id, vec![]);
    (properties.kind, properties.rows) = (SegmentKind::Properties, 17);
    c.add.push(properties);
    assert_eq!(w.catalog.commit(&c).await.unwrap(), CommitAnswer::Applied(CommitSeq(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_committers_one_wins_each_step() {
    let w = World::new().await;
    let other = open(w.dir.path()).await;
    let mut applied = [0u64; 2];
    for step in 0..25u64 {
        let mine = commit(w.epoch(), vec![advance(shard(0), step * 3, step * 3 + 3, HOUR)]);
        let theirs = commit(w.epoch(), vec![advance(shard(0), step * 3, step * 3 + 3, HOUR)]);
        let (a, b) = tokio::join!(w.catalog.commit(&mine), other.commit(&theirs));
        let won: Vec<bool> =
            [a, b].into_iter().map(|r| matches!(r.unwrap(), CommitAnswer::Applied(_))).collect();
        assert_eq!(won.iter().filter(|w| **w).count(), 1);
        won.iter().zip(&mut applied).for_each(|(w, n)| *n += u64::from(*w));
        let shown = won.iter().position(|w| !w).map(|i| [&mine, &theirs][i].id).unwrap();
        assert_eq!(w.catalog.status(shown).await.unwrap(), None);
    }
    assert_eq!(applied.iter().sum::<u64>(), 25);
    assert_sound(&w.catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_commits_while_others_write() {
    let w = World::new().await;
    let (writer, epoch) = (w.catalog.clone(), w.epoch());
    let task = tokio::spawn(async move {
        for step in 0..40u64 {
            let c = commit(
                epoch,
                vec![
                    advance(shard(0), step * 7, step * 7 + 7, HOUR),
                    advance(shard(1), step, step + 1, HOUR),
                ],
            );
            writer.commit(&c).await.unwrap();
        }
    });
    let other = open(w.dir.path()).await;
    while !task.is_finished() {
        let s = other.snapshot(ProjectId(1), None).await.unwrap();
        let covered = |n| s.cursors.iter().find(|(x, _)| *x == shard(n)).map_or(0, |(_, c)| *c);
        assert_eq!(covered(0), s.seq.0 * 7);
        assert_eq!(covered(1), s.seq.0);
        let visible = |n, to| (0..to).filter(|o| o % 3 == 0 && o % 5 != 4).count() as u64 + n;
        let rows: u64 = s.segments.iter().map(|s| s.rows).sum();
        assert_eq!(rows, visible(0, covered(0)) + visible(0, covered(1)));
    }
    task.await.unwrap();
    assert_sound(&w.catalog).await;
}
