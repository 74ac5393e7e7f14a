//! Who may work on the data: leases, the log it belongs to, the host that holds it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Accounts, CatalogError, LeaseAnswer, LeaseName, Leases, Snapshots};
use tallymark_model::LogId;
use uuid::Uuid;
use world::*;

#[tokio::test]
async fn a_lease_is_exclusive_until_it_ends_and_epochs_only_grow() {
    let w = World::new().await;
    let held = w.catalog.acquire(LeaseName::Process, "you", TTL).await.unwrap();
    assert!(matches!(held, LeaseAnswer::Held { owner, .. } if owner == "me"));
    let renewed = w.catalog.renew(&w.lease, TTL * 2).await.unwrap().unwrap();
    assert!(renewed.until > w.lease.until && renewed.epoch == w.epoch());
    w.catalog.release(&w.lease).await.unwrap();
    let yours = lease(&w.catalog, LeaseName::Process, "you").await;
    assert!(yours.epoch > w.epoch());
    assert_eq!(w.catalog.renew(&w.lease, TTL).await.unwrap(), None, "the old owner is told");
    // A lease that ran out can be taken by anybody.
    let LeaseAnswer::Granted(short) =
        w.catalog.acquire(LeaseName::Compact, "you", Duration::ZERO).await.unwrap()
    else {
        panic!("free lease refused")
    };
    let mine = lease(&w.catalog, LeaseName::Compact, "me").await;
    assert!(mine.epoch > short.epoch && short.epoch > yours.epoch, "one counter for all leases");
}

#[tokio::test]
async fn a_catalog_stays_with_its_log() {
    let w = World::new().await;
    assert_eq!(w.catalog.log_id().await.unwrap(), None);
    w.catalog.bind_log(LOG).await.unwrap();
    w.catalog.bind_log(LOG).await.unwrap();
    let other = LogId(Uuid::from_u128(2));
    let refused = w.catalog.bind_log(other).await;
    assert!(matches!(refused, Err(CatalogError::WrongLog { bound: LOG, found }) if found == other));
    assert_eq!(w.catalog.log_id().await.unwrap(), Some(LOG));
}

#[tokio::test]
async fn a_second_host_is_refused_while_the_first_lives() {
    let w = World::new().await;
    let path = w.dir.path().join("catalog.db");
    let refused = SqliteCatalog::open_as(&path, OpenMode::Create, "host-2").await;
    let Err(error @ CatalogError::OtherHost { .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("host-1"), "{error}");
    assert!(SqliteCatalog::open_as(&path, OpenMode::Existing, "host-1").await.is_ok());
    // Once it has stopped, the data may move.
    w.catalog.release(&w.lease).await.unwrap();
    let moved = SqliteCatalog::open_as(&path, OpenMode::Create, "host-2").await.unwrap();
    assert_eq!(moved.audit_log(1).await.unwrap()[0].action, "instance.moved");
}

#[tokio::test]
async fn opening_needs_the_file_unless_it_may_create_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalog.db");
    assert!(SqliteCatalog::open_as(&path, OpenMode::Existing, "h").await.is_err());
    assert!(!path.exists());
}

/// Every process of an instance opens the catalog when it starts, and none waits for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn processes_that_start_at_once_all_open_a_new_file() {
    for _ in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        for opened in futures_of(&dir.path().join("catalog.db")).await {
            opened.unwrap();
        }
    }
}

/// An empty file would look like a catalog that has lost everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_file_that_is_gone_is_not_made_anew_by_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalog.db");
    let catalog = SqliteCatalog::open_as(&path, OpenMode::Create, "h").await.unwrap();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("catalog.db{end}")));
    }
    // More at once than there are connections: new ones are opened.
    let readers: Vec<_> = (0..24)
        .map(|_| {
            let catalog = catalog.clone();
            tokio::spawn(async move { catalog.audit_log(1).await.is_ok() })
        })
        .collect();
    for reader in readers {
        let _ = reader.await.unwrap();
    }
    assert!(!path.exists());
}

async fn futures_of(path: &std::path::Path) -> Vec<Result<SqliteCatalog, CatalogError>> {
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let path = path.to_owned();
        tasks.push(tokio::spawn(async move { SqliteCatalog::open_as(&path, OpenMode::Create, "h").await }));
    }
    let mut out = Vec::new();
    for task in tasks {
        out.push(task.await.unwrap());
    }
    out
}
