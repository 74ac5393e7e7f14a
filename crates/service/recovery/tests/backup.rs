//! Backup and restore: consistent beside everything that goes on, incremental, and nothing damaged is ever taken for
//! good (X18).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use proptest::prelude::*;
use rig::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tallymark_catalog::{Feed, Settings};
use tallymark_log::LogReader;
use tallymark_model::{CommitSeq, Position};
use tallymark_recovery::backup::{
    At, BackupOptions, BackupReport, Inspect, KeepPolicy, RestoreReport, UNFINISHED, backup, backup_with,
    list_backups, open_target, rehearse, restore, restore_with,
};
use tallymark_recovery::copies::{CommitCopier, SettingsCopier};
use tallymark_recovery::failpoint::{CrashAt, Step};
use tallymark_recovery::{Places, RecoveryError};
use tallymark_store::ObjectStore;

async fn target(dir: &Path) -> ObjectStore {
    open_target(&dir.join("backups").display().to_string()).await.unwrap()
}

async fn take(i: &Instance, target: &ObjectStore) -> BackupReport {
    backup(&i.source(), target, &BackupOptions::default()).await.unwrap()
}

async fn some(i: &mut Instance, commits: usize) {
    for _ in 0..commits {
        i.send(30).await;
        i.process().await;
    }
}

async fn busy(dir: &Path) -> Instance {
    let mut i = Instance::new(&dir.join("data")).await;
    std::fs::write(i.places.root.join("throttle.json"), b"{\"rules\":[]}").unwrap();
    some(&mut i, 4).await;
    i.compact(1, true).await;
    CommitCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
    SettingsCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
    i
}

/// Opens what was restored, checks it against what was acknowledged up to the end of its log, and goes on with it.
async fn judge(places: &Places, sent: &BTreeMap<Position, String>, report: &RestoreReport) -> u64 {
    let mut restored = Instance::open(&places.root).await;
    restored.sent = sent.clone();
    assert_eq!(restored.catalog.latest_seq().await.unwrap(), report.seq);
    assert_eq!(restored.rows().await, restored.expected().await, "at the commit of the backup");
    restored.clock = START + 100 * DAY;
    restored.process().await;
    let mut within: BTreeMap<Position, String> = sent.clone();
    let mut lost = 0;
    for shard in shards() {
        let end = restored.log.bounds(shard).await.unwrap().end;
        within.retain(|p, _| p.shard() != shard || p.offset < end);
        lost += sent.keys().filter(|p| p.shard() == shard && p.offset >= end).count() as u64;
    }
    restored.sent = within;
    assert_eq!(restored.rows().await, restored.expected().await, "after what was in the log is processed");
    restored.send(12).await;
    restored.process().await;
    assert_eq!(restored.rows().await, restored.expected().await, "and it takes events");
    assert_eq!(restored.catalog.projects().await.unwrap().len(), 2);
    restored.stop().await;
    lost
}

fn places(dir: &Path, name: &str) -> Places {
    Places::below(&dir.join(name))
}

#[tokio::test]
async fn what_is_restored_answers_as_before_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    // Events that are acknowledged and not processed are in the log's tail.
    i.send(25).await;
    let target = target(dir.path()).await;
    let taken = take(&i, &target).await;
    assert_eq!((taken.manifest.seq, taken.retries), (CommitSeq(5), 0));
    assert_eq!(taken.manifest.newest_received, Some(i.clock));
    assert!(!i.places.root.join("scratch/catalog-snapshot.db").exists());
    let sent = i.sent.clone();
    // What happens afterwards is not in it.
    some(&mut i, 1).await;
    let into = places(dir.path(), "restored");
    let report = restore(&target, At::Newest, &into).await.unwrap();
    assert!(report.books.is_sound() && report.passed_by.is_empty());
    assert_eq!(report.files, taken.manifest.files);
    assert!(report.rpo_ms.is_some() && report.seconds >= report.copy_seconds);
    assert!(!into.root.join(UNFINISHED).exists());
    assert_eq!(std::fs::read(into.root.join("throttle.json")).unwrap(), b"{\"rules\":[]}");
    assert_eq!(judge(&into, &sent, &report).await, 0, "acknowledged before the backup and lost");
}

