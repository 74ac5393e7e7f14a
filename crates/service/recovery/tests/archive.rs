//! The raw archive: nothing goes from the log that is not kept elsewhere and accounted, and what went is read back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use proptest::prelude::*;
use rig::*;
use std::sync::Arc;
use tallymark_ledger::GapCause;
use tallymark_log::LogReader;
use tallymark_model::{Lane, Position, Shard};
use tallymark_recovery::archive::{Archive, ArchivedLog, Keeper};
use tallymark_recovery::failpoint::{CrashAt, Step};
use tallymark_recovery::{Floors, RecoveryError, Retention};

const LIVE0: Shard = Shard { lane: Lane::Live, partition: 0 };

async fn archive(i: &Instance) -> Archive {
    Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap()
}

fn keeper(i: &Instance, archive: Option<Archive>, days: f64) -> Keeper {
    let retention = Retention { days, ..Retention::default() };
    let log: Arc<dyn LogReader> = Arc::new(i.log.clone());
    Keeper::new(log, archive, Arc::new(i.catalog.clone()), &i.places.state, retention, START + 365 * DAY)
}

/// Everything that was acknowledged, through the archive.
async fn assert_whole(i: &Instance, archive: Archive) {
    let both = ArchivedLog::new(Arc::new(i.log.clone()), archive);
    let mut found = Vec::new();
    for shard in shards() {
        let start = both.bounds(shard).await.unwrap().start;
        assert_eq!(start, 0, "{shard}: the archive begins where the log began");
        found.extend(read_to_end(&both, shard, 0).await.0);
    }
    let events = found.iter().filter(|(_, r)| matches!(r, tallymark_model::Record::Event(_)));
    let found: Vec<(Position, String)> = events.map(|(p, r)| (*p, body(r))).collect();
    let sent: Vec<(Position, String)> = i.sent.iter().map(|(p, b)| (*p, b.clone())).collect();
    assert_eq!(found, sent);
}

#[tokio::test]
async fn what_was_archived_and_trimmed_reads_back_by_position() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(6).await;
    i.process().await;
    i.checkpoint().await;
    let archive = archive(&i).await;
    let before = i.log.usage().await.unwrap().log_bytes;
    let report = keeper(&i, Some(archive.clone()), 0.0).round().await.unwrap();
    assert!(report.uploaded.files >= 6 && report.freed_bytes > before / 2, "{report:?}");
    assert!(report.held.is_empty(), "{:?}", report.held);
    let trimmed = i.log.bounds(LIVE0).await.unwrap().start;
    assert!(trimmed > 0);
    assert_eq!(read_all(&i.log, LIVE0, 0).await.1, [(0, trimmed, GapCause::Trimmed)]);
    assert_whole(&i, archive.clone()).await;
    // Another process that starts now sees the same.
    assert_whole(&i, Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap()).await;
    // Nothing to do twice.
    let again = keeper(&i, Some(archive), 0.0).round().await.unwrap();
    assert_eq!((again.uploaded.files, again.freed_bytes), (0, 0));
}

#[tokio::test]
async fn what_is_not_accounted_or_skipped_or_not_in_a_checkpoint_stays_and_it_is_said_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(4).await;
    let archive = archive(&i).await;
    let keeper = keeper(&i, Some(archive.clone()), 0.0);
    let nothing_goes = |report: &tallymark_recovery::archive::KeepReport, why: &str| {
        assert!(report.held.iter().any(|h| h.because.contains(why)), "{why}: {:?}", report.held);
    };
    // Processing is down, however old the log is.
    nothing_goes(&keeper.round().await.unwrap(), "not accounted");
    i.skip(LIVE0, 5).await;
    i.process().await;
    nothing_goes(&keeper.round().await.unwrap(), "checkpointed to offset 0");
    // A skipped record at the beginning holds everything behind it: it is to be replayed.
    i.checkpoint().await;
    nothing_goes(&keeper.round().await.unwrap(), "pending or skipped");
    // Files hold all partitions of a lane, so the other one is held with it.
    for shard in shards().filter(|s| s.lane == Lane::Live) {
        assert_eq!(i.log.bounds(shard).await.unwrap().start, 0);
    }
}

