//! How long each component was in which state, per day.
//!
//! Guarantees: only time the watch has seen is counted; time it did not see is missing, not "operational".
//! Deliberately not here: percentages (`status::uptime`).

use super::WatchStore;
use crate::status::ComponentState;
use crate::{Component, MonitorError};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// Milliseconds per state of one component on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DayStates(pub BTreeMap<ComponentState, Millis>);

/// Days (`2026-11-21`, UTC) of one component.
pub type DayHistory = BTreeMap<String, DayStates>;

impl WatchStore {
    /// Adds time in a state to a day.
    pub async fn add_time(
        &self,
        day: &str,
        states: &[(Component, ComponentState)],
        ms: Millis,
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        for (component, state) in states {
            sqlx::query(
                "INSERT INTO day (component, day, state, ms) VALUES (?, ?, ?, ?)
                 ON CONFLICT (component, day, state) DO UPDATE SET ms = ms + excluded.ms",
            )
            .bind(component.slug())
            .bind(day)
            .bind(state.name())
            .bind(ms)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Every component's days from `day` (inclusive, `2026-11-21`) on.
    pub async fn days(&self, from: &str) -> Result<BTreeMap<Component, DayHistory>, MonitorError> {
        let rows = sqlx::query("SELECT component, day, state, ms FROM day WHERE day >= ?")
            .bind(from)
            .fetch_all(&self.read)
            .await?;
        let mut found: BTreeMap<Component, DayHistory> = BTreeMap::new();
        for row in rows {
            // A component or state that a newer version knew is passed by.
            let (Some(component), Some(state)) =
                (Component::from_slug(row.get("component")), ComponentState::from_name(row.get("state")))
            else {
                continue;
            };
            let day = found.entry(component).or_default().entry(row.get("day")).or_default();
            *day.0.entry(state).or_default() += row.get::<Millis, _>("ms");
        }
        Ok(found)
    }
}
