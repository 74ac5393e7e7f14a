//! Cohorts in SQLite.
//!
//! Guarantees: a name is unique within its project; a membership is stored for the version it is of, or not at
//! all; every change by people is in the audit trail.

use super::{SqliteCatalog, audit, now, uint};
use crate::{CatalogError, CohortKind, Cohorts, MembershipInfo, NewCohort, StoredCohort};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tallymark_model::{CommitSeq, ProjectId};

const SELECT: &str = "SELECT c.*, m.version AS m_version, m.seq, m.computed_at, m.took_ms, m.size, m.problem
    FROM cohorts c LEFT JOIN cohort_members m ON m.cohort = c.id";

#[async_trait]
impl Cohorts for SqliteCatalog {
    async fn create_cohort(&self, new: NewCohort) -> Result<StoredCohort, CatalogError> {
        let mut tx = self.begin().await?;
        let made_at = now();
        let inserted = sqlx::query(
            "INSERT INTO cohorts (project, name, kind, definition, version, made_by, made_at, changed_at)
             VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (project, name) DO NOTHING",
        )
        .bind(i64::from(new.project.0))
        .bind(&new.name)
        .bind(new.kind.name())
        .bind(new.definition.to_string())
        .bind(&new.by)
        .bind(made_at)
        .bind(made_at)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(taken(&new.name));
        }
        let id = inserted.last_insert_rowid();
        let subject = format!("{id} {:?} of project {}", new.name, new.project);
        audit::write(&mut tx, &new.by, "cohort.created", &subject).await?;
        tx.commit().await?;
        Ok(StoredCohort { id, cohort: new, version: 1, made_at, changed_at: made_at, membership: None })
    }

    async fn cohorts(&self, project: ProjectId) -> Result<Vec<StoredCohort>, CatalogError> {
        let query = format!("{SELECT} WHERE c.project = ? ORDER BY c.name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(i64::from(project.0)).fetch_all(&self.read);
        rows.await?.iter().map(cohort).collect()
    }

    async fn cohort(&self, project: ProjectId, id: i64) -> Result<Option<StoredCohort>, CatalogError> {
        let query = format!("{SELECT} WHERE c.project = ? AND c.id = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(i64::from(project.0))
            .bind(id)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(cohort).transpose()
    }

    async fn change_cohort(
        &self,
        project: ProjectId,
        id: i64,
        name: Option<&str>,
        definition: Option<&Value>,
        by: &str,
    ) -> Result<bool, CatalogError> {
        let mut tx = self.begin().await?;
        let other: Option<i64> =
            sqlx::query_scalar("SELECT id FROM cohorts WHERE project = ? AND name = ? AND id <> ?")
                .bind(i64::from(project.0))
                .bind(name)
                .bind(id)
                .fetch_optional(&mut *tx)
                .await?;
        if let (Some(_), Some(name)) = (other, name) {
            return Err(taken(name));
        }
        let changed = sqlx::query(
            "UPDATE cohorts SET name = coalesce(?1, name), definition = coalesce(?2, definition),
                version = version + (?2 IS NOT NULL), changed_at = ?3 WHERE project = ?4 AND id = ?5",
        )
        .bind(name)
        .bind(definition.map(Value::to_string))
        .bind(now())
        .bind(i64::from(project.0))
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        audit::write(&mut tx, by, "cohort.changed", &format!("{id} of project {project}")).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn delete_cohort(&self, project: ProjectId, id: i64, by: &str) -> Result<bool, CatalogError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM cohort_members WHERE cohort = ?").bind(id).execute(&mut *tx).await?;
        let gone = sqlx::query("DELETE FROM cohorts WHERE project = ? AND id = ?")
            .bind(i64::from(project.0))
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        audit::write(&mut tx, by, "cohort.deleted", &format!("{id} of project {project}")).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn set_members(
        &self,
        id: i64,
        membership: &MembershipInfo,
        members: &[u8],
    ) -> Result<bool, CatalogError> {
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        // Only for the definition as it stands: one that was changed meanwhile is computed again.
        let stored = sqlx::query(
            "INSERT OR REPLACE INTO cohort_members
                (cohort, version, seq, computed_at, took_ms, size, members, problem)
             SELECT id, version, ?1, ?2, ?3, ?4, ?5, ?6 FROM cohorts WHERE id = ?7 AND version = ?8",
        )
        .bind(int(membership.seq.0))
        .bind(membership.computed_at)
        .bind(membership.took_ms)
        .bind(int(membership.size))
        .bind(members)
        .bind(membership.problem.as_deref())
        .bind(id)
        .bind(i64::from(membership.version))
        .execute(&self.write)
        .await?;
        Ok(stored.rows_affected() > 0)
    }

    async fn members(&self, project: ProjectId, id: i64) -> Result<Option<Vec<u8>>, CatalogError> {
        Ok(sqlx::query_scalar(
            "SELECT m.members FROM cohort_members m JOIN cohorts c ON c.id = m.cohort
              WHERE c.project = ? AND c.id = ? AND m.version = c.version AND m.problem IS NULL",
        )
        .bind(i64::from(project.0))
        .bind(id)
        .fetch_optional(&self.read)
        .await?)
    }
}

fn taken(name: &str) -> CatalogError {
    CatalogError::Invalid { field: "name", reason: format!("a cohort named {name:?} exists") }
}

fn cohort(row: &SqliteRow) -> Result<StoredCohort, CatalogError> {
    let kind: &str = row.try_get("kind")?;
    let kind: CohortKind =
        serde_json::from_value(Value::from(kind)).map_err(CatalogError::corrupt("cohorts"))?;
    let definition: &str = row.try_get("definition")?;
    let number = |column| Ok::<_, CatalogError>(u32::try_from(uint(row, column)?).unwrap_or(u32::MAX));
    let membership = match row.try_get::<Option<i64>, _>("m_version")? {
        None => None,
        Some(_) => Some(MembershipInfo {
            version: number("m_version")?,
            seq: CommitSeq(uint(row, "seq")?),
            computed_at: row.try_get("computed_at")?,
            took_ms: row.try_get("took_ms")?,
            size: uint(row, "size")?,
            problem: row.try_get("problem")?,
        }),
    };
    Ok(StoredCohort {
        id: row.try_get("id")?,
        cohort: NewCohort {
            project: ProjectId(number("project")?),
            name: row.try_get("name")?,
            kind,
            definition: serde_json::from_str(definition).map_err(CatalogError::corrupt("cohorts"))?,
            by: row.try_get("made_by")?,
        },
        version: number("version")?,
        made_at: row.try_get("made_at")?,
        changed_at: row.try_get("changed_at")?,
        membership,
    })
}