#[tokio::test]
async fn without_an_archive_entry_nothing_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(4).await;
    i.process().await;
    i.checkpoint().await;
    let archive = archive(&i).await;
    archive.upload(&i.log).await.unwrap();
    // An entry is lost: what it stood for is held, and so is everything behind it.
    let second = archive.of_lane(Lane::Live)[1].clone();
    i.store.delete(&format!("archive/live/{}.json", second.name)).await.unwrap();
    let broken = CrashAt::new(Step::ArchiveStored, 1);
    let fresh =
        Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap().with_failpoint(Arc::new(broken));
    let keep = keeper(&i, Some(fresh.clone()), 0.0);
    assert!(matches!(keep.round().await, Err(RecoveryError::Failpoint(Step::ArchiveStored))));
    assert_eq!(i.log.bounds(LIVE0).await.unwrap().start, 0, "archiving comes first");
    assert_eq!(fresh.reaches(LIVE0, 0), second.ranges[0].0);
    // The next round archives it again.
    let report = keep.round().await.unwrap();
    assert_eq!(report.uploaded.files, 1);
    assert!(report.freed_bytes > 0);
    assert_whole(&i, fresh).await;
}

#[tokio::test]
async fn young_records_stay_and_a_jumping_clock_makes_nothing_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(4).await;
    i.process().await;
    i.checkpoint().await;
    let archive = archive(&i).await;
    // The wall clock says a year later; the log's own time has moved by minutes.
    let report = keeper(&i, Some(archive.clone()), 7.0).round().await.unwrap();
    assert_eq!((report.freed_bytes, report.held.len()), (0, 0));
    // Eight days later in the log, what was there before goes.
    i.clock += 8 * DAY;
    let files = i.log.sealed().await.unwrap().len();
    i.fill(files + 2).await;
    i.process().await;
    i.checkpoint().await;
    // The clock went back a year: held.
    let back = Keeper::new(
        Arc::new(i.log.clone()),
        Some(archive.clone()),
        Arc::new(i.catalog.clone()),
        &i.places.state,
        Retention::default(),
        START - 365 * DAY,
    );
    assert_eq!(back.round().await.unwrap().freed_bytes, 0);
    let report = keeper(&i, Some(archive.clone()), 7.0).round().await.unwrap();
    assert!(report.freed_bytes > 0);
    let start = i.log.bounds(LIVE0).await.unwrap().start;
    let oldest =
        i.sent.iter().filter(|(p, _)| p.shard() == LIVE0 && p.offset >= start).map(|(p, _)| p.offset).min();
    assert_eq!(oldest, Some(start));
    assert_whole(&i, archive).await;
}

#[tokio::test]
async fn killed_at_any_step_it_goes_on_and_nothing_is_lost() {
    for step in [Step::ArchiveStored, Step::ArchiveEntered, Step::TrimPermitted] {
        for nth in 1..4 {
            let dir = tempfile::tempdir().unwrap();
            let mut i = Instance::new(dir.path()).await;
            i.fill(5).await;
            i.process().await;
            i.checkpoint().await;
            let id = LogReader::id(&i.log);
            let crash = Arc::new(CrashAt::new(step, nth));
            let dying = Archive::open(i.store.clone(), id).await.unwrap().with_failpoint(crash.clone());
            let stopped = keeper(&i, Some(dying), 0.0).with_failpoint(crash).round().await;
            assert!(
                matches!(stopped, Err(RecoveryError::Failpoint(s)) if s == step),
                "{step:?} {nth}: {stopped:?}"
            );
            assert_whole(&i, archive(&i).await).await;
            let after = archive(&i).await;
            keeper(&i, Some(after.clone()), 0.0).round().await.unwrap();
            assert_whole(&i, after).await;
            assert!(i.log.bounds(LIVE0).await.unwrap().start > 0);
        }
    }
}

