//! Every step of archiving, copying, rebuilding, backing up and restoring, killed for real: a process that aborts there,
//! and another one that does the work again.
//!
//! A test without the usual harness, because it starts itself as the process that dies.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod rig;

use rig::*;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use tallymark_log::LogReader;
use tallymark_model::{Position, Record};
use tallymark_recovery::archive::{Archive, ArchivedLog, Keeper};
use tallymark_recovery::backup::{
    At, BackupOptions, KeepPolicy, UNFINISHED, backup, list_backups, open_target, restore,
};
use tallymark_recovery::copies::{CommitCopier, SettingsCopier};
use tallymark_recovery::failpoint::{EnvFailpoint, Step};
use tallymark_recovery::rebuild::rebuild_catalog;
use tallymark_recovery::{Places, Retention};

const CHILD: &str = "TALLYMARK_RECOVERY_KILL_TEST";
const SIGABRT: i32 = 6;

fn main() {
    if std::env::args().any(|arg| arg == "--list") {
        // Test runners ask for names first.
        println!("every_step_can_be_killed: test");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match std::env::var(CHILD) {
        Ok(job) => {
            let (job, dir) = job.split_once(':').unwrap();
            runtime.block_on(work(job, Path::new(dir)));
        }
        Err(_) => runtime.block_on(parent()),
    }
}

/// The work that is to be killed. The environment says where.
async fn work(job: &str, dir: &Path) {
    let data = dir.join("data");
    let failpoint = Arc::new(EnvFailpoint::from_env());
    match job {
        "restore" => {
            let target = open_target(&dir.join("backups").display().to_string()).await.unwrap();
            restore(&target, At::Newest, &Places::below(&dir.join("restored"))).await.unwrap();
            return;
        }
        "rebuild" => {
            rebuild_catalog(&Places::below(&data)).await.unwrap();
            return;
        }
        _ => {}
    }
    let i = Instance::open(&data).await;
    match job {
        "keep" => {
            let archive = Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap();
            let retention = Retention { days: 0.0, ..Retention::default() };
            let log: Arc<dyn LogReader> = Arc::new(i.log.clone());
            let catalog = Arc::new(i.catalog.clone());
            let archive = archive.with_failpoint(failpoint.clone());
            let keeper =
                Keeper::new(log, Some(archive), catalog, &i.places.state, retention, START + 365 * DAY);
            keeper.with_failpoint(failpoint).round().await.unwrap();
        }
        "copy" => {
            let commits = CommitCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap();
            commits.with_failpoint(failpoint.clone()).round().await.unwrap();
            let settings = SettingsCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap();
            settings.with_failpoint(failpoint).round().await.unwrap();
        }
        "backup" => {
            let target = open_target(&dir.join("backups").display().to_string()).await.unwrap();
            let keep = KeepPolicy { newest: 1, hours: 0, days: 0 };
            let options = BackupOptions { keep, ..BackupOptions::default() };
            backup(&i.source(), &target, &options).await.unwrap();
        }
        other => panic!("no such work: {other}"),
    }
}

fn job_of(step: Step) -> &'static str {
    match step {
        Step::ArchiveStored | Step::ArchiveEntered | Step::TrimPermitted => "keep",
        Step::CommitCopied | Step::SettingsCopied => "copy",
        Step::RebuildBuilt | Step::RebuildVerified | Step::RebuildAside | Step::RebuildSwitched => "rebuild",
        Step::BackupSnapshot
        | Step::BackupChunk
        | Step::BackupStored
        | Step::BackupManifest
        | Step::BackupPruned => "backup",
        Step::RestoreMarked
        | Step::RestoreFile
        | Step::RestoreFiles
        | Step::RestoreLog
        | Step::RestoreVerified => "restore",
    }
}

fn run(job: &str, dir: &Path, step: Option<Step>) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.env(CHILD, format!("{job}:{}", dir.display())).env_remove("TALLYMARK_FAILPOINT");
    if let Some(step) = step {
        child.env("TALLYMARK_FAILPOINT", step.name());
    }
    child.status().unwrap()
}

async fn parent() {
    println!("running 1 test");
    for step in Step::ALL {
        let (dir, sent) = history().await;
        let job = job_of(step);
        if job == "restore" {
            assert!(run("backup", dir.path(), None).success());
        }
        let died = run(job, dir.path(), Some(step));
        assert_eq!(died.signal(), Some(SIGABRT), "{step:?}: {died}");
        if job == "restore" {
            assert!(
                dir.path().join("restored").join(UNFINISHED).exists(),
                "{step:?}: nobody may start on it"
            );
        } else {
            judge(&dir.path().join("data"), &sent, step).await;
        }
        assert!(run(job, dir.path(), None).success(), "{step:?}: the next one gets through");
        judge(&dir.path().join("data"), &sent, step).await;
        if job == "restore" {
            judge(&dir.path().join("restored"), &sent, step).await;
        }
        if job == "backup" {
            let target = open_target(&dir.path().join("backups").display().to_string()).await.unwrap();
            assert_eq!(list_backups(&target).await.unwrap().len(), 1, "{step:?}");
            let into = dir.path().join("from-it");
            restore(&target, At::Newest, &Places::below(&into)).await.unwrap();
            judge(&into, &sent, step).await;
        }
    }
    println!("test every_step_can_be_killed ... ok: {} steps, 0 lost, 0 doubled", Step::ALL.len());
}

/// An instance with some history, copies that lag by a commit, and a backup from before that.
async fn history() -> (tempfile::TempDir, BTreeMap<Position, String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(&dir.path().join("data")).await;
    i.fill(3).await;
    i.process().await;
    i.checkpoint().await;
    i.send(30).await;
    i.process().await;
    i.compact(1, true).await;
    let (places, sent) = i.stop().await;
    assert!(run("copy", dir.path(), None).success());
    assert!(run("backup", dir.path(), None).success());
    let mut i = Instance::open(&places.root).await;
    (i.sent, i.clock) = (sent, START + DAY);
    i.send(30).await;
    i.process().await;
    i.catalog.note("test", "something to copy").await.unwrap();
    let (_, sent) = i.stop().await;
    (dir, sent)
}

/// Everything acknowledged is there once, in the log or its archive and in the rows.
async fn judge(root: &Path, sent: &BTreeMap<Position, String>, step: Step) {
    let mut i = Instance::open(root).await;
    i.sent = sent.clone();
    i.process().await;
    assert_eq!(i.rows().await, i.expected().await, "{step:?}");
    let archive = Archive::open(i.store.clone(), LogReader::id(&i.log)).await.unwrap();
    let both = ArchivedLog::new(Arc::new(i.log.clone()), archive);
    let mut found = BTreeMap::new();
    for shard in shards() {
        let (records, _) = read_to_end(&both, shard, 0).await;
        let events = records.iter().filter(|(_, r)| matches!(r, Record::Event(_)));
        found.extend(events.map(|(p, r)| (*p, body(r))));
    }
    assert_eq!(&found, sent, "{step:?}");
    i.stop().await;
}
