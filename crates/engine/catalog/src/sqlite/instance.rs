//! Settings of the instance, and projects that are deleted but can come back.
//!
//! Guarantees: a deleted project keeps its number, keys and rows until its time to undo has passed.
//! Deliberately not here: what the settings mean.

use super::{SqliteCatalog, audit, now};
use crate::{CatalogError, Instance, Project, Tombstones};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::Row;
use tallymark_model::{Millis, ProjectId};

#[async_trait]
impl Instance for SqliteCatalog {
    async fn setting(&self, key: &str) -> Result<Option<Value>, CatalogError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.read)
            .await?;
        text.map(|t| serde_json::from_str(&t).map_err(CatalogError::corrupt("settings"))).transpose()
    }

    async fn settings(&self) -> Result<Vec<(String, Value)>, CatalogError> {
        let rows = sqlx::query("SELECT key, value FROM settings ORDER BY key").fetch_all(&self.read).await?;
        rows.iter()
            .map(|row| {
                let value =
                    serde_json::from_str(row.try_get("value")?).map_err(CatalogError::corrupt("settings"))?;
                Ok((row.try_get("key")?, value))
            })
            .collect()
    }

    async fn set_setting(&self, key: &str, value: &Value) -> Result<(), CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO settings (key, value, changed_at) VALUES (?, ?, ?)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at",
        )
        .bind(key)
        .bind(value.to_string())
        .bind(now())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn set_project_options(&self, project: ProjectId, options: &Value) -> Result<bool, CatalogError> {
        if !options.is_object() {
            return Err(CatalogError::Invalid { field: "settings", reason: "must be an object".to_owned() });
        }
        let mut tx = self.begin().await?;
        let changed = sqlx::query("UPDATE projects SET settings = ? WHERE id = ? AND deleted_at IS NULL")
            .bind(options.to_string())
            .bind(i64::from(project.0))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(changed == 1)
    }
}

#[async_trait]
impl Tombstones for SqliteCatalog {
    async fn delete_project(&self, project: ProjectId, undo_until: Millis) -> Result<bool, CatalogError> {
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE projects SET deleted_at = ?, undo_until = ? WHERE id = ? AND deleted_at IS NULL",
        )
        .bind(now())
        .bind(undo_until)
        .bind(i64::from(project.0))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            audit::write(&mut tx, "operator", "project.deleted", &project.to_string()).await?;
        }
        tx.commit().await?;
        Ok(changed == 1)
    }

    async fn undelete_project(&self, project: ProjectId) -> Result<bool, CatalogError> {
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "UPDATE projects SET deleted_at = NULL, undo_until = NULL
             WHERE id = ? AND deleted_at IS NOT NULL AND undo_until > ?",
        )
        .bind(i64::from(project.0))
        .bind(now())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            audit::write(&mut tx, "operator", "project.restored", &project.to_string()).await?;
        }
        tx.commit().await?;
        Ok(changed == 1)
    }

    async fn deleted_projects(&self) -> Result<Vec<(Project, Millis)>, CatalogError> {
        let rows =
            sqlx::query("SELECT id, undo_until FROM projects WHERE deleted_at IS NOT NULL ORDER BY id")
                .fetch_all(&self.read)
                .await?;
        let mut deleted = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            if let Some(project) = self.any_project(id).await? {
                deleted.push((project, row.try_get("undo_until")?));
            }
        }
        Ok(deleted)
    }
}
