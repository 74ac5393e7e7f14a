//! The watch's own database file, `watch.db`.
//!
//! Guarantees: WAL, so the web reads while the watch writes; several processes of one host may share it (the
//! auditor reports, the web acknowledges); bounded: samples are thinned, old deliveries and points removed.
//! Deliberately not here: deciding anything.

mod care;
mod copy;
mod days;
mod deliveries;
mod eta;
mod incidents;
mod maintenance;
mod reported;
mod samples;
mod snapshot;
mod sources;

pub use care::{CareKind, CareResult};
pub use copy::WatchContents;
pub use days::{DayHistory, DayStates};
pub use deliveries::{Delivery, DeliveryState};
pub use eta::EtaRun;
pub use maintenance::{Maintenance, MaintenanceState};
pub use snapshot::{ComponentNow, WatchSnapshot};
pub use sources::{SourceChoice, SourceRow};

use crate::MonitorError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::time::Duration;

const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
const READERS_MAX: u32 = 4;
const MIGRATION_TRIES: u32 = 5;
const MIGRATION_PAUSE: Duration = Duration::from_millis(200);

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "watch.db";

/// The watch's database. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct WatchStore {
    write: SqlitePool,
    read: SqlitePool,
}

impl WatchStore {
    /// Opens the file; creates it and brings its schema up to date if needed. Any role may be first.
    pub async fn open(path: &Path) -> Result<WatchStore, MonitorError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        migrate(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(READERS_MAX).connect_with(options).await?;
        Ok(WatchStore { write, read })
    }

    /// Waits until nothing is in flight and closes the connections.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, MonitorError> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Processes of one host may start together and all try; who comes second finds the work done.
async fn migrate(pool: &SqlitePool) -> Result<(), MonitorError> {
    for _ in 1..MIGRATION_TRIES {
        if sqlx::migrate!("./migrations").run(pool).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(MIGRATION_PAUSE).await;
    }
    Ok(sqlx::migrate!("./migrations").run(pool).await?)
}

fn text<T: serde::Serialize>(value: &T, what: &'static str) -> Result<String, MonitorError> {
    serde_json::to_string(value).map_err(MonitorError::corrupt(what))
}

fn value<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<T, MonitorError> {
    serde_json::from_str(text).map_err(MonitorError::corrupt(what))
}
