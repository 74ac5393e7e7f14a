//! Results of backups and of rehearsals of a restore.
//!
//! Guarantees: failures are kept beside successes.
//! Deliberately not here: making backups.

use super::{WatchStore, value};
use crate::MonitorError;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use tallymark_model::{Millis, Value};

const KEPT: i64 = 1_000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CareKind {
    /// A backup.
    Backup,
    /// A rehearsal of a restore.
    Rehearsal,
    /// A round of the archive.
    Archive,
}

impl CareKind {
    fn name(self) -> &'static str {
        match self {
            CareKind::Backup => "backup",
            CareKind::Rehearsal => "rehearsal",
            CareKind::Archive => "archive",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CareResult {
    /// What was done.
    pub kind: CareKind,
    /// When it ended.
    pub at: Millis,
    /// Whether it did what it should.
    pub ok: bool,
    /// Whatever is worth knowing: sizes, times, the error.
    pub report: Value,
}

impl WatchStore {
    /// Keeps a result.
    pub async fn record_care(&self, result: &CareResult) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO care_result (kind, at, ok, body) VALUES (?, ?, ?, ?)")
            .bind(result.kind.name())
            .bind(result.at)
            .bind(result.ok)
            .bind(result.report.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM care_result WHERE id <= (SELECT max(id) FROM care_result) - ?")
            .bind(KEPT)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Newest first.
    pub async fn care(&self, kind: CareKind, limit: u32) -> Result<Vec<CareResult>, MonitorError> {
        let rows = sqlx::query(
            "SELECT at, ok, body FROM care_result WHERE kind = ? ORDER BY at DESC, id DESC LIMIT ?",
        )
        .bind(kind.name())
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|r| {
                let report = value(r.get("body"), "care result")?;
                Ok(CareResult { kind, at: r.get("at"), ok: r.get("ok"), report })
            })
            .collect()
    }

    /// The newest success.
    pub async fn last_good_care(&self, kind: CareKind) -> Result<Option<Millis>, MonitorError> {
        Ok(sqlx::query_scalar("SELECT max(at) FROM care_result WHERE kind = ? AND ok = 1")
            .bind(kind.name())
            .fetch_one(&self.read)
            .await?)
    }
}
