//! Copies of the catalog and the way back from them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SettingsCopy, SqliteCatalog, TABLES, TableRule, table_rule};
use tallymark_catalog::{
    Accounts, Commits, Feed, Garbage, Instance, JobKind, JobProgress, Jobs, Leases, NewJob, NewProject,
    NewUser, Settings, Snapshots,
};
use tallymark_model::{CommitSeq, Epoch, ProjectId, SegmentId};
use world::*;

/// A store that no restore brings back is how a table without a backup comes about: a new table fails here until
/// somebody has decided.
#[tokio::test]
async fn every_table_of_the_schema_has_a_rule_and_no_rule_is_without_its_table() {
    let w = World::new().await;
    let tables: BTreeSet<String> = w.catalog.tables().await.unwrap().into_iter().collect();
    let ruled: BTreeSet<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(tables, ruled, "tables of the schema (left), tables with a rule in sqlite/copies.rs (right)");
    assert_eq!(ruled.len(), TABLES.len(), "a table is listed twice");
    assert_eq!(table_rule("a_new_table"), None);
    // What settings copies hold is what the rules say.
    let copied: BTreeSet<String> = w.catalog.copy_settings().await.unwrap().tables.into_keys().collect();
    let expected = TABLES.iter().filter(|(_, rule)| matches!(rule, TableRule::Copied { .. }));
    assert_eq!(copied, expected.map(|(name, _)| (*name).to_owned()).collect());
}

async fn furnished() -> World {
    let w = World::new().await;
    let c = &w.catalog;
    c.bind_log(LOG).await.unwrap();
    c.create_project(NewProject { name: "Ünïcode \u{1F4C8}".into(), ..NewProject::default() }).await.unwrap();
    c.create_project(NewProject { name: "second".into(), ..NewProject::default() }).await.unwrap();
    c.create_user(NewUser { email: "a@example.org".into(), name: "A".into(), password: "phc".into() })
        .await
        .unwrap();
    c.set_setting("environment", &json!("production")).await.unwrap();
    c.set_setting("retention", &json!({"days": 7, "share": 0.5})).await.unwrap();
    w
}

#[tokio::test]
async fn settings_come_back_as_they_were() {
    let w = furnished().await;
    let copy = w.catalog.copy_settings().await.unwrap();
    let text = serde_json::to_string(&copy).unwrap();
    let read: SettingsCopy = serde_json::from_str(&text).unwrap();
    assert_eq!(read, copy);
    assert_eq!(read.digest(), copy.digest());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("again.db");
    let again = SqliteCatalog::create_offline(&path).await.unwrap();
    again.load_settings(&read).await.unwrap();
    again.load_settings(&read).await.unwrap();
    let restored = again.copy_settings().await.unwrap();
    for (table, rows) in copy.tables.iter().filter(|(table, _)| *table != "instance") {
        assert_eq!(&restored.tables[table], rows, "{table}");
    }
    assert_eq!(restored.digest(), copy.digest());
    assert_eq!(again.log_id().await.unwrap(), Some(LOG));
    assert_eq!(again.setting("environment").await.unwrap(), Some(json!("production")));
    // Numbers that were given out are not given out again.
    let next =
        again.create_project(NewProject { name: "third".into(), ..NewProject::default() }).await.unwrap();
    assert_eq!(next.project.id, ProjectId(3));
    again.settle(&path).await.unwrap();
    // It is an ordinary catalog now.
    let opened = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap();
    assert_eq!(opened.projects().await.unwrap().len(), 3);
    let lease = lease(&opened, tallymark_catalog::LeaseName::Process, "me").await;
    assert!(lease.epoch > w.epoch(), "epochs go on behind those given out");
}