#[tokio::test]
async fn a_second_backup_writes_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let first = take(&i, &target).await;
    assert!(first.written_chunks > 10 && first.reused_files == 0);
    let again = take(&i, &target).await;
    // At most the catalog's snapshot differs.
    assert!(again.written_chunks <= 1, "{}", again.written_chunks);
    assert!(again.reused_files > 10);
    some(&mut i, 1).await;
    let third = take(&i, &target).await;
    assert!(third.written_chunks < 10 && third.manifest.seq == CommitSeq(6), "{}", third.written_chunks);
    assert_eq!(list_backups(&target).await.unwrap().len(), 3);
    for (n, at) in
        [At::Newest, At::Seq(CommitSeq(5)), At::Name(first.manifest.name.clone())].into_iter().enumerate()
    {
        let into = places(dir.path(), &format!("restored-{n}"));
        let report = restore(&target, at.clone(), &into).await.unwrap();
        let expected = match at {
            At::Newest => &third.manifest.name,
            At::Seq(_) => &again.manifest.name,
            At::Name(_) => &first.manifest.name,
        };
        assert_eq!(&report.name, expected);
        judge(&into, &i.sent, &report).await;
    }
    let none = restore(&target, At::Seq(CommitSeq(4)), &places(dir.path(), "none")).await;
    assert!(matches!(none, Err(RecoveryError::NoBackup { .. })));
}

#[tokio::test]
async fn the_log_alone_is_backed_up_on_top_of_the_last_backup() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let log_only = BackupOptions { log_only: true, ..BackupOptions::default() };
    let first = backup(&i.source(), &target, &log_only).await.unwrap();
    assert!(first.whole, "there is nothing to build on");
    // Commits and a compaction happen, and the newest events are in the log only.
    some(&mut i, 2).await;
    i.compact(2, true).await;
    i.send(9).await;
    let second = backup(&i.source(), &target, &log_only).await.unwrap();
    assert!(!second.whole && second.manifest.seq == first.manifest.seq);
    assert!(second.written_chunks <= 2, "{}", second.written_chunks);
    assert_eq!(second.manifest.newest_received, Some(i.clock));
    assert_eq!(second.manifest.whole_at, first.manifest.started_at);
    i.send(9).await;
    let third = backup(&i.source(), &target, &log_only).await.unwrap();
    assert!(!third.whole);
    let into = places(dir.path(), "restored");
    let report = restore(&target, At::Newest, &into).await.unwrap();
    assert_eq!(report.name, third.manifest.name);
    assert_eq!(judge(&into, &i.sent, &report).await, 0, "nothing acknowledged is lost");
    // The log moved on beyond the cursors of that backup: everything is backed up again.
    i.fill(3).await;
    i.process().await;
    i.checkpoint().await;
    let retention = tallymark_recovery::Retention { days: 0.0, ..Default::default() };
    let log: Arc<dyn LogReader> = Arc::new(i.log.clone());
    let catalog = Arc::new(i.catalog.clone());
    let archive = tallymark_recovery::archive::Archive::open(i.store.clone(), log.id()).await.unwrap();
    let keeper = tallymark_recovery::archive::Keeper::new(
        log,
        Some(archive),
        catalog,
        &i.places.state,
        retention,
        START + DAY,
    );
    assert!(keeper.round().await.unwrap().freed_bytes > 0);
    let fourth = backup(&i.source(), &target, &log_only).await.unwrap();
    assert!(fourth.whole && fourth.manifest.seq > first.manifest.seq);
    let into = places(dir.path(), "restored-again");
    let report = restore(&target, At::Newest, &into).await.unwrap();
    assert_eq!(judge(&into, &i.sent, &report).await, 0);
}

