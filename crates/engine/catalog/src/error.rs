//! What can go wrong, apart from the domain's own answers (those are enums such as `CommitAnswer`).
//!
//! Guarantees: every variant says what is wrong, where, and what to do.
//! Deliberately not here: refusals of a commit, which are normal.

use tallymark_ledger::Violation;
use tallymark_model::{CommitSeq, LogId};

/// A failure of the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database refused or could not be reached; the call may or may not have taken effect.
    #[error("the catalog database failed: {0}; if this happened during a commit, ask for its status")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the catalog's schema could not be migrated: {0}; the file may come from a newer version")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Stored text could not be read back.
    #[error("the catalog holds {what} that cannot be read: {source}; restore the catalog from a backup")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The commit or compaction breaks an invariant; a bug of the committer. Nothing was changed.
    #[error("refused, nothing was changed: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Violations(Vec<Violation>),
    /// A commit that could never apply, whatever the state. Nothing was changed.
    #[error("the commit is malformed: {0}")]
    Malformed(String),
    /// The data belongs to another log.
    #[error(
        "the catalog belongs to log {bound}, but the log in use is {found}; use the log it was made with"
    )]
    WrongLog {
        /// What the catalog was created with.
        bound: LogId,
        /// What it was opened with now.
        found: LogId,
    },
    /// Another host holds the data folder.
    #[error(
        "the catalog is in use by host {host}, whose {lease} lease is alive; SQLite can be shared by processes \
         of one host only: stop the other one, or wait until its lease has run out"
    )]
    OtherHost {
        /// That host.
        host: String,
        /// The lease that shows it is alive.
        lease: String,
    },
    /// The sequence is in the future.
    #[error("no commit {wanted:?} yet; the newest is {latest:?}")]
    UnknownSeq {
        /// What was asked.
        wanted: CommitSeq,
        /// What there is.
        latest: CommitSeq,
    },
    /// A project of this name exists.
    #[error("a project named `{0}` exists; choose another name")]
    NameTaken(String),
    /// The name cannot be used.
    #[error("`{name}` cannot be a project name: {reason}")]
    BadName {
        /// What was asked.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A given key is too short, has odd characters, or is printed in a document.
    #[error("the {kind} key is refused: {reason}; leave it out to have one made")]
    WeakKey {
        /// Which key.
        kind: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A given key is already in use.
    #[error("the {kind} key is already in use; keys are never shared")]
    KeyTaken {
        /// Which key.
        kind: &'static str,
    },
    /// A user with this address exists.
    #[error("a user with the address `{0}` exists")]
    EmailTaken(String),
    /// The setting has an unusable value.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which setting.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl CatalogError {
    /// The code under which the error is documented.
    pub fn code(&self) -> &'static str {
        match self {
            CatalogError::NameTaken(_) => "TM0401",
            CatalogError::BadName { .. } => "TM0402",
            CatalogError::WeakKey { .. } => "TM0403",
            CatalogError::KeyTaken { .. } => "TM0404",
            CatalogError::EmailTaken(_) => "TM0406",
            CatalogError::Invalid { .. } => "TM0409",
            CatalogError::Database(_) => "TM0701",
            CatalogError::Migration(_) => "TM0702",
            CatalogError::Corrupt { .. } => "TM0703",
            CatalogError::Violations(_) => "TM0704",
            CatalogError::Malformed(_) => "TM0705",
            CatalogError::WrongLog { .. } => "TM0706",
            CatalogError::OtherHost { .. } => "TM0707",
            CatalogError::UnknownSeq { .. } => "TM0708",
        }
    }

    /// True if trying the same call again later may work.
    pub fn retryable(&self) -> bool {
        matches!(self, CatalogError::Database(_))
    }

    pub(crate) fn corrupt(what: &'static str) -> impl FnOnce(serde_json::Error) -> CatalogError {
        move |source| CatalogError::Corrupt { what, source }
    }
}
