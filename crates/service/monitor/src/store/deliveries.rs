//! What was or is to be told to whom.
//!
//! Guarantees: at most one delivery per (incident, channel, reason), also over restarts; its id stays the same for
//! every attempt, so a receiver can tell a repetition.
//! Deliberately not here: sending (`alerts`).

use super::{WatchStore, text, value};
use crate::MonitorError;
use crate::alerts::Notice;
use crate::facts::ChannelFacts;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tallymark_model::Millis;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent (again).
    Waiting,
    /// The receiver has it.
    Sent,
    /// Given up.
    Failed,
}

/// One thing told to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, the same for every attempt.
    pub id: String,
    /// About which incident.
    pub incident: String,
    /// To which channel.
    pub channel: String,
    /// What about it: `opened`, `update:7`, `reminder:2`, `escalated:1`.
    pub reason: String,
    /// When it was decided.
    pub created_at: Millis,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, if it is.
    pub next_at: Option<Millis>,
    /// When it arrived, if it did.
    pub sent_at: Option<Millis>,
    /// What went wrong last.
    pub error: Option<String>,
    /// What is told.
    pub notice: Notice,
}

impl Delivery {
    /// What became of it.
    pub fn state(&self) -> DeliveryState {
        match (self.sent_at, self.next_at) {
            (Some(_), _) => DeliveryState::Sent,
            (None, Some(_)) => DeliveryState::Waiting,
            (None, None) => DeliveryState::Failed,
        }
    }
}

impl WatchStore {
    /// Puts something on the list, unless it is there. True if it is new.
    pub async fn enqueue(
        &self,
        incident: &str,
        channel: &str,
        reason: &str,
        notice: &Notice,
        now: Millis,
    ) -> Result<bool, MonitorError> {
        let done = sqlx::query(
            "INSERT OR IGNORE INTO delivery (id, incident, channel, dedup, created_at, next_at, body)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(format!("msg_{}", uuid::Uuid::now_v7().simple()))
        .bind(incident)
        .bind(channel)
        .bind(reason)
        .bind(now)
        .bind(now)
        .bind(text(notice, "notice")?)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// What is to be sent now, oldest first. What follows something about the same incident that did not arrive
    /// yet waits for it: nobody is told of an end before the beginning.
    pub async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Delivery>, MonitorError> {
        let rows = sqlx::query(
            "SELECT * FROM delivery AS d WHERE next_at <= ?1 AND NOT EXISTS (
                SELECT 1 FROM delivery AS before WHERE before.next_at > ?1 AND before.attempts > 0
                    AND before.channel = d.channel AND before.incident = d.incident)
             ORDER BY created_at, id LIMIT ?2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// The receiver has it.
    pub async fn record_sent(&self, id: &str, now: Millis) -> Result<(), MonitorError> {
        sqlx::query(
            "UPDATE delivery SET attempts = attempts + 1, sent_at = ?, next_at = NULL, error = NULL WHERE id = ?",
        )
        .bind(now)
        .bind(id)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The receiver does not have it. It is tried again at `next_at`, or given up.
    pub async fn record_failure(
        &self,
        id: &str,
        error: &str,
        next_at: Option<Millis>,
    ) -> Result<(), MonitorError> {
        sqlx::query("UPDATE delivery SET attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?")
            .bind(next_at)
            .bind(error)
            .bind(id)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Everything told or to be told about an incident, oldest first.
    pub async fn deliveries(&self, incident: &str) -> Result<Vec<Delivery>, MonitorError> {
        let rows = sqlx::query("SELECT * FROM delivery WHERE incident = ? ORDER BY created_at, id")
            .bind(incident)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The newest deliveries of all, newest first.
    pub async fn latest_deliveries(&self, limit: u32) -> Result<Vec<Delivery>, MonitorError> {
        let rows = sqlx::query("SELECT * FROM delivery ORDER BY created_at DESC, id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// How every channel with something undelivered fares.
    pub async fn channel_health(&self) -> Result<Vec<ChannelFacts>, MonitorError> {
        let rows = sqlx::query(
            "SELECT channel, min(created_at) AS since, count(*) AS waiting, max(error) AS error FROM delivery
             WHERE next_at IS NOT NULL AND attempts > 0 GROUP BY channel",
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .iter()
            .map(|r| ChannelFacts {
                channel: r.get("channel"),
                failing_since: r.get("since"),
                error: r.get("error"),
                waiting: r.get::<i64, _>("waiting") as u64,
            })
            .collect())
    }

    /// Removes what is older.
    pub async fn prune_deliveries(&self, created_before: Millis) -> Result<(), MonitorError> {
        sqlx::query("DELETE FROM delivery WHERE created_at < ? AND next_at IS NULL")
            .bind(created_before)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Delivery, MonitorError> {
    Ok(Delivery {
        id: row.get("id"),
        incident: row.get("incident"),
        channel: row.get("channel"),
        reason: row.get("dedup"),
        created_at: row.get("created_at"),
        attempts: row.get("attempts"),
        next_at: row.get("next_at"),
        sent_at: row.get("sent_at"),
        error: row.get("error"),
        notice: value(row.get("body"), "notice")?,
    })
}