#[tokio::test]
async fn trimmed_logs_come_back_with_their_archive() {
    use tallymark_recovery::Retention;
    use tallymark_recovery::archive::{Archive, ArchivedLog, Keeper};
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    i.fill(5).await;
    i.process().await;
    i.checkpoint().await;
    let archive = Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap();
    let retention = Retention { days: 0.0, ..Retention::default() };
    let log: Arc<dyn LogReader> = Arc::new(i.log.clone());
    let keeper =
        Keeper::new(log, Some(archive), Arc::new(i.catalog.clone()), &i.places.state, retention, START + DAY);
    assert!(keeper.round().await.unwrap().freed_bytes > 0);
    let target = target(dir.path()).await;
    take(&i, &target).await;
    let into = places(dir.path(), "restored");
    let report = restore(&target, At::Newest, &into).await.unwrap();
    assert_eq!(judge(&into, &i.sent, &report).await, 0);
    let restored = Instance::open(&into.root).await;
    let archive = Archive::open(restored.store.clone(), LogReader::id(&i.log)).await.unwrap();
    let both = ArchivedLog::new(Arc::new(restored.log.clone()), archive);
    for shard in shards() {
        // What the permit gave up is known as such, and the archive has it.
        let (records, _) = read_to_end(&both, shard, 0).await;
        for (position, record) in records.iter().filter(|(p, _)| i.sent.contains_key(p)) {
            assert_eq!(body(record), i.sent[position]);
        }
        let causes: Vec<_> = read_all(&restored.log, shard, 0).await.1.iter().map(|g| g.2).collect();
        assert!(causes.iter().all(|c| *c == tallymark_ledger::GapCause::Trimmed), "{causes:?}");
    }
}

#[tokio::test]
async fn a_place_that_is_not_empty_or_not_ours_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    take(&i, &target).await;
    let full = places(dir.path(), "full");
    std::fs::create_dir_all(&full.root).unwrap();
    std::fs::write(full.root.join("precious"), b"data").unwrap();
    let refused = restore(&target, At::Newest, &full).await;
    assert!(matches!(refused, Err(RecoveryError::NotEmpty { .. })), "{refused:?}");
    assert_eq!(files_below(&full.root).len(), 1);
    // A running instance's own folder.
    assert!(matches!(restore(&target, At::Newest, &i.places).await, Err(RecoveryError::NotEmpty { .. })));
    // Another instance's target.
    let before = files_below(&dir.path().join("backups"));
    let other = Instance::new(&dir.path().join("other")).await;
    let foreign = backup(&other.source(), &target, &BackupOptions::default()).await;
    assert!(matches!(foreign, Err(RecoveryError::Foreign { .. })), "{foreign:?}");
    assert_eq!(files_below(&dir.path().join("backups")), before);
    assert!(
        restore(&tallymark_store::open("memory:").unwrap(), At::Newest, &places(dir.path(), "x"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn compaction_and_collection_meanwhile_do_not_tear_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    some(&mut i, 3).await;
    let target = target(dir.path()).await;
    // A compaction replaces segments of the snapshot and their files go at once, while objects are being copied.
    struct Meanwhile<'a>(&'a Instance, std::sync::atomic::AtomicU32);
    impl tallymark_recovery::failpoint::Failpoint for Meanwhile<'_> {
        fn crash_at(&self, step: Step) -> bool {
            let first =
                step == Step::BackupSnapshot && self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            if first {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(self.0.compact(2, true));
                });
            }
            false
        }
    }
    // The failpoint lives as long as the backup, which is awaited here; a thread of its own would need `'static`.
    let i: &'static Instance = Box::leak(Box::new(i));
    let source = i.source();
    let meanwhile = Arc::new(Meanwhile(i, Default::default()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let backed = {
        let target = target.clone();
        runtime
            .spawn(async move { backup_with(&source, &target, &BackupOptions::default(), meanwhile).await })
    };
    let report = backed.await.unwrap().unwrap();
    runtime.shutdown_background();
    assert_eq!(report.retries, 1);
    let into = places(dir.path(), "restored");
    let restored = restore(&target, At::Newest, &into).await.unwrap();
    judge(&into, &i.sent, &restored).await;
}

#[tokio::test]
async fn a_segment_that_is_lost_makes_the_backup_fail_not_be_half() {
    let dir = tempfile::tempdir().unwrap();
    let i = busy(dir.path()).await;
    use tallymark_catalog::Garbage;
    let victim = i.catalog.live().await.unwrap()[0].key.clone();
    i.store.delete(&victim).await.unwrap();
    let target = target(dir.path()).await;
    let failed = backup(&i.source(), &target, &BackupOptions::default()).await;
    assert!(matches!(&failed, Err(RecoveryError::Restless { what, .. }) if *what == victim), "{failed:?}");
    assert!(list_backups(&target).await.unwrap().is_empty());
}

#[tokio::test]
async fn killed_at_any_step_of_a_backup_the_older_one_stays_good_and_the_next_succeeds() {
    let steps = [
        Step::BackupSnapshot,
        Step::BackupChunk,
        Step::BackupStored,
        Step::BackupManifest,
        Step::BackupPruned,
    ];
    for step in steps {
        let dir = tempfile::tempdir().unwrap();
        let mut i = busy(dir.path()).await;
        let target = target(dir.path()).await;
        let options =
            BackupOptions { keep: KeepPolicy { newest: 1, hours: 0, days: 0 }, ..BackupOptions::default() };
        let first = backup(&i.source(), &target, &options).await.unwrap();
        some(&mut i, 2).await;
        let crash = Arc::new(CrashAt::new(step, 1));
        let stopped = backup_with(&i.source(), &target, &options, crash).await;
        assert!(matches!(stopped, Err(RecoveryError::Failpoint(s)) if s == step), "{step:?}");
        let into = places(dir.path(), "after-kill");
        let report = restore(&target, At::Newest, &into).await.unwrap();
        assert!(report.passed_by.is_empty(), "{step:?}: {:?}", report.passed_by);
        let done = matches!(step, Step::BackupManifest | Step::BackupPruned);
        assert_eq!(report.name == first.manifest.name, !done, "{step:?}");
        judge(&into, &i.sent, &report).await;
        let next = backup(&i.source(), &target, &options).await.unwrap();
        let left = list_backups(&target).await.unwrap();
        assert_eq!(left.iter().map(|b| &b.name).collect::<Vec<_>>(), [&next.manifest.name]);
        let into = places(dir.path(), "in-the-end");
        let report = restore(&target, At::Newest, &into).await.unwrap();
        assert_eq!(judge(&into, &i.sent, &report).await, 0);
    }
}

#[tokio::test]
async fn killed_at_any_step_of_a_restore_the_folder_says_so_and_the_next_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    take(&i, &target).await;
    let steps = [
        (Step::RestoreMarked, 1),
        (Step::RestoreFile, 1),
        (Step::RestoreFile, 7),
        (Step::RestoreFiles, 1),
        (Step::RestoreLog, 1),
        (Step::RestoreVerified, 1),
    ];
    for (n, (step, nth)) in steps.into_iter().enumerate() {
        let into = places(dir.path(), &format!("restored-{n}"));
        let crash = Arc::new(CrashAt::new(step, nth));
        let stopped = restore_with(&target, At::Newest, &into, crash).await;
        assert!(matches!(stopped, Err(RecoveryError::Failpoint(s)) if s == step), "{step:?}: {stopped:?}");
        assert!(into.root.join(UNFINISHED).exists(), "{step:?}: nobody may start on it");
        let report = restore(&target, At::Newest, &into).await.unwrap();
        assert_eq!(judge(&into, &i.sent, &report).await, 0);
    }
}

