//! A new catalog from copies: the same books, nothing lost, nothing doubled, whatever was lost and whenever it is killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use bytes::Bytes;
use rig::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Feed, Garbage, Settings, Snapshots};
use tallymark_model::{CommitSeq, Position, ProjectId};
use tallymark_recovery::copies::{CommitCopier, SettingsCopier, commit_key};
use tallymark_recovery::failpoint::{CrashAt, Step};
use tallymark_recovery::rebuild::{RebuildReport, rebuild_catalog, rebuild_catalog_with};
use tallymark_recovery::{Places, RecoveryError};

async fn copy(i: &Instance) {
    CommitCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
    SettingsCopier::open(i.catalog.clone(), i.store.clone()).await.unwrap().round().await.unwrap();
}

/// An instance with some history, copied, stopped.
async fn history(root: &Path) -> (Places, BTreeMap<Position, String>, Answers) {
    let mut i = Instance::new(root).await;
    for n in 0..6 {
        i.send(40).await;
        i.process().await;
        if n == 3 {
            i.compact(1, true).await;
        }
    }
    copy(&i).await;
    let answers = answers(&i.catalog, &i).await;
    let (places, sent) = i.stop().await;
    (places, sent, answers)
}

/// What queries and the books say.
#[derive(Debug, PartialEq)]
struct Answers {
    rows: Rows,
    ledger: Vec<tallymark_catalog::LedgerRow>,
    cursors: Vec<tallymark_catalog::Cursor>,
    projects: Vec<tallymark_catalog::Project>,
    seq: CommitSeq,
}

async fn answers(catalog: &SqliteCatalog, i: &Instance) -> Answers {
    Answers {
        rows: rows(catalog, &i.store).await,
        ledger: catalog.ledger(Some(ProjectId(2)), None, None).await.unwrap(),
        cursors: catalog.cursors().await.unwrap(),
        projects: catalog.projects().await.unwrap(),
        seq: catalog.latest_seq().await.unwrap(),
    }
}

async fn open(places: &Places, sent: &BTreeMap<Position, String>) -> Instance {
    let mut i = Instance::open(&places.root).await;
    i.sent = sent.clone();
    i.clock = START + DAY;
    i
}

fn drop_catalog(places: &Places) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", places.catalog.display()));
    }
}

async fn rebuilt(places: &Places) -> RebuildReport {
    rebuild_catalog(places).await.unwrap()
}

#[tokio::test]
async fn a_catalog_that_is_gone_comes_back_with_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (places, sent, before) = history(dir.path()).await;
    drop_catalog(&places);
    let report = rebuilt(&places).await;
    assert_eq!((report.commits, report.seq, &report.unknown[..]), (7, CommitSeq(7), &[][..]));
    assert!(report.repairs.is_empty() && report.old.is_none() && !report.from_footers);
    let mut i = open(&places, &sent).await;
    assert_eq!(answers(&i.catalog, &i).await, before);
    // Work goes on, with epochs behind those in the files.
    i.send(10).await;
    i.process().await;
    assert_eq!(i.rows().await, i.expected().await);
    let newest = i.catalog.live().await.unwrap().iter().map(|s| s.epoch).max().unwrap();
    assert_eq!(newest, i.lease.epoch);
}

#[tokio::test]
async fn emptied_tables_and_damage_are_replaced_and_the_old_file_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (places, sent, before) = history(dir.path()).await;
    let bytes = std::fs::read(&places.catalog).unwrap();
    for damage in ["cut", "noise", "not a database"] {
        let damaged = match damage {
            "cut" => bytes[..bytes.len() / 2].to_vec(),
            "noise" => bytes.iter().enumerate().map(|(n, b)| if n % 100 == 99 { !b } else { *b }).collect(),
            _ => b"hello".to_vec(),
        };
        std::fs::write(&places.catalog, &damaged).unwrap();
        let report = rebuilt(&places).await;
        let old = report.old.unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), damaged, "{damage}: kept as it was");
        std::fs::remove_file(old).unwrap();
        let i = open(&places, &sent).await;
        assert_eq!(answers(&i.catalog, &i).await, before, "{damage}");
        i.stop().await;
    }
}