#[tokio::test]
async fn only_changes_worth_a_copy_change_the_digest() {
    let w = furnished().await;
    let digest = |c: SqliteCatalog| async move { c.copy_settings().await.unwrap().digest() };
    let before = digest(w.catalog.clone()).await;
    w.catalog.renew(&w.lease, Duration::from_secs(90)).await.unwrap();
    w.catalog.commit(&commit(w.epoch(), vec![advance(shard(0), 0, 9, 1)])).await.unwrap();
    assert_eq!(digest(w.catalog.clone()).await, before, "commits are copied as commits");
    let job = NewJob {
        kind: JobKind::Backup,
        project: None,
        spec: json!({}),
        dry_run: false,
        by: "me".into(),
        reason: String::new(),
    };
    let job = w.catalog.create_job(job).await.unwrap();
    let asked = digest(w.catalog.clone()).await;
    assert_ne!(asked, before);
    w.catalog.report_job(job.id, &JobProgress::default()).await.unwrap();
    assert_eq!(digest(w.catalog.clone()).await, asked, "progress is not worth a copy");
    w.catalog.set_setting("environment", &json!("test")).await.unwrap();
    assert_ne!(digest(w.catalog.clone()).await, asked);
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_refused() {
    let w = furnished().await;
    let mut copy = w.catalog.copy_settings().await.unwrap();
    copy.tables.insert("hats".into(), Default::default());
    assert!(w.catalog.load_settings(&copy).await.unwrap_err().to_string().contains("table hats"));
    copy.tables.remove("hats");
    copy.tables.get_mut("users").unwrap().columns[0] = "hat".into();
    let error = w.catalog.load_settings(&copy).await.unwrap_err().to_string();
    assert!(error.contains("users.hat") && error.contains("upgrade"), "{error}");
    assert_eq!(w.catalog.projects().await.unwrap().len(), 2, "nothing was changed");
    // A table that commits carry cannot be smuggled in.
    copy.tables.insert("ledger".into(), Default::default());
    assert!(w.catalog.load_settings(&copy).await.is_err());
}

#[tokio::test]
async fn commits_replay_to_the_same_books() {
    let w = furnished().await;
    for n in 0..20u64 {
        let advances = vec![
            advance(shard(0), n * 7, n * 7 + 7, n as i64 * HOUR / 3),
            advance(shard(3), n * 2, n * 2 + 2, n as i64 * HOUR / 3),
        ];
        w.catalog.commit(&commit(w.epoch(), advances)).await.unwrap();
        if n % 6 == 5 {
            let mut live = w.catalog.live().await.unwrap();
            live.retain(|s| s.project == ProjectId(1));
            w.catalog.commit(&compaction(w.epoch(), &live)).await.unwrap();
        }
    }
    assert_replays(&w.catalog).await;
    // The catalog has forgotten files that are gone: the rest of the record is enough.
    let gone: Vec<SegmentId> =
        w.catalog.removed_before(CommitSeq(1_000)).await.unwrap().iter().map(|s| s.id).collect();
    assert!(!gone.is_empty());
    w.catalog.forget(&gone).await.unwrap();
    assert_replays(&w.catalog).await;
}

#[tokio::test]
async fn a_missing_commit_is_noticed() {
    let w = furnished().await;
    for n in 0..3 {
        let a = vec![advance(shard(n % 2), u64::from(n / 2) * 5, u64::from(n / 2) * 5 + 5, 1)];
        w.catalog.commit(&commit(w.epoch(), a)).await.unwrap();
    }
    let mut records = w.catalog.feed(CommitSeq(0), 10).await.unwrap();
    // The second is about another shard, so only the numbers show it.
    records.remove(1);
    let dir = tempfile::tempdir().unwrap();
    let again = SqliteCatalog::create_offline(&dir.path().join("c.db")).await.unwrap();
    assert!(again.replay(&records).await.unwrap_err().to_string().contains("missing"));
    assert_eq!(again.latest_seq().await.unwrap(), CommitSeq(0), "all or nothing");
    again.raise_epoch(Epoch(77)).await.unwrap();
    assert_eq!(lease(&again, tallymark_catalog::LeaseName::Compact, "me").await.epoch, Epoch(78));
}

#[tokio::test]
async fn a_snapshot_is_a_catalog_of_one_moment() {
    let w = furnished().await;
    w.catalog.commit(&commit(w.epoch(), vec![advance(shard(0), 0, 9, 1)])).await.unwrap();
    let path = w.dir.path().join("snapshot.db");
    w.catalog.snapshot_into(&path).await.unwrap();
    w.catalog.commit(&commit(w.epoch(), vec![advance(shard(0), 9, 12, 1)])).await.unwrap();
    let snapshot = SqliteCatalog::open_as(&path, OpenMode::Existing, "host-1").await.unwrap();
    assert_eq!(snapshot.latest_seq().await.unwrap(), CommitSeq(1));
    assert_eq!(snapshot.integrity().await.unwrap(), Vec::<String>::new());
    assert_eq!(snapshot.projects().await.unwrap(), w.catalog.projects().await.unwrap());
    assert!(w.catalog.snapshot_into(&path).await.is_err(), "never over something else");
}