#[tokio::test]
async fn pruning_gives_space_back_and_what_stays_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let keep = KeepPolicy { newest: 2, hours: 0, days: 0 };
    let options = BackupOptions { keep, ..BackupOptions::default() };
    let mut sizes = Vec::new();
    for _ in 0..6 {
        some(&mut i, 1).await;
        i.compact(1, true).await;
        i.compact(2, true).await;
        backup(&i.source(), &target, &options).await.unwrap();
        sizes.push(target.list("chunks").await.unwrap().len());
    }
    assert_eq!(list_backups(&target).await.unwrap().len(), 2);
    for (n, info) in list_backups(&target).await.unwrap().into_iter().enumerate() {
        let into = places(dir.path(), &format!("restored-{n}"));
        let report = restore(&target, At::Name(info.name), &into).await.unwrap();
        judge(&into, &i.sent, &report).await;
    }
    // Segments that were merged away are not kept for ever.
    let growth = sizes[5] - sizes[2];
    assert!(growth < 3 * 20, "{sizes:?}");
}

#[tokio::test]
async fn an_instance_that_was_set_back_does_not_mix_its_files_with_those_of_the_other_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let early = take(&i, &target).await;
    // Only the log moves on, then commits too.
    i.send(40).await;
    take(&i, &target).await;
    some(&mut i, 3).await;
    CommitCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
    take(&i, &target).await;
    i.stop().await;
    let back = places(dir.path(), "back");
    restore(&target, At::Name(early.manifest.name), &back).await.unwrap();
    let mut second = Instance::open(&back.root).await;
    second.clock = START + 50 * DAY;
    for shard in shards() {
        for (position, record) in read_to_end(&second.log, shard, 0).await.0 {
            if matches!(record, tallymark_model::Record::Event(_)) {
                second.sent.insert(position, body(&record));
            }
        }
    }
    some(&mut second, 3).await;
    CommitCopier::open(second.catalog.clone(), second.store.clone()).await.unwrap().round().await.unwrap();
    take(&second, &target).await;
    let into = places(dir.path(), "again");
    let report = restore(&target, At::Newest, &into).await.unwrap();
    assert!(report.passed_by.is_empty(), "{:?}", report.passed_by);
    assert_eq!(judge(&into, &second.sent, &report).await, 0);
}

