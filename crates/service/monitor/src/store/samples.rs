//! Samples of facts, for forecasts.
//!
//! Guarantees: one value per series and minute; older than 3 hours one per ten minutes, older than a day one per
//! hour, older than 60 days none; at most [`SERIES_MAX`] series.
//! Deliberately not here: fitting lines (`forecast`).

use super::WatchStore;
use crate::MonitorError;
use crate::config::{DAY, HOUR, MINUTE};
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};
use tallymark_model::Millis;

/// More series than this are not kept.
pub const SERIES_MAX: usize = 500;
const EVERY_MINUTE_FOR: Millis = 3 * HOUR;
const EVERY_TEN_MINUTES_FOR: Millis = DAY;
const KEPT_FOR: Millis = 60 * DAY;

impl WatchStore {
    /// Keeps one value per series for this minute; the first one of a minute counts.
    pub async fn add_samples(&self, at: Millis, values: &[(String, f64)]) -> Result<(), MonitorError> {
        let minute = at - at.rem_euclid(MINUTE);
        let mut tx = self.begin().await?;
        let mut known: BTreeSet<String> = sqlx::query_scalar("SELECT DISTINCT series FROM sample")
            .fetch_all(&mut *tx)
            .await?
            .into_iter()
            .collect();
        for (series, value) in values {
            if !known.contains(series) {
                if known.len() >= SERIES_MAX {
                    continue;
                }
                known.insert(series.clone());
            }
            sqlx::query("INSERT OR IGNORE INTO sample (series, at, value) VALUES (?, ?, ?)")
                .bind(series)
                .bind(minute)
                .bind(value)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Drops what is kept more finely than its age deserves.
    pub async fn thin_samples(&self, now: Millis) -> Result<u64, MonitorError> {
        let done = sqlx::query(
            "DELETE FROM sample WHERE (at < ?1 AND (at / 60000) % 10 != 0)
                OR (at < ?2 AND (at / 60000) % 60 != 0) OR at < ?3",
        )
        .bind(now - EVERY_MINUTE_FOR)
        .bind(now - EVERY_TEN_MINUTES_FOR)
        .bind(now - KEPT_FOR)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected())
    }

    /// Every series from `since` on: (time, value), oldest first.
    pub async fn samples(&self, since: Millis) -> Result<BTreeMap<String, Vec<(Millis, f64)>>, MonitorError> {
        let rows = sqlx::query("SELECT series, at, value FROM sample WHERE at >= ? ORDER BY series, at")
            .bind(since)
            .fetch_all(&self.read)
            .await?;
        let mut found: BTreeMap<String, Vec<(Millis, f64)>> = BTreeMap::new();
        for row in rows {
            found.entry(row.get("series")).or_default().push((row.get("at"), row.get("value")));
        }
        Ok(found)
    }
}
