//! What the auditor reports.
//!
//! Guarantees: a report stands until it is resolved by its key; reporting again keeps the first time.
//! Deliberately not here: judging it (`checks::auditor`).

use super::{WatchStore, text, value};
use crate::MonitorError;
use crate::facts::AuditFinding;
use sqlx::Row;
use tallymark_model::Millis;

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
}
