//! Many rounds of compaction over random data: nothing is gained, lost or changed, for any reader.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use support::{DAY_MS, Dice, LOG, PROJECT, SHARD, World, eager, normalise, rest};
use tallymark_catalog::{Garbage, LeaseAnswer, LeaseName, Leases, Snapshots};
use tallymark_compactor::{Collector, Compactor, CompactorConfig, Grace, PlanConfig, run};
use tallymark_ledger::{Fingerprint, SegmentKind, SegmentMeta};
use tallymark_model::{CommitId, SubjectId};
use tallymark_state::StateReader;
use tallymark_store::{SegmentReader, verify_segment};
use tokio_util::sync::CancellationToken;

fn sums(live: &[SegmentMeta], kind: SegmentKind) -> (u64, Fingerprint) {
    let of = live.iter().filter(|s| s.kind == kind);
    of.fold((0, Fingerprint::default()), |(rows, sum), s| (rows + s.rows, sum + s.fingerprint))
}

#[tokio::test]
async fn rows_stay_the_same_through_many_rounds() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path()).await;
        let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
        let mut dice = Dice(seed);
        let (mut rows, mut operations) = (Vec::new(), Vec::new());
        let mut worked = 0;
        for commit in 0..40 {
            let size = 1 + dice.below(150);
            // Late data: now and then rows of days long past.
            let days = if commit % 7 == 6 { 30 } else { 3 };
            let (more, more_operations) = world.ingest_some(&mut dice, size, days).await;
            rows.extend(more);
            operations.extend(more_operations);
            if commit % 3 == 0 {
                worked += rest(&mut compactor).await;
            }
        }
        worked += rest(&mut compactor).await;
        assert!(worked > 10, "seed {seed}: only {worked} merges");

        normalise(&mut rows);
        let found = world.visible().await;
        assert_eq!(found.0.len(), rows.len(), "seed {seed}");
        assert_eq!(found.0, rows, "seed {seed}");
        assert_eq!(found.1, operations, "seed {seed}");
        let live = world.live().await;
        let expected =
            rows.iter().fold(Fingerprint::default(), |sum, r| sum + Fingerprint::of(LOG, r.position));
        assert_eq!(sums(&live, SegmentKind::Events), (rows.len() as u64, expected));
        for segment in &live {
            verify_segment(&world.store, segment).unwrap();
        }
        check_levels(&world, &live).await;
    }
}

/// Level 2 files hold one day each, in order of (event, person, time, position).
async fn check_levels(world: &World, live: &[SegmentMeta]) {
    let reader = fold(world).await;
    let view = reader.snapshot(PROJECT).identity;
    let mut days = 0;
    for segment in live.iter().filter(|s| s.kind == SegmentKind::Events && s.identity.0 > 0) {
        let rows: Vec<_> =
            SegmentReader::open(&world.store, segment).unwrap().events().map(Result::unwrap).collect();
        let key = |r: &tallymark_store::EventRow| {
            let seq = tallymark_model::Seq::new(r.received_at, r.position);
            (r.event.clone(), view.person_of(r.subject, seq), r.time, r.position)
        };
        assert!(rows.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "{} is not sorted", segment.key);
        assert!(rows.iter().all(|r| key(r).1 != 0), "everybody is somebody");
        match segment.level {
            2 => {
                let day = segment.day.unwrap();
                assert!(rows.iter().all(|r| r.time.div_euclid(DAY_MS) == i64::from(day)));
                days += 1;
            }
            _ => assert_eq!(segment.day, None),
        }
    }
    assert!(days > 0, "no day was sealed");
}

async fn fold(world: &World) -> StateReader {
    use tallymark_catalog::Feed;
    let reader = StateReader::default();
    for commit in world.catalog.feed(Default::default(), 10_000).await.unwrap() {
        match commit.delta {
            Some(key) => {
                let delta = tallymark_state::Delta::decode(&world.store.get(&key).await.unwrap()).unwrap();
                reader.apply(commit.seq, &delta).unwrap();
            }
            None => {
                reader.pass(commit.seq, commit.id).unwrap();
            }
        }
    }
    reader
}

#[tokio::test]
async fn a_reader_of_an_old_snapshot_is_served_until_the_grace_period_ends() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(5);
    for _ in 0..6 {
        world.ingest_some(&mut dice, 50, 2).await;
    }
    let before = world.catalog.snapshot(PROJECT, None).await.unwrap();
    let rows = world.visible().await;
    let config = CompactorConfig { grace: std::time::Duration::from_secs(600), ..eager() };
    let mut compactor = Compactor::open(config, world.deps()).unwrap();
    assert!(rest(&mut compactor).await > 0);
    assert_eq!(compactor.collect().await.unwrap().replaced, 0);
    assert_eq!(world.visible_at(Some(before.seq)).await, rows, "the old snapshot still reads");
    assert_eq!(world.visible().await, rows);

    compactor.close().await.unwrap();
    let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
    rest(&mut compactor).await;
    let collected = compactor.collect().await.unwrap();
    let live: BTreeSet<String> = world.live().await.into_iter().map(|s| s.key).collect();
    assert_eq!(world.files().await.into_iter().collect::<BTreeSet<_>>(), live, "{collected:?}");
    assert_eq!(world.visible().await, rows);
}

