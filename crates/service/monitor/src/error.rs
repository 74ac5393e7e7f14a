//! What can go wrong in the watch itself.
//!
//! Guarantees: every variant says what is wrong and what to do; none carries a secret.
//! Deliberately not here: what monitors find (`Finding`), and answers of receivers (`alerts::SendError`).

/// A failure of the watch.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The watch's own database refused or could not be reached.
    #[error("the watch's database (watch.db) failed: {0}; check the disk of the data folder")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema of watch.db could not be migrated: {0}; the file may come from a newer version")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Stored text could not be read back.
    #[error("watch.db holds {what} that cannot be read: {source}; move the file away, a new one is made")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is not whole.
    #[error("watch.db is damaged: {0}; move the file away, a new one is made")]
    Damaged(String),
    /// The configuration cannot be used.
    #[error("watch configuration, {field}: {reason}")]
    Config {
        /// Which setting.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such incident, window or run.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
}

impl MonitorError {
    pub(crate) fn corrupt(what: &'static str) -> impl FnOnce(serde_json::Error) -> MonitorError {
        move |source| MonitorError::Corrupt { what, source }
    }
    pub(crate) fn config(field: impl Into<String>, reason: impl Into<String>) -> MonitorError {
        MonitorError::Config { field: field.into(), reason: reason.into() }
    }
}
