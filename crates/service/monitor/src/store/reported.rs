//! What the auditor reports.
//!
//! Guarantees: a report stands until it is resolved by its key; reporting again keeps the first time.
//! Deliberately not here: judging it (`checks::auditor`).

use super::{WatchStore, text, value};
use crate::MonitorError;
use crate::facts::AuditFinding;
use sqlx::Row;
use tallymark_model::{Millis, ProjectId};

impl WatchStore {
    /// Reports something that is wrong with the books. The watch sees it in its next round.
    pub async fn report_finding(&self, finding: &AuditFinding) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        let known: Option<Millis> = sqlx::query_scalar("SELECT at FROM reported WHERE key = ?")
            .bind(&finding.key)
            .fetch_optional(&mut *tx)
            .await?;
        let finding = AuditFinding { found: known.unwrap_or(finding.found), ..finding.clone() };
        sqlx::query("INSERT OR REPLACE INTO reported (key, at, body) VALUES (?, ?, ?)")
            .bind(&finding.key)
            .bind(finding.found)
            .bind(text(&finding, "report")?)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Says that it is right again. True if it was reported.
    pub async fn resolve_finding(&self, key: &str) -> Result<bool, MonitorError> {
        let done = sqlx::query("DELETE FROM reported WHERE key = ?").bind(key).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Everything reported and not resolved, oldest first.
    pub async fn reported(&self) -> Result<Vec<AuditFinding>, MonitorError> {
        let rows = sqlx::query("SELECT body FROM reported ORDER BY at, key").fetch_all(&self.read).await?;
        rows.iter().map(|r| value(r.get("body"), "report")).collect()
    }

    /// Notes conflicting duplicates of a commit. Noted again, it is the same.
    pub async fn note_conflicts(
        &self,
        seq: u64,
        found: &[(ProjectId, Millis, u64)],
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        for (project, hour, count) in found {
            sqlx::query("INSERT OR REPLACE INTO conflict (seq, project, hour, count) VALUES (?, ?, ?, ?)")
                .bind(seq as i64)
                .bind(i64::from(project.0))
                .bind(hour)
                .bind(*count as i64)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Conflicting duplicates of a project by hour, newest first, at most `limit` hours.
    pub async fn conflicts(
        &self,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<(Millis, u64)>, MonitorError> {
        let rows = sqlx::query(
            "SELECT hour, sum(count) AS n FROM conflict WHERE project = ? GROUP BY hour ORDER BY hour DESC LIMIT ?",
        )
        .bind(i64::from(project.0))
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        Ok(rows.iter().map(|r| (r.get("hour"), r.get::<i64, _>("n") as u64)).collect())
    }

    /// Conflicting duplicates, of a project or of all.
    pub async fn conflicts_in_all(&self, project: Option<ProjectId>) -> Result<u64, MonitorError> {
        let sum: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(count), 0) FROM conflict WHERE ?1 IS NULL OR project = ?1",
        )
        .bind(project.map(|p| i64::from(p.0)))
        .fetch_one(&self.read)
        .await?;
        Ok(sum as u64)
    }
}
