//! What the watch saw in its last round.
//!
//! Guarantees: one row, replaced as a whole.
//! Deliberately not here: history.

use super::{WatchStore, text, value};
use crate::eta::EtaNow;
use crate::facts::LossStatement;
use crate::status::ComponentState;
use crate::{Component, Finding, MonitorError};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use tallymark_model::Millis;

/// The state of one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentNow {
    /// Which.
    pub component: Component,
    /// How it is.
    pub state: ComponentState,
    /// Since when.
    pub since: Millis,
}

/// What the watch saw in its last round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchSnapshot {
    /// When.
    pub at: Millis,
    /// Every component.
    pub components: Vec<ComponentNow>,
    /// Everything found, the worst first.
    pub findings: Vec<Finding>,
    /// What the ledger says; `None` if it could not be read.
    pub loss: Option<LossStatement>,
    /// The estimate of every lane that has a backlog.
    pub eta: Vec<EtaNow>,
    /// Facts that could not be obtained: name and error.
    #[serde(default)]
    pub unavailable: Vec<(String, String)>,
}

impl WatchStore {
    /// Replaces the snapshot, and the table of findings with it.
    pub async fn write_snapshot(&self, snapshot: &WatchSnapshot) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO snapshot (one, at, body) VALUES (1, ?, ?)")
            .bind(snapshot.at)
            .bind(text(snapshot, "snapshot")?)
            .execute(&mut *tx)
            .await?;
        for finding in &snapshot.findings {
            sqlx::query(
                "INSERT INTO finding (id, first_seen, last_seen, body) VALUES (?1, ?2, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET last_seen = ?2, body = ?3",
            )
            .bind(finding.id())
            .bind(snapshot.at)
            .bind(text(finding, "finding")?)
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("DELETE FROM finding WHERE last_seen < ?").bind(snapshot.at).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// The last snapshot; `None` if the watch never ran. Its age tells whether the watch lives.
    pub async fn snapshot(&self) -> Result<Option<WatchSnapshot>, MonitorError> {
        let row = sqlx::query("SELECT body FROM snapshot").fetch_optional(&self.read).await?;
        row.map(|r| value(r.get("body"), "snapshot")).transpose()
    }

    /// What is wrong now, with when each was seen first.
    pub async fn findings(&self) -> Result<Vec<(Finding, Millis)>, MonitorError> {
        let rows = sqlx::query("SELECT body, first_seen FROM finding ORDER BY first_seen, id")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|r| Ok((value(r.get("body"), "finding")?, r.get("first_seen")))).collect()
    }
}