#[tokio::test]
async fn what_was_not_copied_yet_is_processed_again_and_nothing_is_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let mut i = Instance::new(dir.path()).await;
    for _ in 0..3 {
        i.send(30).await;
        i.process().await;
    }
    copy(&i).await;
    // Two more commits and a compaction that no copy tells of.
    for _ in 0..2 {
        i.send(30).await;
        i.process().await;
    }
    i.compact(2, false).await;
    let whole = i.rows().await;
    let (places, sent) = i.stop().await;
    drop_catalog(&places);
    let report = rebuilt(&places).await;
    assert_eq!(report.seq, CommitSeq(3));
    let i = open(&places, &sent).await;
    assert_eq!(i.rows().await, i.expected().await);
    i.process().await;
    assert_eq!(i.rows().await, whole);
    copy(&i).await;
}

#[tokio::test]
async fn a_hole_in_the_copies_ends_the_fold_and_the_rest_is_processed_again() {
    for damage in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut i = Instance::new(dir.path()).await;
        for _ in 0..6 {
            i.send(20).await;
            i.process().await;
        }
        copy(&i).await;
        let whole = i.rows().await;
        let (places, sent) = i.stop().await;
        let store = tallymark_store::open(&places.objects_url()).unwrap();
        let fourth = commit_key(CommitSeq(4));
        if damage {
            store.put(&fourth, Bytes::from_static(b"{\"format\":1}")).await.unwrap();
        } else {
            store.delete(&fourth).await.unwrap();
        }
        drop_catalog(&places);
        let report = rebuilt(&places).await;
        assert_eq!(report.seq, CommitSeq(3));
        assert!(report.unknown.iter().any(|u| u.contains("processed again")), "{:?}", report.unknown);
        let i = open(&places, &sent).await;
        i.process().await;
        assert_eq!(i.rows().await, whole);
        // The copies go on from here; those of the lost history are aside.
        copy(&i).await;
        assert_eq!(rebuild_twice(i).await, whole);
    }
}

/// Loses the catalog again and rebuilds it.
async fn rebuild_twice(i: Instance) -> Rows {
    let (places, sent) = i.stop().await;
    drop_catalog(&places);
    rebuilt(&places).await;
    let i = open(&places, &sent).await;
    i.rows().await
}

#[tokio::test]
async fn missing_segments_and_deltas_are_listed_for_repair() {
    let dir = tempfile::tempdir().unwrap();
    let (places, ..) = history(dir.path()).await;
    let catalog = SqliteCatalog::open(&places.catalog, OpenMode::Existing).await.unwrap();
    let victim = catalog.live().await.unwrap()[0].key.clone();
    let delta = catalog.feed(CommitSeq(0), 1).await.unwrap()[0].delta.clone().unwrap();
    catalog.close().await;
    let store = tallymark_store::open(&places.objects_url()).unwrap();
    store.delete(&victim).await.unwrap();
    store.delete(&delta).await.unwrap();
    drop_catalog(&places);
    let report = rebuilt(&places).await;
    assert_eq!(report.repairs.len(), 2, "{:?}", report.repairs);
    assert!(report.repairs[0].contains(&victim) && report.repairs[1].contains(&delta));
}

#[tokio::test]
async fn without_settings_the_projects_get_names_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let (places, sent, before) = history(dir.path()).await;
    std::fs::remove_dir_all(places.objects.join("settings")).unwrap();
    drop_catalog(&places);
    let report = rebuilt(&places).await;
    assert!(report.settings.is_none() && report.unknown.iter().any(|u| u.contains("recovered-2")));
    let i = open(&places, &sent).await;
    assert_eq!(i.rows().await, before.rows);
    let names: Vec<String> = i.catalog.projects().await.unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["recovered-1", "recovered-2"]);
}

