//! Beside the processor: copies of commits and settings, the raw archive, trimming by permit.
//!
//! Guarantees: processing does not start on a catalog that was emptied or under a retention that could forget events;
//! it stops when the catalog's file is taken away or exchanged under it. Trouble of a copy is logged and tried again,
//! it never stops processing.
//! Deliberately not here: backups (role `watch`), what a permit needs (`ledger`).

use crate::{Layout, ServerError};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tallymark_catalog::Instance;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_log::LogReader;
use tallymark_model::Millis;
use tallymark_recovery::archive::{Archive, Keeper};
use tallymark_recovery::copies::{self, CopyState};
use tallymark_recovery::{Floors, Retention};
use tallymark_store::ObjectStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often sealed files are looked for and what may go is given up.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// How often the catalog's file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The retention that was asked for, refused if events could be forgotten under it.
pub async fn retention(catalog: &SqliteCatalog, dedup_days: u16) -> Result<Retention, ServerError> {
    let refused = |why: String| ServerError::Role { role: "process", why };
    let retention = match catalog.setting("retention").await? {
        Some(value) => serde_json::from_value(value)
            .map_err(|e| refused(format!("the setting `retention` cannot be used: {e}")))?,
        None => Retention::default(),
    };
    let floors = Floors { dedup_days, ..Floors::default() };
    retention.check(&floors).map_err(|e| refused(e.to_string()))?;
    Ok(retention)
}

/// Refuses a catalog that has lost what was committed before.
pub async fn refuse_lost(catalog: &SqliteCatalog, store: &ObjectStore) -> Result<(), ServerError> {
    let checked = copies::check_not_lost(catalog, store).await;
    checked.map_err(|e| ServerError::Role { role: "process", why: e.to_string() })
}

/// Copies, archives and trims until told to stop.
pub fn keep(
    layout: &Layout,
    catalog: SqliteCatalog,
    store: ObjectStore,
    log: Arc<dyn LogReader>,
    archive: Archive,
    retention: Retention,
    stop: CancellationToken,
) {
    let (say, mut state) = watch::channel(CopyState::default());
    tokio::spawn(copies::run(catalog.clone(), store, say, stop.clone()));
    tokio::spawn(async move {
        while state.changed().await.is_ok() {
            let now = *state.borrow_and_update();
            metrics::gauge!("tallymark_commit_copy_lag_seconds").set(now.lag_ms as f64 / 1000.0);
            metrics::gauge!("tallymark_commit_copies_waiting")
                .set(now.latest.0.saturating_sub(now.copied.0) as f64);
        }
    });
    let archive = retention.archive.then_some(archive);
    let keeper = Keeper::new(log, archive, Arc::new(catalog), &layout.state(), retention, now());
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            match keeper.round().await {
                Ok(report) => {
                    metrics::gauge!("tallymark_log_freed_bytes").increment(report.freed_bytes as f64);
                    metrics::gauge!("tallymark_archive_failing").set(0.0);
                }
                Err(error) => {
                    tracing::warn!(%error, "archiving or trimming failed; trying again");
                    metrics::gauge!("tallymark_archive_failing").set(1.0);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(KEEP_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    });
}

/// Returns when the catalog's file is not the one that was opened any more. An open handle would go on writing into
/// a file that has no name, and everything committed there would be gone with the process.
pub async fn catalog_replaced(layout: &Layout) -> ServerError {
    let path = layout.catalog();
    let inode = || std::fs::metadata(&path).map(|m| (m.dev(), m.ino())).ok();
    let opened = inode();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if inode() != opened {
            let why = format!(
                "{} was removed or exchanged while it was in use; stop the server and run `tallymark rebuild catalog`",
                path.display()
            );
            return ServerError::Role { role: "catalog", why };
        }
    }
}

fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX))
}
