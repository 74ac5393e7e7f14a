//! Copies of commits and settings: complete, in order, soon, and never mixed with another history's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use rig::*;
use std::sync::Arc;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Feed, NewProject, Settings};
use tallymark_model::CommitSeq;
use tallymark_recovery::RecoveryError;
use tallymark_recovery::copies::{
    CommitCopier, CopyState, SettingsCopier, check_not_lost, commit_key, newest_settings, read_commit,
};
use tallymark_recovery::failpoint::{CrashAt, Step};
use tokio_util::sync::CancellationToken;

async fn commits(i: &Instance) -> CommitCopier {
    CommitCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap()
}

async fn assert_copied(i: &Instance) {
    let feed = i.catalog.feed(CommitSeq(0), 10_000).await.unwrap();
    for mut record in feed {
        record.added.sort_by_key(|s| s.id);
        assert_eq!(read_commit(&i.store, record.seq).await.unwrap(), Some(record));
    }
    let next = CommitSeq(i.catalog.latest_seq().await.unwrap().0 + 1);
    assert_eq!(read_commit(&i.store, next).await.unwrap(), None);
}

async fn some_commits(i: &mut Instance, n: usize) {
    for _ in 0..n {
        i.send(7).await;
        i.process().await;
    }
}

#[tokio::test]
async fn every_commit_is_copied_whole_and_how_far_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    some_commits(&mut i, 5).await;
    let mut copier = commits(&i).await;
    assert_eq!(copier.state(), CopyState::default());
    let state = copier.round().await.unwrap();
    assert_eq!((state.copied, state.latest, state.lag_ms), (CommitSeq(5), CommitSeq(5), 0));
    some_commits(&mut i, 3).await;
    i.compact(1, false).await;
    copier.round().await.unwrap();
    assert_copied(&i).await;
    // Another process goes on where this one was.
    some_commits(&mut i, 2).await;
    let mut next = commits(&i).await;
    assert_eq!(next.state().copied, CommitSeq(9));
    next.round().await.unwrap();
    assert_copied(&i).await;
    // Copies are the same bytes whoever makes them.
    let before = i.store.get(&commit_key(CommitSeq(4))).await.unwrap();
    i.store.delete(&commit_key(CommitSeq(4))).await.unwrap();
    commits(&i).await.round().await.unwrap();
    assert_eq!(i.store.get(&commit_key(CommitSeq(4))).await.unwrap(), before);
}

#[tokio::test]
async fn killed_after_any_copy_the_copies_are_a_prefix_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    some_commits(&mut i, 6).await;
    for nth in [1, 2, 3] {
        let mut dying = commits(&i).await.with_failpoint(Arc::new(CrashAt::new(Step::CommitCopied, nth)));
        let stopped = dying.round().await;
        if nth < 3 {
            assert!(matches!(stopped, Err(RecoveryError::Failpoint(_))));
        }
        let copied = commits(&i).await.state().copied.0;
        for seq in 1..=6 {
            assert_eq!(read_commit(&i.store, CommitSeq(seq)).await.unwrap().is_some(), seq <= copied);
        }
    }
    commits(&i).await.round().await.unwrap();
    assert_copied(&i).await;
}

#[tokio::test]
async fn a_damaged_or_swapped_copy_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    some_commits(&mut i, 3).await;
    commits(&i).await.round().await.unwrap();
    let (second, third) = (commit_key(CommitSeq(2)), commit_key(CommitSeq(3)));
    let bytes = i.store.get(&second).await.unwrap();
    let mut damaged = bytes.to_vec();
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    i.store.put(&second, Bytes::from(damaged)).await.unwrap();
    assert!(matches!(read_commit(&i.store, CommitSeq(2)).await, Err(RecoveryError::Damaged { .. })));
    i.store.put(&third, bytes).await.unwrap();
    let swapped = read_commit(&i.store, CommitSeq(3)).await.unwrap_err().to_string();
    assert!(swapped.contains("it is commit 2"), "{swapped}");
    // The newest copy does not agree with the catalog, so everything from the first that does not is made again.
    commits(&i).await.round().await.unwrap();
    assert_copied(&i).await;
}

