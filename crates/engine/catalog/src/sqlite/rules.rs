//! Rules and erasures in SQLite.
//!
//! Guarantees: versions of a rule count up without gaps; what was published is noted, never assumed.
//! Deliberately not here: handing them to the log.

use super::{SqliteCatalog, audit, now};
use crate::{CatalogError, ErasureDocument, RuleDocument, Rules};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tallymark_model::{ERASED_RULE, Erasure, ProjectId, Rule};

#[async_trait]
impl Rules for SqliteCatalog {
    async fn put_rule(&self, mut rule: Rule) -> Result<RuleDocument, CatalogError> {
        let mut tx = self.begin().await?;
        if rule.id == 0 {
            let last: i64 =
                sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM rules").fetch_one(&mut *tx).await?;
            rule.id = u32::try_from(last + 1).unwrap_or(ERASED_RULE);
            rule.version = 1;
        } else {
            let last: Option<i64> =
                sqlx::query_scalar("SELECT max(version) FROM rules WHERE id = ? AND project = ?")
                    .bind(i64::from(rule.id))
                    .bind(i64::from(rule.project.0))
                    .fetch_one(&mut *tx)
                    .await?;
            let Some(last) = last else {
                let reason = format!("project {} has no rule {}", rule.project, rule.id);
                return Err(CatalogError::Invalid { field: "id", reason });
            };
            rule.version = u32::try_from(last + 1).unwrap_or(u32::MAX);
        }
        if rule.id == ERASED_RULE {
            let reason = "no rule numbers are left".to_owned();
            return Err(CatalogError::Invalid { field: "id", reason });
        }
        rule.made_at = now();
        sqlx::query("INSERT INTO rules (id, version, project, rule, made_at) VALUES (?, ?, ?, ?, ?)")
            .bind(i64::from(rule.id))
            .bind(i64::from(rule.version))
            .bind(i64::from(rule.project.0))
            .bind(serde_json::to_string(&rule).map_err(CatalogError::corrupt("rules"))?)
            .bind(rule.made_at)
            .execute(&mut *tx)
            .await?;
        let subject =
            format!("rule {} version {} of project {}: {}", rule.id, rule.version, rule.project, rule.name);
        audit::write(&mut tx, &rule.by, "rule.changed", &subject).await?;
        tx.commit().await?;
        Ok(RuleDocument { rule, published_at: None })
    }

    async fn rules(&self, project: ProjectId) -> Result<Vec<RuleDocument>, CatalogError> {
        let rows = sqlx::query(
            "SELECT rule, published_at FROM rules r WHERE project = ?1
                AND version = (SELECT max(version) FROM rules o WHERE o.id = r.id) ORDER BY id",
        )
        .bind(i64::from(project.0))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(rule).collect()
    }

    async fn rule_versions(&self, id: u32) -> Result<Vec<RuleDocument>, CatalogError> {
        let rows = sqlx::query("SELECT rule, published_at FROM rules WHERE id = ? ORDER BY version")
            .bind(i64::from(id))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(rule).collect()
    }

    async fn unpublished_rules(&self) -> Result<Vec<Rule>, CatalogError> {
        let rows = sqlx::query(
            "SELECT rule, published_at FROM rules WHERE published_at IS NULL ORDER BY made_at, id, version",
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok(rule(row)?.rule)).collect()
    }

    async fn rule_published(&self, id: u32, version: u32) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE rules SET published_at = ? WHERE id = ? AND version = ? AND published_at IS NULL",
        )
        .bind(now())
        .bind(i64::from(id))
        .bind(i64::from(version))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn put_erasure(&self, mut erasure: Erasure) -> Result<ErasureDocument, CatalogError> {
        let mut tx = self.begin().await?;
        let asked_at = std::mem::replace(&mut erasure.made_at, now());
        if erasure.id == 0 {
            // The time to take it back counts from what the books say, not from the asker's clock.
            erasure.undo_until = erasure.undo_until.saturating_add(erasure.made_at - asked_at);
            // The number is part of the document, so it is taken before the document is written.
            let last: i64 =
                sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM erasures").fetch_one(&mut *tx).await?;
            erasure.id = u32::try_from(last + 1).unwrap_or(u32::MAX);
            sqlx::query("INSERT INTO erasures (id, project, erasure, made_at) VALUES (?, ?, ?, ?)")
                .bind(i64::from(erasure.id))
                .bind(i64::from(erasure.project.0))
                .bind(text(&erasure)?)
                .bind(erasure.made_at)
                .execute(&mut *tx)
                .await?;
        } else {
            change(&mut tx, &erasure).await?;
        }
        let action = if erasure.undone { "erasure.undone" } else { "erasure.asked" };
        let subject = format!("erasure {} of project {}", erasure.id, erasure.project);
        audit::write(&mut tx, &erasure.by, action, &subject).await?;
        tx.commit().await?;
        Ok(ErasureDocument { erasure, published_at: None, completed_at: None })
    }

    async fn erasures(&self, project: Option<ProjectId>) -> Result<Vec<ErasureDocument>, CatalogError> {
        let rows = sqlx::query(
            "SELECT erasure, published_at, completed_at FROM erasures WHERE ?1 IS NULL OR project = ?1 ORDER BY id DESC",
        )
        .bind(project.map(|p| i64::from(p.0)))
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ErasureDocument {
                    erasure: serde_json::from_str(row.try_get("erasure")?)
                        .map_err(CatalogError::corrupt("erasures"))?,
                    published_at: row.try_get("published_at")?,
                    completed_at: row.try_get("completed_at")?,
                })
            })
            .collect()
    }

    async fn erasure_published(&self, id: u32) -> Result<(), CatalogError> {
        self.note_erasure("UPDATE erasures SET published_at = ? WHERE id = ? AND published_at IS NULL", id)
            .await
    }

    async fn erasure_completed(&self, id: u32) -> Result<(), CatalogError> {
        self.note_erasure("UPDATE erasures SET completed_at = ? WHERE id = ? AND completed_at IS NULL", id)
            .await
    }
}

impl SqliteCatalog {
    async fn note_erasure(&self, statement: &'static str, id: u32) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query(statement).bind(now()).bind(i64::from(id)).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

/// Only while nothing was removed for good.
async fn change(tx: &mut SqliteConnection, erasure: &Erasure) -> Result<(), CatalogError> {
    let changed = sqlx::query(
        "UPDATE erasures SET erasure = ?, made_at = ?, published_at = NULL
         WHERE id = ? AND project = ? AND completed_at IS NULL",
    )
    .bind(text(erasure)?)
    .bind(erasure.made_at)
    .bind(i64::from(erasure.id))
    .bind(i64::from(erasure.project.0))
    .execute(tx)
    .await?
    .rows_affected();
    if changed == 1 {
        return Ok(());
    }
    let reason = format!("project {} has no erasure {} that can be changed", erasure.project, erasure.id);
    Err(CatalogError::Invalid { field: "id", reason })
}

fn rule(row: &SqliteRow) -> Result<RuleDocument, CatalogError> {
    Ok(RuleDocument {
        rule: serde_json::from_str(row.try_get("rule")?).map_err(CatalogError::corrupt("rules"))?,
        published_at: row.try_get("published_at")?,
    })
}

fn text(erasure: &Erasure) -> Result<String, CatalogError> {
    serde_json::to_string(erasure).map_err(CatalogError::corrupt("erasures"))
}