#[tokio::test]
async fn copies_made_of_emptied_tables_are_passed_by() {
    let dir = tempfile::tempdir().unwrap();
    let (places, sent, before) = history(dir.path()).await;
    // Somebody deletes all rows of the projects and keys; the copier copies that before anybody notices.
    let catalog = SqliteCatalog::open(&places.catalog, OpenMode::Existing).await.unwrap();
    let mut copy = catalog.copy_settings().await.unwrap();
    for table in ["projects", "keys"] {
        copy.tables.get_mut(table).unwrap().rows.clear();
    }
    catalog.load_settings(&copy).await.unwrap();
    let store = tallymark_store::open(&places.objects_url()).unwrap();
    for reason in ["emptied", "and then something else"] {
        catalog.note("test", reason).await.unwrap();
        assert!(SettingsCopier::open(catalog.clone(), store.clone()).await.unwrap().round().await.unwrap());
    }
    catalog.close().await;
    let report = rebuilt(&places).await;
    assert!(
        report.unknown.iter().filter(|u| u.contains("projects was emptied")).count() == 2,
        "{:?}",
        report.unknown
    );
    let i = open(&places, &sent).await;
    assert_eq!(answers(&i.catalog, &i).await, before);
}

#[tokio::test]
async fn refused_while_somebody_works_on_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let i = Instance::new(dir.path()).await;
    let places = i.places.clone();
    assert!(
        matches!(rebuild_catalog(&places).await, Err(RecoveryError::InUse { .. })),
        "the log has a writer"
    );
    i.stop().await;
    std::fs::create_dir_all(places.lock.parent().unwrap()).unwrap();
    let supervisor = std::fs::File::create(&places.lock).unwrap();
    supervisor.lock().unwrap();
    assert!(matches!(rebuild_catalog(&places).await, Err(RecoveryError::InUse { .. })), "a supervisor runs");
    drop(supervisor);
    rebuilt(&places).await;
}

#[tokio::test]
async fn killed_at_any_step_a_catalog_is_in_place_and_the_next_try_succeeds() {
    for step in [Step::RebuildBuilt, Step::RebuildVerified, Step::RebuildAside, Step::RebuildSwitched] {
        for lost in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (places, sent, before) = history(dir.path()).await;
            if lost {
                drop_catalog(&places);
            }
            let crash = Arc::new(CrashAt::new(step, 1));
            let stopped = rebuild_catalog_with(&places, crash).await;
            assert!(matches!(stopped, Err(RecoveryError::Failpoint(s)) if s == step));
            if !lost {
                // Whoever starts now finds a catalog: the old one or the new one.
                let i = open(&places, &sent).await;
                assert_eq!(answers(&i.catalog, &i).await, before, "{step:?}");
                i.stop().await;
            }
            rebuilt(&places).await;
            let i = open(&places, &sent).await;
            assert_eq!(answers(&i.catalog, &i).await, before, "{step:?}");
        }
    }
}

#[tokio::test]
async fn the_old_journal_is_never_applied_to_the_new_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let (places, sent, before) = history(dir.path()).await;
    // A crash left a journal beside the catalog.
    let i = open(&places, &sent).await;
    i.catalog
        .create_project(tallymark_catalog::NewProject { name: "late".into(), ..Default::default() })
        .await
        .unwrap();
    let wal = std::fs::read(format!("{}-wal", places.catalog.display())).unwrap();
    i.stop().await;
    std::fs::write(format!("{}-wal", places.catalog.display()), wal).unwrap();
    let old = rebuilt(&places).await.old.unwrap();
    assert!(std::fs::exists(format!("{}-wal", old.display())).unwrap(), "moved aside");
    let i = open(&places, &sent).await;
    assert_eq!(answers(&i.catalog, &i).await, before);
}

mod footers {
    //! Without any copy of a commit.
    use super::*;

    fn drop_copies(places: &Places) {
        for folder in ["commits", "settings"] {
            let _ = std::fs::remove_dir_all(places.objects.join(folder));
        }
        drop_catalog(places);
    }

    async fn rebuilt_from_footers(places: &Places) -> RebuildReport {
        let report = rebuilt(places).await;
        assert!(report.from_footers && report.unknown.iter().any(|u| u.contains("no copy of any")));
        assert!(report.repairs.is_empty(), "{:?}", report.repairs);
        report
    }

