//! Whether the catalog's file is where it was when it was opened.
//!
//! Guarantees: who asks is told at once; the log says it within a second. A role that starts without a catalog gets one that answers nothing, never an
//! empty one, and starts again when there is one.
//! Deliberately not here: what is shown meanwhile (`api`), bringing the catalog back (`recovery`).

use crate::{Layout, ServerError};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_model::Millis;
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Since when the file is gone, if it is.
pub type Lost = Arc<dyn Fn() -> Option<Millis> + Send + Sync>;

/// Looks after the file of a catalog that was just opened.
pub fn watch(layout: &Layout, stop: CancellationToken) -> Lost {
    let path = layout.catalog();
    let inode = move || std::fs::metadata(&path).map(|m| (m.dev(), m.ino())).ok();
    let opened = inode();
    let since = Arc::new(AtomicI64::new(0));
    let look = Arc::new(move || {
        let there = inode();
        if there.is_none() && since.compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::error!("the catalog's file is gone: answers are stale from now on, nothing is changed");
        }
        (there, Some(since.load(Ordering::Relaxed)).filter(|at| *at != 0))
    });
    let looks = look.clone();
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
            let (there, _) = looks();
            if there.is_some() && there != opened {
                tracing::warn!("the catalog was exchanged; starting again");
                return stop.cancel();
            }
        }
    });
    // Not only every second: between the loss and the next look a query would fail instead of being answered stale.
    Arc::new(move || look().1)
}

/// Stops the role when a catalog can be opened: the next start has it.
pub fn until_back(layout: &Layout, stop: CancellationToken) -> Lost {
    let path = layout.catalog();
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Ok(catalog) = SqliteCatalog::open(&path, OpenMode::Existing).await {
                catalog.close().await;
                return stop.cancel();
            }
        }
    });
    let since = now();
    Arc::new(move || Some(since))
}

/// A catalog that answers every question with an error.
pub async fn none(layout: &Layout) -> Result<SqliteCatalog, ServerError> {
    let path = layout.run().join("no-catalog.db");
    let catalog = SqliteCatalog::open(&path, OpenMode::Create).await?;
    catalog.close().await;
    Ok(catalog)
}

fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_catalog::{Accounts, Settings};

    #[tokio::test]
    async fn without_a_catalog_nothing_is_answered_rather_than_something_empty() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let none = none(&layout).await.unwrap();
        assert!(none.projects().await.is_err() && none.setup_required().await.is_err());
        assert!(!layout.catalog().exists(), "nothing is made in its place");
        let stop = CancellationToken::new();
        assert!(until_back(&layout, stop.clone())().is_some());
        SqliteCatalog::open(&layout.catalog(), OpenMode::Create).await.unwrap().close().await;
        stop.cancelled().await;
    }

    #[tokio::test]
    async fn a_file_that_vanishes_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        std::fs::write(layout.catalog(), "x").unwrap();
        let stop = CancellationToken::new();
        let lost = watch(&layout, stop.clone());
        assert_eq!(lost(), None);
        std::fs::remove_file(layout.catalog()).unwrap();
        while lost().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::fs::write(layout.catalog(), "another").unwrap();
        // The file system may give the number again; then it takes it for the one that was there.
        let _ = tokio::time::timeout(Duration::from_secs(3), stop.cancelled()).await;
    }
}