#[tokio::test]
async fn a_rehearsal_restores_verifies_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let scratch = dir.path().join("scratch");
    let none = rehearse(&target, &scratch, None).await.unwrap();
    assert!(!none.ok && none.problem.unwrap().contains("no usable backup"));
    take(&i, &target).await;
    let good = rehearse(&target, &scratch, None).await.unwrap();
    assert!(good.ok && good.restored.unwrap().books.is_sound() && good.backup_age_ms.is_some());
    let told = rehearse(&target, &scratch, Some(&Looks("watch.db is not in it"))).await.unwrap();
    assert!(!told.ok && told.problem.as_deref() == Some("watch.db is not in it"));
    assert!(told.restored.unwrap().books.is_sound(), "the events are restored all the same");
    let second = take(&i, &target).await;
    damage(&dir.path().join("backups/manifests").join(format!("{}.json", second.manifest.name)), 30);
    let bad = rehearse(&target, &scratch, None).await.unwrap();
    assert!(!bad.ok && bad.problem.unwrap().contains(&second.manifest.name) && bad.restored.is_some());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

/// Finds this in what was restored, and that it is there to be looked at.
struct Looks(&'static str);

#[async_trait::async_trait]
impl Inspect for Looks {
    async fn inspect(&self, restored: &Places) -> Vec<String> {
        assert!(restored.catalog.exists() && !restored.root.join(UNFINISHED).exists());
        vec![self.0.to_owned()]
    }
}

fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// Two backups with a commit between them.
struct Two {
    dir: tempfile::TempDir,
    target: ObjectStore,
    names: [String; 2],
    sent: BTreeMap<Position, String>,
    /// Files of the target, and which of them only the second needs.
    files: Vec<PathBuf>,
    only_second: Vec<PathBuf>,
}

async fn two() -> Two {
    let dir = tempfile::tempdir().unwrap();
    let mut i = busy(dir.path()).await;
    let target = target(dir.path()).await;
    let first = take(&i, &target).await.manifest.name;
    let before: Vec<PathBuf> = files_below(&dir.path().join("backups")).into_keys().collect();
    some(&mut i, 2).await;
    let second = take(&i, &target).await.manifest.name;
    let files: Vec<PathBuf> = files_below(&dir.path().join("backups")).into_keys().collect();
    let only_second = files.iter().filter(|f| !before.contains(f)).cloned().collect();
    Two { sent: i.sent.clone(), dir, target, names: [first, second], files, only_second }
}

impl Two {
    fn path(&self, file: &Path) -> PathBuf {
        self.dir.path().join("backups").join(file)
    }

    /// Restores; whatever comes out is right, and what is damaged is not taken.
    async fn judge(&self, what: &str) -> Option<RestoreReport> {
        let into = places(self.dir.path(), &format!("restored-{}", uuid::Uuid::new_v4()));
        match restore(&self.target, At::Newest, &into).await {
            Ok(report) => {
                judge(&into, &self.sent, &report).await;
                std::fs::remove_dir_all(&into.root).unwrap();
                Some(report)
            }
            Err(RecoveryError::NoBackup { problems, .. }) => {
                assert_eq!(problems.len(), 2, "{what}: {problems:?}");
                let left = std::fs::read_dir(&into.root).map_or(0, |d| d.count());
                assert_eq!(left, 0, "{what}: nothing is left of what was not good");
                None
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }
}

#[tokio::test]
async fn any_file_of_the_newest_backup_flipped_or_gone_makes_the_one_before_be_taken() {
    let two = two().await;
    assert!(two.only_second.len() > 6);
    for file in &two.only_second {
        let path = two.path(file);
        let whole = std::fs::read(&path).unwrap();
        for harm in ["flip", "cut", "gone"] {
            match harm {
                "flip" => damage(&path, whole.len() / 2),
                "cut" => std::fs::write(&path, &whole[..whole.len() - 1]).unwrap(),
                _ => std::fs::remove_file(&path).unwrap(),
            }
            let what = format!("{harm} {}", file.display());
            let report = two.judge(&what).await.expect("the first is good");
            assert_eq!(report.name, two.names[0], "{what}");
            let is_manifest = file.starts_with("manifests");
            assert_eq!(report.passed_by.len(), usize::from(!(is_manifest && harm == "gone")), "{what}");
            std::fs::write(&path, &whole).unwrap();
        }
    }
    assert_eq!(two.judge("mended").await.unwrap().name, two.names[1]);
}

#[tokio::test]
async fn files_swapped_between_two_backups_are_noticed() {
    let two = two().await;
    let manifests: Vec<PathBuf> =
        two.names.iter().map(|n| two.path(&PathBuf::from(format!("manifests/{n}.json")))).collect();
    let (a, b) = (std::fs::read(&manifests[0]).unwrap(), std::fs::read(&manifests[1]).unwrap());
    std::fs::write(&manifests[0], &b).unwrap();
    std::fs::write(&manifests[1], &a).unwrap();
    assert!(two.judge("manifests swapped").await.is_none(), "neither is what its name says");
    std::fs::write(&manifests[0], &a).unwrap();
    std::fs::write(&manifests[1], &b).unwrap();
    // Every piece of the second in the place of another.
    let pieces: Vec<&PathBuf> = two.only_second.iter().filter(|f| f.starts_with("chunks")).collect();
    for pair in pieces.windows(2).take(6) {
        let (x, y) = (two.path(pair[0]), two.path(pair[1]));
        let (p, q) = (std::fs::read(&x).unwrap(), std::fs::read(&y).unwrap());
        std::fs::write(&x, &q).unwrap();
        std::fs::write(&y, &p).unwrap();
        assert_eq!(two.judge("pieces swapped").await.unwrap().name, two.names[0]);
        std::fs::write(&x, &p).unwrap();
        std::fs::write(&y, &q).unwrap();
    }
    // A later backup makes the damaged one's files whole again, because it writes what is not there.
    assert_eq!(two.judge("mended").await.unwrap().name, two.names[1]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_flipped_nothing_wrong_is_ever_restored(
        harm in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8..=255), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let two = two().await;
            for (file, at, flip) in &harm {
                let path = two.path(&two.files[file.index(two.files.len())]);
                let mut bytes = std::fs::read(&path).unwrap();
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
                std::fs::write(&path, bytes).unwrap();
            }
            // Right or refused; `judge` fails on anything else.
            two.judge("random").await;
        });
    }
}

#[tokio::test]
async fn a_list_that_leads_out_of_the_folder_is_damage() {
    let two = two().await;
    // Somebody who can write the target makes a list and a manifest that fit, naming a file elsewhere.
    use sha2::{Digest, Sha256};
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let list = br#"[{"path":"../../evil","bytes":0,"chunks":[]}]"#;
    let sha = hex(list);
    two.target.put(&format!("lists/{}/{sha}.json", &sha[..2]), Bytes::from_static(list)).await.unwrap();
    let key = format!("manifests/{}.json", two.names[1]);
    let manifest: serde_json::Value = serde_json::from_slice(&two.target.get(&key).await.unwrap()).unwrap();
    let mut body = manifest["body"].clone();
    body["lists"] = serde_json::json!([{"group": "x", "sha256": sha, "files": 1}]);
    let text = body.to_string();
    let sealed = format!("{{\"format\":1,\"sha256\":\"{}\",\"body\":{text}}}", hex(text.as_bytes()));
    two.target.put(&key, Bytes::from(sealed)).await.unwrap();
    let report = two.judge("leads out").await.unwrap();
    assert!(report.passed_by[0].problem.contains("not a path within"), "{:?}", report.passed_by);
    assert!(!two.dir.path().join("evil").exists() && !two.dir.path().parent().unwrap().join("evil").exists());
}