    #[tokio::test]
    async fn the_books_are_derived_from_what_the_files_say() {
        let dir = tempfile::tempdir().unwrap();
        let (places, sent, before) = history(dir.path()).await;
        drop_copies(&places);
        rebuilt_from_footers(&places).await;
        let mut i = open(&places, &sent).await;
        assert_eq!(i.rows().await, before.rows);
        assert_eq!(i.catalog.cursors().await.unwrap().len(), before.cursors.len());
        // Sums per project are those of before; only the history of commits is gone.
        let sum = |ledger: &[tallymark_catalog::LedgerRow]| {
            ledger.iter().fold(tallymark_ledger::Tally::default(), |t, r| t + r.tally)
        };
        let now = i.catalog.ledger(Some(ProjectId(2)), None, None).await.unwrap();
        assert_eq!(sum(&now), sum(&before.ledger));
        assert!(i.catalog.skipped().await.unwrap().is_empty());
        // Work goes on.
        i.send(20).await;
        i.process().await;
        assert_eq!(i.rows().await, i.expected().await);
    }

    #[tokio::test]
    async fn leftovers_of_the_dead_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let mut i = Instance::new(dir.path()).await;
        for _ in 0..4 {
            i.send(40).await;
            i.process().await;
        }
        // Inputs that were not collected yet, then a merge of everything whose inputs went in part.
        i.compact(1, false).await;
        use tallymark_catalog::Garbage;
        let victim = i.catalog.removed_before(CommitSeq(100)).await.unwrap()[1].key.clone();
        i.store.delete(&victim).await.unwrap();
        i.compact(2, false).await;
        i.send(40).await;
        i.process().await;
        let whole = i.rows().await;
        // A processor that died before its commit: with and without its delta; a compactor that died likewise.
        let (delta, segment) = i.uncommitted().await;
        i.process().await;
        let whole_and_more = i.rows().await;
        assert!(whole_and_more.len() > whole.len());
        let (places, sent) = i.stop().await;
        drop_copies(&places);
        rebuilt_from_footers(&places).await;
        let i = open(&places, &sent).await;
        assert_eq!(i.rows().await, whole_and_more);
        assert_eq!(i.rows().await, i.expected().await);
        assert!(i.store.size(&delta).is_ok() && i.store.size(&segment).is_ok(), "nothing was deleted");
    }

    #[tokio::test]
    async fn an_event_without_a_trace_is_booked_as_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let mut i = Instance::new(dir.path()).await;
        let mut lost = None;
        for n in 0..4 {
            i.send(40).await;
            let id = i.process().await;
            if n == 1 {
                lost = Some(id);
            }
        }
        let (places, sent) = i.stop().await;
        let store = tallymark_store::open(&places.objects_url()).unwrap();
        for object in store.list("segments").await.unwrap() {
            let reader = tallymark_store::SegmentReader::open_key(&store, &object.key).unwrap();
            if Some(reader.meta().commit) == lost {
                store.delete(&object.key).await.unwrap();
            }
        }
        drop_copies(&places);
        let report = rebuilt_from_footers(&places).await;
        let i = open(&places, &sent).await;
        let skipped = i.catalog.skipped().await.unwrap();
        let pending: u64 = skipped.iter().map(|r| r.interval.len()).sum();
        let expected = i.expected().await;
        let rows = i.rows().await;
        assert!(pending > 0 && report.unknown.iter().any(|u| u.contains("booked as skipped")));
        assert_eq!(rows.len() as u64 + pending, expected.len() as u64);
        for (position, row) in &rows {
            assert_eq!(expected.get(position), Some(row));
        }
    }

    #[tokio::test]
    async fn an_instance_that_never_committed_starts_from_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut i = Instance::new(dir.path()).await;
        i.send(30).await;
        let (places, sent) = i.stop().await;
        drop_copies(&places);
        let report = rebuilt(&places).await;
        assert!(!report.from_footers && report.seq == CommitSeq(0));
        let i = open(&places, &sent).await;
        i.process().await;
        assert_eq!(i.rows().await, i.expected().await);
    }
}
