//! Copies of the catalog: a snapshot of the file, the tables that commits do not carry, and the way back.
//!
//! Guarantees: every table has a rule that says how it is brought back ([`TABLES`], compared with the schema by a
//! test); a snapshot and a copy are each of one moment; replaying the commits in order gives the books they gave.
//! Deliberately not here: where copies are kept, switching files (`recovery`).

use super::{SqliteCatalog, commit, host_id, int, migrate, now, restate};
use crate::{CatalogError, Commit, CommitRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Column, Row, SqliteConnection, TypeInfo, ValueRef};
use std::collections::BTreeMap;
use std::path::Path;
use tallymark_model::Epoch;

/// How a table is brought back when the catalog is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableRule {
    /// From the copies of the commits.
    Derived,
    /// From the copies of the settings. Changes of the quiet columns alone are no reason for a new copy.
    Copied {
        /// Columns that change without anybody having changed anything.
        quiet: &'static [&'static str],
    },
    /// Not at all: starts empty.
    Fresh {
        /// Why that is right.
        why: &'static str,
    },
}

/// Every table of the schema. One that is not listed here fails the build: decide what a restore brings back.
pub const TABLES: &[(&str, TableRule)] = &[
    ("commits", TableRule::Derived),
    ("cursor", TableRule::Derived),
    ("ledger", TableRule::Derived),
    ("masks", TableRule::Derived),
    ("project_ledger", TableRule::Derived),
    ("restatements", TableRule::Derived),
    ("segments", TableRule::Derived),
    ("audit", TableRule::Copied { quiet: &[] }),
    ("cohorts", TableRule::Copied { quiet: &[] }),
    ("definitions", TableRule::Copied { quiet: &[] }),
    ("erasures", TableRule::Copied { quiet: &[] }),
    ("instance", TableRule::Copied { quiet: &["host"] }),
    ("jobs", TableRule::Copied { quiet: &["progress", "updated_at"] }),
    ("keys", TableRule::Copied { quiet: &["last_used_at"] }),
    ("projects", TableRule::Copied { quiet: &[] }),
    ("rules", TableRule::Copied { quiet: &[] }),
    ("settings", TableRule::Copied { quiet: &[] }),
    ("setup", TableRule::Copied { quiet: &[] }),
    ("users", TableRule::Copied { quiet: &[] }),
    ("cohort_members", TableRule::Fresh { why: "who is in a cohort is computed again" }),
    ("lease", TableRule::Fresh { why: "nobody holds a lease on a catalog that was just made" }),
    ("sessions", TableRule::Fresh { why: "people log in again, as after any session" }),
    ("_sqlx_migrations", TableRule::Fresh { why: "the schema is made by the program" }),
    ("sqlite_sequence", TableRule::Fresh { why: "follows from the rows" }),
];

/// The rule of a table.
pub fn table_rule(table: &str) -> Option<TableRule> {
    TABLES.iter().find(|(name, _)| *name == table).map(|(_, rule)| *rule)
}

/// Everything that commits do not carry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SettingsCopy {
    /// By table.
    pub tables: BTreeMap<String, TableCopy>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableCopy {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; bytes as `{"hex": "…"}`.
    pub rows: Vec<Vec<Value>>,
}

