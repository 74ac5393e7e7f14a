//! People, sessions, first-run set-up, reading the audit trail.
//!
//! Guarantees: of two racing set-ups one wins and the other gets `Gone`; session tokens and codes are hashed.
//! Deliberately not here: passwords' arithmetic.

use super::keys::hash;
use super::{SqliteCatalog, audit, int, now, projects};
use crate::{Accounts, AuditEntry, CatalogError, NewProject, NewUser, Session, SetupAnswer, User};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use tallymark_model::Millis;

/// How stale "last used" may be; spares a write per request.
const USED_STEP_MS: Millis = 60_000;

#[async_trait]
impl Accounts for SqliteCatalog {
    async fn setup_required(&self) -> Result<bool, CatalogError> {
        let mut connection = self.read.acquire().await?;
        is_fresh(&mut connection).await
    }

    async fn offer_setup(&self, code: &str) -> Result<bool, CatalogError> {
        let mut tx = self.begin().await?;
        if !is_fresh(&mut tx).await? {
            return Ok(false);
        }
        sqlx::query("INSERT INTO setup (one, hash) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET hash = excluded.hash")
            .bind(hash(code))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn complete_setup(
        &self,
        code: &str,
        user: NewUser,
        project: Option<NewProject>,
    ) -> Result<SetupAnswer, CatalogError> {
        let mut tx = self.begin().await?;
        if !is_fresh(&mut tx).await? {
            return Ok(SetupAnswer::Gone);
        }
        let used = sqlx::query("UPDATE setup SET used_at = ? WHERE hash = ? AND used_at IS NULL")
            .bind(now())
            .bind(hash(code))
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() != 1 {
            return Ok(SetupAnswer::WrongCode);
        }
        let user = insert_user(&mut tx, user).await?;
        let project = match project {
            Some(new) => Some(Box::new(projects::create(&mut tx, new).await?)),
            None => None,
        };
        audit::write(&mut tx, &format!("user:{}", user.email), "instance.setup", "").await?;
        tx.commit().await?;
        Ok(SetupAnswer::Done { user, project })
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CatalogError> {
        let mut tx = self.begin().await?;
        let user = insert_user(&mut tx, user).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, CatalogError> {
        let row = sqlx::query("SELECT id, email, name, password, created_at FROM users WHERE email = ?")
            .bind(email)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok((user(&row)?, row.try_get("password")?))).transpose()
    }

    async fn set_password(&self, user: i64, password: &str) -> Result<(), CatalogError> {
        sqlx::query("UPDATE users SET password = ? WHERE id = ?")
            .bind(password)
            .bind(user)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn open_session(&self, user: i64, token: &str) -> Result<(), CatalogError> {
        sqlx::query("INSERT INTO sessions (hash, user, created_at, last_used_at) VALUES (?, ?, ?, ?)")
            .bind(hash(token))
            .bind(user)
            .bind(now())
            .bind(now())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn session(
        &self,
        token: &str,
        idle: Duration,
        absolute: Duration,
    ) -> Result<Option<Session>, CatalogError> {
        let row = sqlx::query(
            "SELECT u.id, u.email, u.name, u.created_at, s.created_at AS opened, s.last_used_at
             FROM sessions s JOIN users u ON u.id = s.user WHERE s.hash = ?",
        )
        .bind(hash(token))
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (opened, used): (Millis, Millis) = (row.try_get("opened")?, row.try_get("last_used_at")?);
        let at = now();
        if at - used >= int(idle.as_millis() as u64) || at - opened >= int(absolute.as_millis() as u64) {
            self.close_session(token).await?;
            return Ok(None);
        }
        if at - used >= USED_STEP_MS {
            sqlx::query("UPDATE sessions SET last_used_at = ? WHERE hash = ?")
                .bind(at)
                .bind(hash(token))
                .execute(&self.write)
                .await?;
        }
        Ok(Some(Session { user: user(&row)?, created_at: opened }))
    }

    async fn close_session(&self, token: &str) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM sessions WHERE hash = ?").bind(hash(token)).execute(&self.write).await?;
        Ok(())
    }

    async fn close_sessions(&self, user: i64) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM sessions WHERE user = ?").bind(user).execute(&self.write).await?;
        Ok(())
    }

    async fn audit(&self, actor: &str, action: &str, subject: &str) -> Result<(), CatalogError> {
        let mut connection = self.write.acquire().await?;
        audit::write(&mut connection, actor, action, subject).await
    }

    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>, CatalogError> {
        let rows = sqlx::query("SELECT at, actor, action, subject FROM audit ORDER BY id DESC LIMIT ?")
            .bind(int(limit as u64))
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditEntry {
                    at: row.try_get("at")?,
                    actor: row.try_get("actor")?,
                    action: row.try_get("action")?,
                    subject: row.try_get("subject")?,
                })
            })
            .collect()
    }
}

/// Fresh = no code was ever used and nobody can log in. A used code closes set-up for good.
async fn is_fresh(connection: &mut SqliteConnection) -> Result<bool, CatalogError> {
    let closed: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM setup WHERE used_at IS NOT NULL)",
    )
    .fetch_one(connection)
    .await?;
    Ok(closed == 0)
}

async fn insert_user(tx: &mut SqliteConnection, new: NewUser) -> Result<User, CatalogError> {
    let email = new.email.trim().to_owned();
    let taken: Option<i64> = sqlx::query_scalar("SELECT id FROM users WHERE email = ?")
        .bind(&email)
        .fetch_optional(&mut *tx)
        .await?;
    if taken.is_some() {
        return Err(CatalogError::EmailTaken(email));
    }
    let created_at = now();
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO users (email, name, password, created_at) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(&email)
    .bind(&new.name)
    .bind(&new.password)
    .bind(created_at)
    .fetch_one(tx)
    .await?;
    Ok(User { id, email, name: new.name, created_at })
}

fn user(row: &SqliteRow) -> Result<User, CatalogError> {
    Ok(User {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
    })
}