#[tokio::test]
async fn only_garbage_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(9);
    world.ingest_some(&mut dice, 40, 1).await;
    let cursor = world.cursor().await;
    let commit = CommitId(uuid::Uuid::now_v7());
    let rows = |from: u64, dice: &mut Dice| -> Vec<_> {
        (from..from + 5).map(|o| support::event(dice, o, 1)).collect()
    };

    // A level 0 file whose commit can never be: the cursor has passed it.
    let late = world.prepare(&rows(cursor - 20, &mut dice), &[], commit).remove(0);
    let late = late.store(&world.store).await.unwrap();
    // One that is about to be committed: the cursor is exactly there.
    let coming = world.prepare(&rows(cursor, &mut dice), &[], commit).remove(0);
    let coming = coming.store(&world.store).await.unwrap();
    // Outputs of merges: of an earlier lease, and of the one that is held.
    let lease = |owner: &'static str| {
        let catalog = world.catalog.clone();
        async move {
            let granted =
                catalog.acquire(LeaseName::Compact, owner, std::time::Duration::from_secs(60)).await.unwrap();
            let LeaseAnswer::Granted(lease) = granted else { panic!("taken") };
            lease
        }
    };
    let old = lease("me").await;
    let current = lease("me").await;
    let merged = |epoch, from: u64, dice: &mut Dice| {
        let mut spec = tallymark_store::SegmentSpec::new(PROJECT, LOG, commit, epoch);
        spec.level = 1;
        tallymark_store::encode_events(&rows(from, dice), &spec).unwrap()
    };
    let orphan = merged(old.epoch, 0, &mut dice).store(&world.store).await.unwrap();
    let working = merged(current.epoch, 0, &mut dice).store(&world.store).await.unwrap();
    // Damage is evidence; other objects are none of the collector's business.
    world.store.put("segments/1/1/broken.parquet", "torn".into()).await.unwrap();
    world.store.put("other/object", "x".into()).await.unwrap();
    std::fs::write(dir.path().join("objects/segments/1/0/dead~1"), "torn").unwrap();

    let before: BTreeSet<String> = world.files().await.into_iter().collect();
    let grace = Grace { before: i64::MAX, commits: 0 };
    let collected =
        Collector::default().collect(&world.catalog, &world.store, current.epoch, grace).await.unwrap();
    assert_eq!((collected.orphans, collected.replaced, collected.unfinished), (2, 0, 1));
    let after: BTreeSet<String> = world.files().await.into_iter().collect();
    let gone: Vec<&String> = before.difference(&after).collect();
    assert_eq!(gone.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([&late.key, &orphan.key]));
    assert!(after.contains(&coming.key) && after.contains(&working.key));
    assert!(world.live().await.iter().all(|s| after.contains(&s.key)));
    assert_eq!(world.store.get("other/object").await.unwrap(), "x");
    assert_eq!(SHARD, late.sources[0].interval.shard);
}

#[tokio::test]
async fn a_damaged_file_stops_only_its_own_merge() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(3);
    for _ in 0..8 {
        world.ingest_some(&mut dice, 60, 2).await;
    }
    let victim = world.live().await.into_iter().find(|s| s.kind == SegmentKind::Events).unwrap();
    let path = dir.path().join("objects").join(&victim.key);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let mut compactor = Compactor::open(eager(), world.deps()).unwrap();
    let cancel = CancellationToken::new();
    let mut failures = 0;
    for _ in 0..100 {
        match compactor.round(&cancel).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failures += 1;
                assert!(error.to_string().contains(&victim.key), "{error}");
            }
        }
    }
    assert_eq!(failures, 1);
    let live = world.live().await;
    assert!(live.iter().any(|s| s.id == victim.id), "the damaged file stays");
    assert!(path.exists());
    assert!(live.iter().filter(|s| s.kind == SegmentKind::Events).count() < 8, "the others were merged");
}

#[tokio::test]
async fn the_loop_compacts_until_it_is_cancelled_and_returns_the_lease() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path()).await;
    let mut dice = Dice(4);
    for _ in 0..8 {
        world.ingest_some(&mut dice, 100, 1).await;
    }
    let rows = world.visible().await;
    let cancel = CancellationToken::new();
    let config = CompactorConfig { plan: PlanConfig { min_day_rows: 0, ..eager().plan }, ..eager() };
    let running = tokio::spawn(run(config, world.deps(), cancel.clone()));
    while !world.live().await.iter().any(|s| s.level == 2 && s.kind == SegmentKind::Events) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(world.visible().await, rows);
    let other =
        world.catalog.acquire(LeaseName::Compact, "other", std::time::Duration::from_secs(1)).await.unwrap();
    assert!(matches!(other, LeaseAnswer::Granted(_)), "the lease was given back");
    assert!(
        world.catalog.removed_before(world.catalog.snapshot(PROJECT, None).await.unwrap().seq).await.is_ok()
    );
    assert_ne!(SubjectId::NONE, rows.0[0].subject);
}