impl SettingsCopy {
    /// Changes when anything changes that is worth a new copy.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, table) in &self.tables {
            let quiet = match table_rule(name) {
                Some(TableRule::Copied { quiet }) => quiet,
                _ => &[],
            };
            hasher.update(name.as_bytes());
            let loud: Vec<usize> =
                (0..table.columns.len()).filter(|i| !quiet.contains(&table.columns[*i].as_str())).collect();
            for row in &table.rows {
                for at in &loud {
                    hasher.update([0]);
                    hasher.update(row.get(*at).map(Value::to_string).unwrap_or_default());
                }
                hasher.update([1]);
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl SqliteCatalog {
    /// Makes a new file at `path`, which must not exist, for building a catalog that nobody uses yet: nothing is
    /// flushed before [`SqliteCatalog::settle`].
    pub async fn create_offline(path: &Path) -> Result<SqliteCatalog, CatalogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(true);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        migrate(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let catalog = SqliteCatalog { write, read };
        catalog.claim_host(&host_id()).await?;
        Ok(catalog)
    }

    /// Closes a catalog built by [`SqliteCatalog::create_offline`] and flushes its file.
    pub async fn settle(self, path: &Path) -> Result<(), CatalogError> {
        self.close().await;
        let sync = || std::fs::File::open(path)?.sync_all();
        sync().map_err(|e| CatalogError::Database(sqlx::Error::Io(e)))
    }

    /// Writes the catalog as of one moment into a new file, beside everything that goes on.
    pub async fn snapshot_into(&self, path: &Path) -> Result<(), CatalogError> {
        let mut connection = self.read.acquire().await?;
        let name = path.to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO ?").bind(name).execute(&mut *connection).await?;
        Ok(())
    }

    /// What SQLite finds wrong with the file; empty if nothing.
    pub async fn integrity(&self) -> Result<Vec<String>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        let lines: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(&mut *connection).await?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Names of all tables.
    pub async fn tables(&self) -> Result<Vec<String>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        let names = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        Ok(names.fetch_all(&mut *connection).await?)
    }

    /// The tables that commits do not carry, as of one moment.
    pub async fn copy_settings(&self) -> Result<SettingsCopy, CatalogError> {
        let mut tx = self.read.begin().await?;
        let mut copy = SettingsCopy::default();
        for (table, rule) in TABLES {
            if matches!(rule, TableRule::Copied { .. }) {
                copy.tables.insert((*table).to_owned(), dump(&mut tx, table).await?);
            }
        }
        Ok(copy)
    }

    /// Puts copied tables in place of what is there. Columns that this program does not know are an error.
    pub async fn load_settings(&self, copy: &SettingsCopy) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *tx).await?;
        for (name, table) in &copy.tables {
            let known = TABLES.iter().find(|(known, _)| known == name);
            let Some((known, TableRule::Copied { .. })) = known else {
                return Err(newer(format!("table {name}")));
            };
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {known}"))).execute(&mut *tx).await?;
            fill(&mut tx, known, table).await?;
        }
        sqlx::query("UPDATE instance SET host = ?").bind(host_id()).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Applies commits again, in order, in one transaction, as they were recorded: the sequence must come out the
    /// same. What they claim was proved when they were made; check the books afterwards.
    pub async fn replay(&self, records: &[CommitRecord]) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM instance").fetch_one(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO lease (name, owner, epoch, until) VALUES ('process', 'rebuild', ?, 0)
             ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch",
        )
        .bind(epoch)
        .execute(&mut *tx)
        .await?;
        for record in records {
            replay_one(&mut tx, record, Epoch(epoch as u64)).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Makes sure that no epoch up to this one is given out again.
    pub async fn raise_epoch(&self, at_least: Epoch) -> Result<(), CatalogError> {
        sqlx::query("UPDATE instance SET epoch = max(epoch, ?)")
            .bind(int(at_least.0))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Writes a line of the audit trail in the name of the machine.
    pub async fn note(&self, action: &str, subject: &str) -> Result<(), CatalogError> {
        sqlx::query("INSERT INTO audit (at, actor, action, subject) VALUES (?, 'operator', ?, ?)")
            .bind(now())
            .bind(action)
            .bind(subject)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

async fn replay_one(
    tx: &mut SqliteConnection,
    record: &CommitRecord,
    epoch: Epoch,
) -> Result<(), CatalogError> {
    let wrong = |what: String| CatalogError::Malformed(format!("commit {}: {what}", record.seq.0));
    for advance in &record.advances {
        if let Some(refused) = commit::move_cursor(tx, epoch, advance).await? {
            return Err(wrong(format!("its advance does not follow the one before: {refused:?}")));
        }
        commit::book(tx, advance).await?;
    }
    for restatement in &record.restated {
        if let Some(refused) = restate::apply(tx, restatement).await? {
            return Err(wrong(format!("its restatement does not fit the books: {refused:?}")));
        }
    }
    let again = Commit {
        advances: record.advances.clone(),
        add: record.added.clone(),
        remove: record.removed.clone(),
        delta: record.delta.clone(),
        origin: record.origin,
        restate: record.restated.clone(),
        masks: record.masks.clone(),
        ..Commit::new(record.id, epoch, record.created_at)
    };
    let seq = commit::record(tx, &again).await?;
    if seq != record.seq {
        return Err(wrong(format!("it would become number {}: one before it is missing", seq.0)));
    }
    Ok(())
}

async fn dump(connection: &mut SqliteConnection, table: &str) -> Result<TableCopy, CatalogError> {
    let columns = columns(connection, table).await?;
    // By every column, so that equal content is an equal copy.
    let order: Vec<String> = (1..=columns.len()).map(|i| i.to_string()).collect();
    let sql = format!("SELECT {} FROM {table} ORDER BY {}", columns.join(", "), order.join(", "));
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let rows = rows.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    Ok(TableCopy { columns, rows })
}

async fn columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>, CatalogError> {
    let names = sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid").bind(table);
    Ok(names.fetch_all(connection).await?)
}

fn values(row: &SqliteRow) -> Result<Vec<Value>, CatalogError> {
    let mut values = Vec::with_capacity(row.len());
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let kind = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        values.push(match kind.as_str() {
            "NULL" => Value::Null,
            "INTEGER" => row.try_get::<i64, _>(at)?.into(),
            "REAL" => row.try_get::<f64, _>(at)?.into(),
            "BLOB" => {
                let bytes: Vec<u8> = row.try_get(at)?;
                let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                serde_json::json!({ "hex": hex })
            }
            _ => row.try_get::<String, _>(at)?.into(),
        });
    }
    Ok(values)
}

async fn fill(tx: &mut SqliteConnection, table: &str, copy: &TableCopy) -> Result<(), CatalogError> {
    let known = columns(tx, table).await?;
    if let Some(unknown) = copy.columns.iter().find(|c| !known.contains(c)) {
        return Err(newer(format!("column {table}.{unknown}")));
    }
    let marks = vec!["?"; copy.columns.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", copy.columns.join(", "));
    for row in &copy.rows {
        if row.len() != copy.columns.len() {
            return Err(CatalogError::Malformed(format!("the copy of {table} has a row of another length")));
        }
        let mut insert = sqlx::query(AssertSqlSafe(sql.clone()));
        for value in row {
            insert = match value {
                Value::Null => insert.bind(None::<i64>),
                Value::Number(n) if n.is_i64() => insert.bind(n.as_i64()),
                Value::Number(n) => insert.bind(n.as_f64()),
                Value::Object(bytes) => insert.bind(blob(bytes).ok_or_else(|| {
                    CatalogError::Malformed(format!("the copy of {table} has bytes that are not hex"))
                })?),
                Value::String(text) => insert.bind(text.clone()),
                other => insert.bind(other.to_string()),
            };
        }
        insert.execute(&mut *tx).await?;
    }
    Ok(())
}

fn blob(value: &serde_json::Map<String, Value>) -> Option<Vec<u8>> {
    let hex = value.get("hex")?.as_str()?;
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn newer(what: String) -> CatalogError {
    CatalogError::Malformed(format!("the copy has {what}, which this program does not know; upgrade it"))
}