#[tokio::test]
async fn a_file_that_vanished_or_was_damaged_is_read_from_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(5).await;
    let archive = archive(&i).await;
    archive.upload(&i.log).await.unwrap();
    let sealed = i.log.sealed().await.unwrap();
    let live: Vec<_> = sealed.iter().filter(|f| f.lane == Lane::Live).collect();
    std::fs::remove_file(&live[0].path).unwrap();
    let mut bytes = std::fs::read(&live[2].path).unwrap();
    bytes[9_000..9_600].fill(0xff);
    std::fs::write(&live[2].path, bytes).unwrap();
    let fresh = tallymark_log::file::FileLog::open_reader(&i.places.log, &log_config()).unwrap();
    let causes: Vec<GapCause> = read_all(&fresh, LIVE0, 0).await.1.iter().map(|g| g.2).collect();
    assert_eq!(causes, [GapCause::Missing, GapCause::Corrupt]);
    i.log = fresh;
    assert_whole(&i, archive).await;
}

#[tokio::test]
async fn a_damaged_archive_is_a_gap_and_never_a_wrong_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    i.fill(5).await;
    i.process().await;
    i.checkpoint().await;
    let archive = archive(&i).await;
    keeper(&i, Some(archive.clone()), 0.0).round().await.unwrap();
    let entries = archive.of_lane(Lane::Live);
    let (damaged, missing) = (entries[0].clone(), entries[2].clone());
    let stored = i.store.get(&damaged.key()).await.unwrap();
    let mut bytes = stored.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    i.store.put(&damaged.key(), Bytes::from(bytes)).await.unwrap();
    i.store.delete(&missing.key()).await.unwrap();
    let both = ArchivedLog::new(Arc::new(i.log.clone()), archive.clone());
    let (records, gaps, end) = read_all(&both, LIVE0, 0).await;
    let of =
        |e: &tallymark_recovery::archive::ArchivedEntry| (e.ranges[0].0, e.ranges[0].1, GapCause::Trimmed);
    assert_eq!(gaps, [of(&damaged), of(&missing)]);
    let lost: u64 = gaps.iter().map(|(from, to, _)| to - from).sum();
    assert_eq!(records.len() as u64 + lost, end);
    for (position, record) in &records {
        assert_eq!(&body(record), i.sent.get(position).map_or("control", String::as_str));
    }
    // Two files swapped.
    let (a, b) = (&entries[1], &entries[3]);
    let (x, y) = (i.store.get(&a.key()).await.unwrap(), i.store.get(&b.key()).await.unwrap());
    i.store.put(&a.key(), y).await.unwrap();
    i.store.put(&b.key(), x).await.unwrap();
    assert!(matches!(archive.fetch(a).await, Err(RecoveryError::Damaged { .. })));
}

#[tokio::test]
async fn another_logs_archive_is_refused_and_so_are_settings_that_forget() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(&dir.path().join("a")).await;
    i.fill(3).await;
    archive(&i).await.upload(&i.log).await.unwrap();
    let other = Instance::new(&dir.path().join("b")).await;
    let foreign = Archive::open(i.store.clone(), LogReader::id(&other.log)).await;
    assert!(matches!(foreign.err(), Some(RecoveryError::Foreign { .. })));
    let mixed = archive(&i).await.upload(&other.log).await;
    assert!(matches!(mixed.err(), Some(RecoveryError::Foreign { .. })));
    assert!(Retention { days: 0.1, ..Retention::default() }.check(&Floors::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    /// Whatever the order of sending, processing, keeping and dying: everything acknowledged is there.
    #[test]
    fn whatever_happens_everything_acknowledged_is_there(
        steps in proptest::collection::vec((0u8..6, 0usize..3, 1u32..4), 4..14),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut i = Instance::new(dir.path()).await;
            i.fill(2).await;
            for (what, step, nth) in steps {
                match what {
                    0 | 1 => {
                        let files = i.log.sealed().await.unwrap().len();
                        i.fill(files + 1).await;
                    }
                    2 => { i.process().await; }
                    3 => i.checkpoint().await,
                    _ => {
                        let step = [Step::ArchiveStored, Step::ArchiveEntered, Step::TrimPermitted][step];
                        let crash = Arc::new(CrashAt::new(step, if what == 4 { nth } else { u32::MAX }));
                        let a = archive(&i).await.with_failpoint(crash.clone());
                        let _ = keeper(&i, Some(a), 0.0).with_failpoint(crash).round().await;
                    }
                }
            }
            assert_whole(&i, archive(&i).await).await;
        });
    }
}
