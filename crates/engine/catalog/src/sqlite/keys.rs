//! Keys: made, found by hash, revoked.
//!
//! Guarantees: secret and admin keys are stored as SHA-256 and a short prefix only; a key found in our own
//! documents is refused; a value is used once, for ever (revoked keys keep their row).
//! Deliberately not here: what a key may do.

use super::{SqliteCatalog, now};
use crate::{CatalogError, CreatedKey, KeyInfo, KeyKind, NewKey, Verified, token_of};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tallymark_model::{Millis, ProjectId, ProjectToken};
use uuid::Uuid;

const KEY_CHARS_MIN: usize = 16;
const KEY_CHARS_MAX: usize = 200;
const PREFIX_CHARS: usize = 8;
const LAST_USED_STEP_MS: Millis = 60_000;

/// Parts of keys that appear in documents, here or at vendors. A key containing one is not a secret (S22).
const EXAMPLES: [&str; 8] =
    ["your_", "your-", "example", "changeme", "change-me", "xxxxxxxx", "00000000", "1234567890"];

pub(super) async fn create(tx: &mut SqliteConnection, new: NewKey) -> Result<CreatedKey, CatalogError> {
    let kind = new.kind;
    let value = match new.value {
        Some(value) => accept(kind, value)?,
        None => generate(kind),
    };
    let token = token_of(&value);
    let taken: Option<i64> = sqlx::query_scalar("SELECT id FROM keys WHERE token = ?")
        .bind(token.0.to_vec())
        .fetch_optional(&mut *tx)
        .await?;
    if taken.is_some() {
        return Err(CatalogError::KeyTaken { kind: kind.name() });
    }
    let info = KeyInfo {
        id: 0,
        kind,
        project: new.project,
        name: new.name,
        prefix: value.chars().take(PREFIX_CHARS).collect(),
        clear: (kind == KeyKind::Write).then(|| value.clone()),
        created_at: now(),
        revoked_at: None,
        last_used_at: None,
    };
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO keys (kind, project, name, token, hash, prefix, clear, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(kind.name())
    .bind(info.project.map(|p| i64::from(p.0)))
    .bind(&info.name)
    .bind(token.0.to_vec())
    .bind(hash(&value))
    .bind(&info.prefix)
    .bind(&info.clear)
    .bind(info.created_at)
    .fetch_one(tx)
    .await?;
    Ok(CreatedKey { info: KeyInfo { id, ..info }, value })
}

fn generate(kind: KeyKind) -> String {
    // Version 4 UUIDs are 122 bits each from the operating system's generator.
    match kind {
        KeyKind::Write => format!("tmw_{}", Uuid::new_v4().simple()),
        KeyKind::Secret => format!("tms_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        KeyKind::Admin => format!("tma_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
    }
}

fn accept(kind: KeyKind, value: String) -> Result<String, CatalogError> {
    let weak = |reason| Err(CatalogError::WeakKey { kind: kind.name(), reason });
    let lower = value.to_ascii_lowercase();
    if value.chars().count() < KEY_CHARS_MIN {
        return weak("it is shorter than 16 characters");
    }
    if value.len() > KEY_CHARS_MAX || !value.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return weak("only up to 200 printable ASCII characters without spaces and colons can be used");
    }
    if EXAMPLES.iter().any(|e| lower.contains(e)) {
        return weak("it looks like an example from a document");
    }
    Ok(value)
}

pub(super) async fn resolve(
    catalog: &SqliteCatalog,
    token: ProjectToken,
) -> Result<Option<(ProjectId, KeyKind)>, CatalogError> {
    let row = sqlx::query(
        "SELECT kind, project FROM keys WHERE token = ? AND revoked_at IS NULL AND project IS NOT NULL",
    )
    .bind(token.0.to_vec())
    .fetch_optional(&catalog.read)
    .await?;
    row.map(|row| Ok((project_of(&row)?.unwrap_or(ProjectId::UNKNOWN), kind_of(&row)?))).transpose()
}

pub(super) async fn verify(
    catalog: &SqliteCatalog,
    credential: &str,
) -> Result<Option<Verified>, CatalogError> {
    // Found by hash, so what a timing could tell is about the hash, never about the key.
    let row = sqlx::query(
        "SELECT id, kind, project, last_used_at FROM keys WHERE token = ? AND hash = ? AND revoked_at IS NULL",
    )
    .bind(token_of(credential).0.to_vec())
    .bind(hash(credential))
    .fetch_optional(&catalog.read)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let verified = Verified { key: row.try_get("id")?, kind: kind_of(&row)?, project: project_of(&row)? };
    let last: Option<Millis> = row.try_get("last_used_at")?;
    if last.is_none_or(|last| now() - last >= LAST_USED_STEP_MS) {
        sqlx::query("UPDATE keys SET last_used_at = ? WHERE id = ?")
            .bind(now())
            .bind(verified.key)
            .execute(&catalog.write)
            .await?;
    }
    Ok(Some(verified))
}

pub(super) async fn list(
    catalog: &SqliteCatalog,
    project: Option<ProjectId>,
) -> Result<Vec<KeyInfo>, CatalogError> {
    let rows = sqlx::query("SELECT * FROM keys WHERE project IS ? ORDER BY id DESC")
        .bind(project.map(|p| i64::from(p.0)))
        .fetch_all(&catalog.read)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(KeyInfo {
                id: row.try_get("id")?,
                kind: kind_of(row)?,
                project: project_of(row)?,
                name: row.try_get("name")?,
                prefix: row.try_get("prefix")?,
                clear: row.try_get("clear")?,
                created_at: row.try_get("created_at")?,
                revoked_at: row.try_get("revoked_at")?,
                last_used_at: row.try_get("last_used_at")?,
            })
        })
        .collect()
}

pub(super) async fn revoke(
    catalog: &SqliteCatalog,
    project: Option<ProjectId>,
    id: i64,
) -> Result<bool, CatalogError> {
    let changed =
        sqlx::query("UPDATE keys SET revoked_at = ? WHERE id = ? AND project IS ? AND revoked_at IS NULL")
            .bind(now())
            .bind(id)
            .bind(project.map(|p| i64::from(p.0)))
            .execute(&catalog.write)
            .await?;
    Ok(changed.rows_affected() == 1)
}

pub(super) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn kind_of(row: &SqliteRow) -> Result<KeyKind, CatalogError> {
    let kind: String = row.try_get("kind")?;
    KeyKind::from_name(&kind).ok_or_else(|| {
        CatalogError::Database(sqlx::Error::ColumnDecode {
            index: "kind".to_owned(),
            source: format!("unknown key kind `{kind}`").into(),
        })
    })
}

fn project_of(row: &SqliteRow) -> Result<Option<ProjectId>, CatalogError> {
    let id: Option<i64> = row.try_get("project")?;
    Ok(id.and_then(|id| u32::try_from(id).ok()).map(ProjectId))
}
