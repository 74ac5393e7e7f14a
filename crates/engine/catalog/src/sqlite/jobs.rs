//! Jobs in SQLite.
//!
//! Guarantees: a job is claimed by whoever updates its row first; what ended stays ended.
//! Deliberately not here: doing the work.

use super::{SqliteCatalog, audit, int, now};
use crate::{CatalogError, Job, JobKind, JobProgress, JobState, JobWish, Jobs, NewJob};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tallymark_model::ProjectId;

#[async_trait]
impl Jobs for SqliteCatalog {
    async fn create_job(&self, new: NewJob) -> Result<Job, CatalogError> {
        let mut tx = self.begin().await?;
        let at = now();
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO jobs (kind, project, spec, dry_run, by_whom, reason, state, wish, progress, report,
                               created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, 'queued', 'run', ?, 'null', ?, ?) RETURNING id",
        )
        .bind(new.kind.name())
        .bind(new.project.map(|p| i64::from(p.0)))
        .bind(new.spec.to_string())
        .bind(new.dry_run)
        .bind(&new.by)
        .bind(&new.reason)
        .bind(json(&JobProgress::default())?)
        .bind(at)
        .bind(at)
        .fetch_one(&mut *tx)
        .await?;
        let what = if new.dry_run { "job.tried" } else { "job.asked" };
        audit::write(&mut tx, &new.by, what, &format!("{} {} {}", id, new.kind.name(), new.spec)).await?;
        let job = one(&mut tx, id).await?;
        tx.commit().await?;
        job.ok_or_else(|| CatalogError::Malformed("a job vanished while it was created".to_owned()))
    }

    async fn job(&self, id: i64) -> Result<Option<Job>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        one(&mut connection, id).await
    }

    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, CatalogError> {
        let rows = sqlx::query("SELECT * FROM jobs ORDER BY id DESC LIMIT ?")
            .bind(int(limit as u64))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(job).collect()
    }

    async fn claim_job(&self, kinds: &[JobKind]) -> Result<Option<Job>, CatalogError> {
        let mut tx = self.begin().await?;
        let names: Vec<&str> = kinds.iter().map(|k| k.name()).collect();
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM jobs WHERE kind IN (SELECT value FROM json_each(?))
                AND state IN ('queued', 'running') AND wish = 'run'
             ORDER BY state = 'queued', id LIMIT 1",
        )
        .bind(json(&names)?)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = id else { return Ok(None) };
        let at = now();
        sqlx::query(
            "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, ?), updated_at = ? WHERE id = ?",
        )
        .bind(at)
        .bind(at)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        let job = one(&mut tx, id).await?;
        tx.commit().await?;
        Ok(job)
    }

    async fn report_job(&self, id: i64, progress: &JobProgress) -> Result<JobWish, CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE jobs SET progress = ?, updated_at = ? WHERE id = ?")
            .bind(json(progress)?)
            .bind(now())
            .bind(id)
            .execute(&mut *tx)
            .await?;
        let wish: Option<String> = sqlx::query_scalar("SELECT wish FROM jobs WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        // A row that is gone wants nothing any more.
        wish.as_deref().map_or(Ok(JobWish::Cancel), wish_of)
    }

    async fn end_job(
        &self,
        id: i64,
        state: JobState,
        report: Value,
        error: Option<&str>,
    ) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        let at = now();
        sqlx::query(
            "UPDATE jobs SET state = ?, report = ?, error = ?, updated_at = ?,
                    finished_at = CASE WHEN ? THEN ? ELSE NULL END
             WHERE id = ? AND state NOT IN ('done', 'failed', 'cancelled')",
        )
        .bind(state.name())
        .bind(report.to_string())
        .bind(error)
        .bind(at)
        .bind(state.is_final())
        .bind(at)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn steer_job(&self, id: i64, wish: JobWish) -> Result<Option<Job>, CatalogError> {
        let mut tx = self.begin().await?;
        let Some(known) = one(&mut tx, id).await?.filter(|j| !j.state.is_final()) else { return Ok(None) };
        let state = match (wish, known.state) {
            (JobWish::Cancel, JobState::Queued | JobState::Paused) => JobState::Cancelled,
            (JobWish::Pause, JobState::Queued) => JobState::Paused,
            (JobWish::Run, JobState::Paused) => JobState::Queued,
            (_, state) => state,
        };
        let at = now();
        sqlx::query(
            "UPDATE jobs SET wish = ?, state = ?, updated_at = ?, finished_at = CASE WHEN ? THEN ? ELSE NULL END
             WHERE id = ?",
        )
        .bind(wish_name(wish))
        .bind(state.name())
        .bind(at)
        .bind(state.is_final())
        .bind(at)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        let job = one(&mut tx, id).await?;
        tx.commit().await?;
        Ok(job)
    }
}

async fn one(connection: &mut SqliteConnection, id: i64) -> Result<Option<Job>, CatalogError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id).fetch_optional(connection).await?;
    row.as_ref().map(job).transpose()
}

fn job(row: &SqliteRow) -> Result<Job, CatalogError> {
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let newer = |what: &str| {
        CatalogError::Malformed(format!("a job has the {what}, which comes from a newer version"))
    };
    let parsed = |column: &str| -> Result<Value, CatalogError> {
        serde_json::from_str(row.try_get(column)?).map_err(CatalogError::corrupt("jobs"))
    };
    Ok(Job {
        id: row.try_get("id")?,
        kind: JobKind::from_name(&kind).ok_or_else(|| newer(&format!("kind {kind}")))?,
        project: row.try_get::<Option<i64>, _>("project")?.map(|p| ProjectId(u32::try_from(p).unwrap_or(0))),
        spec: parsed("spec")?,
        dry_run: row.try_get("dry_run")?,
        by: row.try_get("by_whom")?,
        reason: row.try_get("reason")?,
        state: JobState::from_name(&state).ok_or_else(|| newer(&format!("state {state}")))?,
        wish: wish_of(row.try_get("wish")?)?,
        progress: serde_json::from_str(row.try_get("progress")?).map_err(CatalogError::corrupt("jobs"))?,
        report: parsed("report")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn wish_name(wish: JobWish) -> &'static str {
    match wish {
        JobWish::Run => "run",
        JobWish::Pause => "pause",
        JobWish::Cancel => "cancel",
    }
}

fn wish_of(text: &str) -> Result<JobWish, CatalogError> {
    [JobWish::Run, JobWish::Pause, JobWish::Cancel].into_iter().find(|w| wish_name(*w) == text).ok_or_else(
        || CatalogError::Malformed(format!("a job has the wish {text}, which comes from a newer version")),
    )
}

fn json(value: &impl serde::Serialize) -> Result<String, CatalogError> {
    serde_json::to_string(value).map_err(CatalogError::corrupt("jobs"))
}
