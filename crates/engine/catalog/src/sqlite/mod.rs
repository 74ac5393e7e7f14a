//! The catalog in one SQLite file.
//!
//! Guarantees: WAL with `synchronous=FULL`, so an answered commit survives power loss; every writing transaction
//! is `BEGIN IMMEDIATE` over one connection per process; processes of one host may share the file.
//! Deliberately not here: the rules of a commit (`ledger`, and `commit` beside this file).

mod accounts;
mod audit;
mod cohorts;
mod commit;
mod copies;
mod definitions;
mod garbage;
mod instance;
mod jobs;
mod keys;
mod leases;
mod masks;
mod projects;
mod read;
mod restate;
mod rules;
mod web;

pub use copies::{SettingsCopy, TABLES, TableCopy, TableRule, table_rule};
pub use web::WebCatalog;

use crate::CatalogError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tallymark_model::{Lane, LogId, Millis, Shard};

const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const READERS_MAX: u32 = 6;
const MIGRATION_TRIES: u32 = 50;
const MIGRATION_PAUSE: Duration = Duration::from_millis(100);

/// How to open the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Create it if missing, bring its schema up to date.
    Create,
    /// It must exist with the current schema.
    Existing,
}

/// The catalog. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct SqliteCatalog {
    write: SqlitePool,
    read: SqlitePool,
}

impl SqliteCatalog {
    /// Opens the file as this host. Refuses if another host's lease on it is alive.
    pub async fn open(path: &Path, mode: OpenMode) -> Result<SqliteCatalog, CatalogError> {
        SqliteCatalog::open_as(path, mode, &host_id()).await
    }

    /// Opens the file as the named host.
    pub async fn open_as(path: &Path, mode: OpenMode, host: &str) -> Result<SqliteCatalog, CatalogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        if mode == OpenMode::Create {
            let first = connect(1, options.clone().create_if_missing(true)).await?;
            migrate(&first).await?;
            first.close().await;
        }
        // Pools open connections whenever they need one: should the file be gone by then, none is made in its place.
        let write = connect(1, options.clone()).await?;
        let read = connect(READERS_MAX, options).await?;
        let catalog = SqliteCatalog { write, read };
        catalog.claim_host(host).await?;
        Ok(catalog)
    }

    /// Ties the catalog to a log for ever; refuses any other log (its offsets would not compare).
    pub async fn bind_log(&self, log: LogId) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        let bound = log_id(&mut tx).await?;
        match bound {
            Some(bound) if bound != log => return Err(CatalogError::WrongLog { bound, found: log }),
            Some(_) => {}
            None => {
                sqlx::query("UPDATE instance SET log_id = ?").bind(log.to_string()).execute(&mut *tx).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Waits until nothing is in flight and closes the connections.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, CatalogError> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn claim_host(&self, host: &str) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        let known: Option<String> =
            sqlx::query_scalar("SELECT host FROM instance").fetch_optional(&mut *tx).await?;
        match known {
            None => {
                sqlx::query("INSERT INTO instance (one, host, created_at) VALUES (1, ?, ?)")
                    .bind(host)
                    .bind(now())
                    .execute(&mut *tx)
                    .await?;
            }
            Some(known) if known != host => {
                let alive: Option<String> =
                    sqlx::query_scalar("SELECT name FROM lease WHERE until > ? ORDER BY name LIMIT 1")
                        .bind(now())
                        .fetch_optional(&mut *tx)
                        .await?;
                if let Some(lease) = alive {
                    return Err(CatalogError::OtherHost { host: known, lease });
                }
                sqlx::query("UPDATE instance SET host = ?").bind(host).execute(&mut *tx).await?;
                audit::write(&mut tx, "operator", "instance.moved", host).await?;
            }
            Some(_) => {}
        }
        Ok(tx.commit().await?)
    }
}

/// Opens the connections. Who turns a new file to write-ahead logging needs it alone for a moment, and for
/// that step SQLite does not wait as `busy_timeout` says: it refuses at once. So this waits.
async fn connect(connections: u32, options: SqliteConnectOptions) -> Result<SqlitePool, CatalogError> {
    let pool = || SqlitePoolOptions::new().max_connections(connections).connect_with(options.clone());
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool().await {
            Err(error) if is_busy(&error) && Instant::now() < until => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return Ok(opened?),
        }
    }
}

/// SQLITE_BUSY and SQLITE_LOCKED, in the low byte of their extended codes.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Processes of one host may start together and all try; who comes second finds the work done.
async fn migrate(pool: &SqlitePool) -> Result<(), CatalogError> {
    for _ in 1..MIGRATION_TRIES {
        if sqlx::migrate!("./migrations").run(pool).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(MIGRATION_PAUSE).await;
    }
    Ok(sqlx::migrate!("./migrations").run(pool).await?)
}

async fn log_id(connection: &mut SqliteConnection) -> Result<Option<LogId>, CatalogError> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT log_id FROM instance").fetch_one(connection).await?;
    Ok(text.and_then(|t| t.parse().ok()).map(LogId))
}

fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}

/// Differs between machines and stays the same across restarts of one.
fn host_id() -> String {
    ["/etc/machine-id", "/proc/sys/kernel/hostname"]
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Offsets, counts and sequences stay far below 2^63; SQLite has signed integers only.
fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn uint(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<u64, CatalogError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

fn shard_of(row: &sqlx::sqlite::SqliteRow) -> Result<Shard, CatalogError> {
    let (lane, partition): (i64, i64) = (row.try_get("lane")?, row.try_get("part")?);
    let lane = u8::try_from(lane).ok().and_then(Lane::from_index);
    let partition = u16::try_from(partition).ok();
    lane.zip(partition).map(|(lane, partition)| Shard { lane, partition }).ok_or_else(|| {
        CatalogError::Database(sqlx::Error::ColumnDecode {
            index: "lane".to_owned(),
            source: "unknown lane or partition; the file comes from a newer version".into(),
        })
    })
}
