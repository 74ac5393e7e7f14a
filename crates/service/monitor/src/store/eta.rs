//! The history of estimates, published with its errors.
//!
//! Guarantees: a point is what was shown, and is not changed but for its error, which is filled in at the end.
//! Deliberately not here: estimating.

use super::{WatchStore, text, value};
use crate::MonitorError;
use crate::eta::{EtaPoint, EtaScore, score};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tallymark_model::{Lane, Millis};

const RUNS_KEPT: i64 = 200;
const POINTS_PER_RUN_MAX: i64 = 20_000;

/// One backlog of one lane, with every estimate that was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtaRun {
    /// Its id.
    pub id: String,
    /// The lane.
    pub lane: Lane,
    /// When the backlog began.
    pub started_at: Millis,
    /// When it began to shrink.
    pub shrinking_since: Option<Millis>,
    /// When it was worked off.
    pub drained_at: Option<Millis>,
    /// How good the estimates were. Known at the end.
    pub score: Option<EtaScore>,
    /// What was shown, oldest first.
    #[serde(default)]
    pub points: Vec<EtaPoint>,
}

impl WatchStore {
    /// Begins a run.
    pub async fn open_eta_run(&self, lane: Lane, started_at: Millis) -> Result<String, MonitorError> {
        let id = uuid::Uuid::now_v7().to_string();
        let run = EtaRun {
            id: id.clone(),
            lane,
            started_at,
            shrinking_since: None,
            drained_at: None,
            score: None,
            points: Vec::new(),
        };
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO eta_run (id, started_at, body) VALUES (?, ?, ?)")
            .bind(&id)
            .bind(started_at)
            .bind(text(&run, "run of estimates")?)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM eta_run WHERE id NOT IN (SELECT id FROM eta_run ORDER BY started_at DESC LIMIT ?)",
        )
        .bind(RUNS_KEPT)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Keeps an estimate that is shown.
    pub async fn add_eta_point(
        &self,
        run: &str,
        point: &EtaPoint,
        shrinking_since: Option<Millis>,
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT OR REPLACE INTO eta_point (run, at, body) SELECT ?1, ?2, ?3
             WHERE (SELECT count(*) FROM eta_point WHERE run = ?1) < ?4",
        )
        .bind(run)
        .bind(point.at)
        .bind(text(point, "estimate")?)
        .bind(POINTS_PER_RUN_MAX)
        .execute(&mut *tx)
        .await?;
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM eta_run WHERE id = ?")
            .bind(run)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(body) = body {
            let stored = EtaRun { shrinking_since, ..value(&body, "run of estimates")? };
            sqlx::query("UPDATE eta_run SET body = ? WHERE id = ?")
                .bind(text(&stored, "run of estimates")?)
                .bind(run)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends a run: every point gets its error, the run its score.
    pub async fn close_eta_run(&self, run: &str, drained_at: Millis) -> Result<EtaRun, MonitorError> {
        let mut tx = self.begin().await?;
        let row =
            sqlx::query("SELECT body FROM eta_run WHERE id = ?").bind(run).fetch_optional(&mut *tx).await?;
        let row =
            row.ok_or_else(|| MonitorError::NotFound { what: "run of estimates", id: run.to_owned() })?;
        let mut found: EtaRun = value(row.get("body"), "run of estimates")?;
        let rows = sqlx::query("SELECT body FROM eta_point WHERE run = ? ORDER BY at")
            .bind(run)
            .fetch_all(&mut *tx)
            .await?;
        let mut points = rows_of(&rows)?;
        found.score = Some(score(&mut points, found.shrinking_since.unwrap_or(found.started_at), drained_at));
        found.drained_at = Some(drained_at);
        for point in &points {
            sqlx::query("UPDATE eta_point SET body = ? WHERE run = ? AND at = ?")
                .bind(text(point, "estimate")?)
                .bind(run)
                .bind(point.at)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE eta_run SET drained_at = ?, body = ? WHERE id = ?")
            .bind(drained_at)
            .bind(text(&found, "run of estimates")?)
            .bind(run)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        found.points = points;
        Ok(found)
    }

    /// The newest runs with their points, newest first.
    pub async fn eta_runs(&self, limit: u32) -> Result<Vec<EtaRun>, MonitorError> {
        let rows = sqlx::query("SELECT id, body FROM eta_run ORDER BY started_at DESC, id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let mut run: EtaRun = value(row.get("body"), "run of estimates")?;
            let points = sqlx::query("SELECT body FROM eta_point WHERE run = ? ORDER BY at")
                .bind(row.get::<String, _>("id"))
                .fetch_all(&self.read)
                .await?;
            run.points = rows_of(&points)?;
            runs.push(run);
        }
        Ok(runs)
    }

    /// Runs that have not ended, without points.
    pub async fn open_eta_runs(&self) -> Result<Vec<EtaRun>, MonitorError> {
        let rows = sqlx::query("SELECT body FROM eta_run WHERE drained_at IS NULL ORDER BY started_at")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|r| value(r.get("body"), "run of estimates")).collect()
    }
}

fn rows_of(rows: &[SqliteRow]) -> Result<Vec<EtaPoint>, MonitorError> {
    rows.iter().map(|r| value(r.get("body"), "estimate")).collect()
}
