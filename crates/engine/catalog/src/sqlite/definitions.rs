//! Definitions in SQLite.
//!
//! Guarantees: versions of a name count up without gaps, deletions included; every change is in the audit trail.
//! Deliberately not here: whether a body makes sense.

use super::{SqliteCatalog, audit, now, uint};
use crate::{CatalogError, Definition, DefinitionKind, Definitions};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tallymark_model::ProjectId;

#[async_trait]
impl Definitions for SqliteCatalog {
    async fn define(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
        body: Option<&Value>,
        by: &str,
    ) -> Result<Definition, CatalogError> {
        let mut tx = self.begin().await?;
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT max(version) FROM definitions WHERE project = ? AND kind = ? AND name = ?",
        )
        .bind(i64::from(project.0))
        .bind(kind.name())
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
        let version = u32::try_from(last.unwrap_or(0) + 1).unwrap_or(u32::MAX);
        let made_at = now();
        let text = body.map(serde_json::to_string).transpose();
        sqlx::query(
            "INSERT INTO definitions (project, kind, name, version, body, made_by, made_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::from(project.0))
        .bind(kind.name())
        .bind(name)
        .bind(i64::from(version))
        .bind(text.map_err(CatalogError::corrupt("definitions"))?)
        .bind(by)
        .bind(made_at)
        .execute(&mut *tx)
        .await?;
        let action = if body.is_some() { "definition.changed" } else { "definition.deleted" };
        let subject = format!("{} {name:?} version {version} of project {project}", kind.name());
        audit::write(&mut tx, by, action, &subject).await?;
        tx.commit().await?;
        let (name, by) = (name.to_owned(), by.to_owned());
        Ok(Definition { project, kind, name, version, body: body.cloned(), by, made_at })
    }

    async fn definitions(&self, project: ProjectId) -> Result<Vec<Definition>, CatalogError> {
        let rows = sqlx::query(
            "SELECT * FROM definitions d WHERE project = ? AND body IS NOT NULL AND version =
                (SELECT max(version) FROM definitions o
                  WHERE o.project = d.project AND o.kind = d.kind AND o.name = d.name)
             ORDER BY kind, name",
        )
        .bind(i64::from(project.0))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(definition).collect()
    }

    async fn definition_versions(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
    ) -> Result<Vec<Definition>, CatalogError> {
        let rows = sqlx::query(
            "SELECT * FROM definitions WHERE project = ? AND kind = ? AND name = ? ORDER BY version DESC",
        )
        .bind(i64::from(project.0))
        .bind(kind.name())
        .bind(name)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(definition).collect()
    }

    async fn definitions_mark(&self, project: ProjectId) -> Result<i64, CatalogError> {
        Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM definitions WHERE project = ?")
            .bind(i64::from(project.0))
            .fetch_one(&self.read)
            .await?)
    }
}

fn definition(row: &SqliteRow) -> Result<Definition, CatalogError> {
    let (kind, body): (&str, Option<String>) = (row.try_get("kind")?, row.try_get("body")?);
    let kind = serde_json::from_value(Value::from(kind)).map_err(CatalogError::corrupt("definitions"))?;
    let body = body.as_deref().map(serde_json::from_str).transpose();
    let number = |column| Ok::<_, CatalogError>(u32::try_from(uint(row, column)?).unwrap_or(u32::MAX));
    Ok(Definition {
        project: ProjectId(number("project")?),
        kind,
        name: row.try_get("name")?,
        version: number("version")?,
        body: body.map_err(CatalogError::corrupt("definitions"))?,
        by: row.try_get("made_by")?,
        made_at: row.try_get("made_at")?,
    })
}
