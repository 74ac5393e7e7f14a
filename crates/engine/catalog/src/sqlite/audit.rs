//! The audit trail's one insert, shared by everything that changes settings.
//!
//! Guarantees: written in the transaction of the change it tells of.
//! Deliberately not here: reading it (`accounts`).

use super::now;
use crate::CatalogError;
use sqlx::SqliteConnection;

pub(super) async fn write(
    tx: &mut SqliteConnection,
    actor: &str,
    action: &str,
    subject: &str,
) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO audit (at, actor, action, subject) VALUES (?, ?, ?, ?)")
        .bind(now())
        .bind(actor)
        .bind(action)
        .bind(subject)
        .execute(tx)
        .await?;
    Ok(())
}
