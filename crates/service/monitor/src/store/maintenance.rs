//! Maintenance windows: announced times in which a component may not work.
//!
//! Guarantees: what state a window is in follows from the time alone.
//! Deliberately not here: muting alerts (`alerts::plan`).

use super::{WatchStore, text, value};
use crate::{Component, MonitorError};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use tallymark_model::Millis;

/// Where a window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceState {
    /// It is to come.
    Scheduled,
    /// Now.
    InProgress,
    /// It is over.
    Completed,
}

/// An announced time in which components may not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its id; empty when it is new.
    #[serde(default)]
    pub id: String,
    /// What for; public.
    pub title: String,
    /// More about it; public.
    #[serde(default)]
    pub text: String,
    /// Which components.
    pub components: Vec<Component>,
    /// From when.
    pub starts_at: Millis,
    /// Until when.
    pub ends_at: Millis,
    /// Who announced it.
    #[serde(default)]
    pub by: String,
    /// When it was announced.
    #[serde(default)]
    pub created_at: Millis,
}

impl Maintenance {
    /// Where it stands.
    pub fn state(&self, now: Millis) -> MaintenanceState {
        match now {
            _ if now < self.starts_at => MaintenanceState::Scheduled,
            _ if now < self.ends_at => MaintenanceState::InProgress,
            _ => MaintenanceState::Completed,
        }
    }
    /// True if the component is under maintenance.
    pub fn covers(&self, component: Component, now: Millis) -> bool {
        self.state(now) == MaintenanceState::InProgress
            && self.components.iter().any(|c| *c == component || *c == component.root())
    }
}

impl WatchStore {
    /// Announces a window, or changes one (same id). Answers its id.
    pub async fn put_maintenance(&self, window: &Maintenance) -> Result<String, MonitorError> {
        if window.ends_at <= window.starts_at {
            return Err(MonitorError::config("ends_at", "must be after the start"));
        }
        if window.title.trim().is_empty() || window.components.is_empty() {
            return Err(MonitorError::config("maintenance", "needs a title and at least one component"));
        }
        let mut window = window.clone();
        if window.id.is_empty() {
            window.id = uuid::Uuid::now_v7().to_string();
        }
        sqlx::query("INSERT OR REPLACE INTO maintenance (id, starts_at, ends_at, body) VALUES (?, ?, ?, ?)")
            .bind(&window.id)
            .bind(window.starts_at)
            .bind(window.ends_at)
            .bind(text(&window, "maintenance window")?)
            .execute(&self.write)
            .await?;
        Ok(window.id)
    }

    /// Takes a window back. True if there was one.
    pub async fn delete_maintenance(&self, id: &str) -> Result<bool, MonitorError> {
        let done = sqlx::query("DELETE FROM maintenance WHERE id = ?").bind(id).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Windows that end after `since`, the latest start first.
    pub async fn maintenance(&self, since: Millis) -> Result<Vec<Maintenance>, MonitorError> {
        let rows = sqlx::query("SELECT body FROM maintenance WHERE ends_at > ? ORDER BY starts_at DESC, id")
            .bind(since)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|r| value(r.get("body"), "maintenance window")).collect()
    }
}