#[tokio::test]
async fn a_history_that_was_left_behind_is_moved_aside_not_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    some_commits(&mut i, 3).await;
    let earlier = dir.path().join("earlier.db");
    i.catalog.snapshot_into(&earlier).await.unwrap();
    some_commits(&mut i, 3).await;
    commits(&i).await.round().await.unwrap();
    let abandoned = i.store.get(&commit_key(CommitSeq(5))).await.unwrap();
    // The catalog goes back to the earlier point and on from there.
    i.catalog.close().await;
    i.catalog = SqliteCatalog::open(&earlier, OpenMode::Existing).await.unwrap();
    i.lease = lease(&i.catalog).await;
    i.send(5).await;
    i.process().await;
    commits(&i).await.round().await.unwrap();
    assert_copied(&i).await;
    let left = i.store.list("commits-left").await.unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(i.store.get(&left[1].key).await.unwrap(), abandoned, "kept as evidence");
}

#[tokio::test]
async fn an_emptied_catalog_is_noticed_and_its_copies_stay_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    check_not_lost(&i.catalog, &i.store).await.unwrap();
    some_commits(&mut i, 4).await;
    commits(&i).await.round().await.unwrap();
    check_not_lost(&i.catalog, &i.store).await.unwrap();
    let empty = SqliteCatalog::open(&dir.path().join("empty.db"), OpenMode::Create).await.unwrap();
    let lost = check_not_lost(&empty, &i.store).await;
    assert!(matches!(lost, Err(RecoveryError::CatalogLost { copied: 4 })), "{lost:?}");
    assert!(CommitCopier::open(empty.clone(), i.store.clone()).await.is_err());
    assert_copied(&i).await;
}

#[tokio::test]
async fn settings_are_copied_when_they_change_and_the_newest_whole_copy_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    let open = |i: &Instance| SettingsCopier::open(i.catalog.clone(), i.store.clone());
    let mut copier = open(&i).await.unwrap();
    assert!(copier.round().await.unwrap());
    assert!(!copier.round().await.unwrap(), "nothing changed");
    some_commits(&mut i, 2).await;
    assert!(!copier.round().await.unwrap(), "commits are no settings");
    assert!(!open(&i).await.unwrap().round().await.unwrap(), "another process knows too");
    i.catalog.create_project(NewProject { name: "third".into(), ..NewProject::default() }).await.unwrap();
    assert!(copier.round().await.unwrap());
    let (newest, problems) = newest_settings(&i.store).await.unwrap();
    let (key, copy) = newest.unwrap();
    assert_eq!((copy, problems.len()), (i.catalog.copy_settings().await.unwrap(), 0));
    // The newest is damaged: the one before is taken, and it is said.
    i.store.put(&key, Bytes::from_static(b"{}")).await.unwrap();
    let (older, problems) = newest_settings(&i.store).await.unwrap();
    assert_eq!((older.unwrap().1.tables["projects"].rows.len(), problems.len()), (2, 1));
    // What is damaged is not what the settings are, so a new copy is made.
    assert!(open(&i).await.unwrap().round().await.unwrap());
    assert_eq!(newest_settings(&i.store).await.unwrap().1.len(), 0);
}

#[tokio::test]
async fn old_copies_of_settings_go_only_after_the_new_one_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let i = Instance::new(dir.path()).await;
    for n in 0..60 {
        i.catalog.note("test", &n.to_string()).await.unwrap();
        let crash = Arc::new(CrashAt::new(Step::SettingsCopied, 1));
        let mut copier =
            SettingsCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().with_failpoint(crash);
        assert!(copier.round().await.is_err());
        let (newest, _) = newest_settings(&i.store).await.unwrap();
        assert_eq!(newest.unwrap().1, i.catalog.copy_settings().await.unwrap());
    }
    i.catalog.note("test", "last").await.unwrap();
    SettingsCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
    assert_eq!(i.store.list("settings").await.unwrap().len(), 50);
}

#[tokio::test]
async fn run_copies_soon_and_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    let (say, mut heard) = tokio::sync::watch::channel(CopyState::default());
    let stop = CancellationToken::new();
    let running =
        tokio::spawn(tallymark_recovery::copies::run(i.catalog.clone(), i.store.clone(), say, stop.clone()));
    some_commits(&mut i, 3).await;
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, heard.wait_for(|s| s.copied == CommitSeq(3))).await.unwrap().unwrap();
    assert_copied(&i).await;
    stop.cancel();
    running.await.unwrap();
}
