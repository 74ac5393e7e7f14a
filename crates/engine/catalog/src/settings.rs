//! Projects and keys.
//!
//! Guarantees: a secret or admin key exists in clear only in the answer to its creation.
//! Deliberately not here: what a key may do (the API decides that at one place).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tallymark_model::{Millis, ProjectId, ProjectToken};

/// First day of the week in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeekStart {
    /// Monday (ISO 8601).
    #[default]
    Monday,
    /// Sunday.
    Sunday,
    /// Saturday.
    Saturday,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Number.
    pub id: ProjectId,
    /// Unique name.
    pub name: String,
    /// IANA zone of its days.
    pub timezone: String,
    /// First day of its weeks.
    pub week_start: WeekStart,
    /// Further options (`identity`, `inactive_events`), a JSON object.
    pub settings: serde_json::Value,
    /// Its newest write key.
    pub write_key: String,
    /// When it was created, ms UTC.
    pub created_at: Millis,
}

/// What is needed to create a project.
#[derive(Debug, Clone, Default)]
pub struct NewProject {
    /// Unique name.
    pub name: String,
    /// IANA zone; empty means UTC. The caller checks that it exists.
    pub timezone: String,
    /// First day of the week.
    pub week_start: WeekStart,
    /// Further options, a JSON object or null.
    pub settings: serde_json::Value,
    /// A write key to use instead of a fresh one.
    pub write_key: Option<String>,
    /// A secret key to use instead of a fresh one.
    pub secret_key: Option<String>,
}

/// A new project with its keys in clear; the only time the secret one is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedProject {
    /// The project.
    pub project: Project,
    /// For SDKs; public.
    pub write_key: String,
    /// For reading and managing the project.
    pub secret_key: String,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Appends events to one project. Public.
    Write,
    /// Reads and manages one project.
    Secret,
    /// Creates projects and reads operations of the instance.
    Admin,
}

impl KeyKind {
    /// The stored and shown name.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Write => "write",
            KeyKind::Secret => "secret",
            KeyKind::Admin => "admin",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<KeyKind> {
        [KeyKind::Write, KeyKind::Secret, KeyKind::Admin].into_iter().find(|k| k.name() == name)
    }
}

/// A key to create.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What for.
    pub kind: KeyKind,
    /// Whose; `None` exactly for admin keys.
    pub project: Option<ProjectId>,
    /// A label for people.
    pub name: String,
    /// The key itself, instead of a fresh one.
    pub value: Option<String>,
}

/// A key in clear, right after its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedKey {
    /// What is remembered of it.
    pub info: KeyInfo,
    /// The key.
    pub value: String,
}

/// What is remembered of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Number.
    pub id: i64,
    /// What for.
    pub kind: KeyKind,
    /// Whose; `None` for admin keys.
    pub project: Option<ProjectId>,
    /// A label for people.
    pub name: String,
    /// The first characters, to recognise it.
    pub prefix: String,
    /// The key itself; write keys only.
    pub clear: Option<String>,
    /// When it was created, ms UTC.
    pub created_at: Millis,
    /// When it was revoked, ms UTC.
    pub revoked_at: Option<Millis>,
    /// When it was last used for the API, ms UTC, to the minute.
    pub last_used_at: Option<Millis>,
}

/// A credential that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of the key.
    pub key: i64,
    /// What for.
    pub kind: KeyKind,
    /// Whose; `None` for admin keys.
    pub project: Option<ProjectId>,
}

/// What the collector and the log know of a credential.
pub fn token_of(credential: &str) -> ProjectToken {
    let digest = Sha256::digest(credential.as_bytes());
    let mut token = [0u8; 16];
    token.copy_from_slice(&digest[..16]);
    ProjectToken(token)
}
