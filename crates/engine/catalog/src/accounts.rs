//! People, their sessions, first-run set-up and the audit trail.
//!
//! Guarantees: passwords come and go as PHC strings, session tokens and set-up codes are stored as SHA-256 only.
//! Deliberately not here: hashing and verifying passwords, cookies, rate limits (the API).

use crate::CreatedProject;
use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Number.
    pub id: i64,
    /// Address; compared without regard to case.
    pub email: String,
    /// How to call them.
    pub name: String,
    /// When they were added, ms UTC.
    pub created_at: Millis,
}

/// A person to add.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Address.
    pub email: String,
    /// How to call them.
    pub name: String,
    /// Argon2id PHC string.
    pub password: String,
}

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub user: User,
    /// When it was opened, ms UTC.
    pub created_at: Millis,
}

/// What became of an attempt to set the instance up.
#[derive(Debug, Clone, PartialEq)]
pub enum SetupAnswer {
    /// Done; the code is used up.
    Done {
        /// The first user.
        user: User,
        /// The first project, if one was asked for.
        project: Option<Box<CreatedProject>>,
    },
    /// The code is not the one that was printed.
    WrongCode,
    /// The instance is set up already.
    Gone,
}

/// A line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, ms UTC.
    pub at: Millis,
    /// Who: `user:<email>`, `key:<prefix>`, `operator`.
    pub actor: String,
    /// What, as a stable word such as `project.create`.
    pub action: String,
    /// To what.
    pub subject: String,
}
