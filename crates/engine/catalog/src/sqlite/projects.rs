//! Projects, and the `Settings` port as a whole.
//!
//! Guarantees: a project is created together with its keys or not at all; ids are never reused.
//! Deliberately not here: checking time zones (the API knows the zones).

use super::{SqliteCatalog, keys, now};
use crate::{
    CatalogError, CreatedKey, CreatedProject, KeyInfo, KeyKind, NewKey, NewProject, Project, Settings,
    Verified, WeekStart,
};
use async_trait::async_trait;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tallymark_model::{ProjectId, ProjectToken};

const NAME_CHARS_MAX: usize = 100;

const SELECT: &str = "SELECT p.id, p.name, p.timezone, p.week_start, p.settings, p.created_at,
        (SELECT clear FROM keys k WHERE k.project = p.id AND k.kind = 'write' AND k.revoked_at IS NULL
         ORDER BY k.id DESC LIMIT 1) AS write_key
     FROM projects p WHERE p.deleted_at IS NULL AND (?1 IS NULL OR p.id = ?1 OR p.name = ?2) ORDER BY p.id";

const SELECT_ANY: &str =
    "SELECT p.id, p.name, p.timezone, p.week_start, p.settings, p.created_at, NULL AS write_key
     FROM projects p WHERE p.id = ?";

#[async_trait]
impl Settings for SqliteCatalog {
    async fn create_project(&self, new: NewProject) -> Result<CreatedProject, CatalogError> {
        let mut tx = self.begin().await?;
        let created = create(&mut tx, new).await?;
        tx.commit().await?;
        Ok(created)
    }

    async fn projects(&self) -> Result<Vec<Project>, CatalogError> {
        let rows = sqlx::query(SELECT).bind(None::<i64>).bind("").fetch_all(&self.read).await?;
        rows.iter().map(project).collect()
    }

    async fn project(&self, id_or_name: &str) -> Result<Option<Project>, CatalogError> {
        // No project has id 0, so a name that is not a number compares by name only.
        let id: i64 = id_or_name.parse().unwrap_or(0);
        let row = sqlx::query(SELECT).bind(id).bind(id_or_name).fetch_optional(&self.read).await?;
        row.as_ref().map(project).transpose()
    }

    async fn resolve(&self, token: ProjectToken) -> Result<Option<(ProjectId, KeyKind)>, CatalogError> {
        keys::resolve(self, token).await
    }

    async fn verify_key(&self, credential: &str) -> Result<Option<Verified>, CatalogError> {
        keys::verify(self, credential).await
    }

    async fn create_key(&self, new: NewKey) -> Result<CreatedKey, CatalogError> {
        if (new.kind == KeyKind::Admin) != new.project.is_none() {
            let reason = "admin keys belong to the instance, all others to one project".to_owned();
            return Err(CatalogError::Invalid { field: "kind", reason });
        }
        let mut tx = self.begin().await?;
        let created = keys::create(&mut tx, new).await?;
        tx.commit().await?;
        Ok(created)
    }

    async fn keys(&self, project: Option<ProjectId>) -> Result<Vec<KeyInfo>, CatalogError> {
        keys::list(self, project).await
    }

    async fn revoke_key(&self, project: Option<ProjectId>, id: i64) -> Result<bool, CatalogError> {
        keys::revoke(self, project, id).await
    }
}

impl SqliteCatalog {
    /// A project by number, also a deleted one.
    pub(super) async fn any_project(&self, id: i64) -> Result<Option<Project>, CatalogError> {
        let row = sqlx::query(SELECT_ANY).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(project).transpose()
    }
}

pub(super) async fn create(
    tx: &mut SqliteConnection,
    new: NewProject,
) -> Result<CreatedProject, CatalogError> {
    let name = new.name.trim().to_owned();
    check_name(&name)?;
    let taken: Option<i64> = sqlx::query_scalar("SELECT id FROM projects WHERE name = ?")
        .bind(&name)
        .fetch_optional(&mut *tx)
        .await?;
    if taken.is_some() {
        return Err(CatalogError::NameTaken(name));
    }
    let timezone = if new.timezone.is_empty() { "UTC".to_owned() } else { new.timezone };
    let settings = match new.settings {
        Value::Null => Value::Object(serde_json::Map::new()),
        object @ Value::Object(_) => object,
        _ => return Err(CatalogError::Invalid { field: "settings", reason: "must be an object".to_owned() }),
    };
    let created_at = now();
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO projects (name, timezone, week_start, settings, created_at) VALUES (?, ?, ?, ?, ?)
         RETURNING id",
    )
    .bind(&name)
    .bind(&timezone)
    .bind(week_text(new.week_start))
    .bind(settings.to_string())
    .bind(created_at)
    .fetch_one(&mut *tx)
    .await?;
    let id = ProjectId(u32::try_from(id).map_err(|_| {
        CatalogError::Malformed("no project numbers are left; 4,294,967,295 were created".to_owned())
    })?);
    let key = |kind, value| NewKey { kind, project: Some(id), name: "first".to_owned(), value };
    let write_key = keys::create(tx, key(KeyKind::Write, new.write_key)).await?.value;
    let secret_key = keys::create(tx, key(KeyKind::Secret, new.secret_key)).await?.value;
    let week_start = new.week_start;
    let project =
        Project { id, name, timezone, week_start, settings, write_key: write_key.clone(), created_at };
    Ok(CreatedProject { project, write_key, secret_key })
}

fn check_name(name: &str) -> Result<(), CatalogError> {
    let bad = |reason| Err(CatalogError::BadName { name: name.to_owned(), reason });
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return bad("a name has 1 to 100 characters");
    }
    if name.chars().all(|c| c.is_ascii_digit()) {
        return bad("a name of digits only could be mistaken for a project's id");
    }
    if name.chars().any(|c| c.is_control() || c == '/') {
        return bad("control characters and slashes cannot be used");
    }
    Ok(())
}

fn project(row: &SqliteRow) -> Result<Project, CatalogError> {
    let id: i64 = row.try_get("id")?;
    let week: String = row.try_get("week_start")?;
    Ok(Project {
        id: ProjectId(u32::try_from(id).unwrap_or(0)),
        name: row.try_get("name")?,
        timezone: row.try_get("timezone")?,
        week_start: serde_json::from_value(Value::String(week)).map_err(CatalogError::corrupt("projects"))?,
        settings: serde_json::from_str(row.try_get("settings")?)
            .map_err(CatalogError::corrupt("projects"))?,
        write_key: row.try_get::<Option<String>, _>("write_key")?.unwrap_or_default(),
        created_at: row.try_get("created_at")?,
    })
}

fn week_text(week: WeekStart) -> &'static str {
    match week {
        WeekStart::Monday => "monday",
        WeekStart::Sunday => "sunday",
        WeekStart::Saturday => "saturday",
    }
}
