//! Who sends what: what the watch remembers of each source, and what people decided about it.
//!
//! Guarantees: what was heard and how far the log was listened to are written together, so nothing is counted twice
//! and nothing is left out, however the watch ends. What people decide is kept apart.
//! Deliberately not here: listening (`server`), judging (`checks`).

use super::{WatchStore, text, value};
use crate::MonitorError;
use crate::checks::SourceState;
use crate::facts::{Source, SourceFacts};
use crate::sources::Heard;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use std::collections::BTreeMap;
use tallymark_model::{Millis, ProjectId, ProjectToken};

/// A source as the watch remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    /// Who.
    pub source: Source,
    /// Its key's hash, to find out whose it is.
    pub token: ProjectToken,
    /// What was heard of it.
    pub heard: Heard,
    /// How it was in the last round.
    pub state: SourceState,
    /// The event after which it was found silent, if it was.
    #[serde(default)]
    pub silent_after: Option<Millis>,
    /// Its key is not valid any more.
    #[serde(default)]
    pub key_ended: bool,
}

impl SourceRow {
    /// What there is to judge.
    pub fn facts(&self, watched: bool, now: Millis) -> SourceFacts {
        SourceFacts {
            source: self.source.clone(),
            watched,
            key_ended: self.key_ended,
            found_silent: self.silent_after == Some(self.heard.last()),
            volume: self.heard.volume(now),
        }
    }
}

/// What somebody decided about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceChoice {
    /// Whether anybody wants to be told.
    pub watched: bool,
    /// It ended: what it sent until then is to be forgotten.
    pub ended_at: Option<Millis>,
}

impl WatchStore {
    /// Writes sources that changed, drops those that are gone, and notes how far the log was listened to.
    pub async fn save_sources(
        &self,
        changed: &[&SourceRow],
        gone: &[String],
        offsets: &[(String, u64)],
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        for row in changed {
            sqlx::query("INSERT OR REPLACE INTO source (id, project, body) VALUES (?, ?, ?)")
                .bind(&row.source.id)
                .bind(i64::from(row.source.project.0))
                .bind(text(row, "source")?)
                .execute(&mut *tx)
                .await?;
        }
        for id in gone {
            sqlx::query("DELETE FROM source WHERE id = ?").bind(id).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM source_choice WHERE id = ?").bind(id).execute(&mut *tx).await?;
        }
        for (shard, next) in offsets {
            sqlx::query("INSERT OR REPLACE INTO source_offset (shard, next) VALUES (?, ?)")
                .bind(shard)
                .bind(i64::try_from(*next).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The sources of a project, or all, by id.
    pub async fn sources(&self, project: Option<ProjectId>) -> Result<Vec<SourceRow>, MonitorError> {
        let rows = sqlx::query("SELECT body FROM source WHERE ?1 IS NULL OR project = ?1 ORDER BY id")
            .bind(project.map(|p| i64::from(p.0)))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|r| value(r.get("body"), "source")).collect()
    }

    /// How far the log was listened to, by shard.
    pub async fn source_offsets(&self) -> Result<BTreeMap<String, u64>, MonitorError> {
        let rows = sqlx::query("SELECT shard, next FROM source_offset").fetch_all(&self.read).await?;
        let of = |r: &sqlx::sqlite::SqliteRow| (r.get("shard"), r.get::<i64, _>("next").max(0) as u64);
        Ok(rows.iter().map(of).collect())
    }

    /// What was decided, by source.
    pub async fn source_choices(&self) -> Result<BTreeMap<String, SourceChoice>, MonitorError> {
        let rows =
            sqlx::query("SELECT id, watched, ended_at FROM source_choice").fetch_all(&self.read).await?;
        let of = |r: &sqlx::sqlite::SqliteRow| {
            let choice = SourceChoice { watched: r.get("watched"), ended_at: r.get("ended_at") };
            (r.get("id"), choice)
        };
        Ok(rows.iter().map(of).collect())
    }

    /// Whether somebody wants to be told about a source of this project. False: there is none.
    pub async fn watch_source(
        &self,
        project: ProjectId,
        id: &str,
        watched: bool,
        by: &str,
    ) -> Result<bool, MonitorError> {
        let done = sqlx::query(
            "INSERT INTO source_choice (id, watched, by)
                 SELECT id, ?3, ?4 FROM source WHERE id = ?1 AND project = ?2
             ON CONFLICT (id) DO UPDATE SET watched = excluded.watched, by = excluded.by",
        )
        .bind(id)
        .bind(i64::from(project.0))
        .bind(watched)
        .bind(by)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A source of this project ended for good: it is forgotten with its history. What it sends later is a new one.
    /// False: there is none.
    pub async fn end_source(
        &self,
        project: ProjectId,
        id: &str,
        by: &str,
        now: Millis,
    ) -> Result<bool, MonitorError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM source WHERE id = ? AND project = ?")
            .bind(id)
            .bind(i64::from(project.0))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        // The watch still remembers it: this tells it not to.
        sqlx::query("INSERT OR REPLACE INTO source_choice (id, watched, ended_at, by) VALUES (?, 1, ?, ?)")
            .bind(id)
            .bind(now)
            .bind(by)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
