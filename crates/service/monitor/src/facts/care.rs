//! Facts about what protects the data: backups, rehearsals, copies, checkpoints, jobs, settings.
//!
//! Guarantees: results of the past are instants, not ages, so that a stopped clock does not make them young.
//! Deliberately not here: making backups.

use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// Backups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupFacts {
    /// When the newest complete backup was made; `None` if there never was one.
    pub newest: Option<Millis>,
    /// Since when backups are due at all (the instance was made, or backups were set up).
    pub due_since: Millis,
    /// How often they are made, ms.
    pub every_ms: Millis,
    /// Why the last attempt failed, if it did.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// Rehearsals of a restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RehearsalFacts {
    /// When the newest successful rehearsal ended; `None` if there never was one.
    pub newest: Option<Millis>,
    /// Since when rehearsals are due at all.
    pub due_since: Millis,
    /// How often they are made, ms.
    pub every_ms: Millis,
    /// Why the last attempt failed, if it did.
    #[serde(default)]
    pub last_error: Option<String>,
    /// How long the newest successful one took, s.
    #[serde(default)]
    pub took_s: Option<f64>,
}

/// Something that copies what was written elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyFacts {
    /// How many items (log files, commits) wait to be copied.
    pub waiting: u64,
    /// When the oldest waiting item was finished; `None` if none waits.
    pub oldest_waiting: Option<Millis>,
    /// Why the last attempt failed, if it did.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// Something that should be repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgeFacts {
    /// When it was done last; `None` if never.
    pub newest: Option<Millis>,
    /// Since when it is due.
    pub due_since: Millis,
    /// Work that has gathered since (commits).
    #[serde(default)]
    pub behind: u64,
}

/// A job that is not finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFacts {
    /// Its id.
    pub id: String,
    /// What it does: `replay`, `backup`, …
    pub kind: String,
    /// `queued`, `running`, `paused`, `failed`.
    pub state: String,
    /// When it was asked for.
    pub created: Millis,
    /// When its progress last moved.
    pub progressed: Millis,
    /// Part done, 0 to 1, if known.
    #[serde(default)]
    pub progress: Option<f64>,
    /// Why it failed, if it did.
    #[serde(default)]
    pub error: Option<String>,
    /// The project, if it is of one.
    #[serde(default)]
    pub project: Option<ProjectId>,
}

/// A setting that deserves a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingFact {
    /// Its name.
    pub name: String,
    /// Where it applies: a lane, a process.
    pub scope: String,
    /// What was set.
    pub declared: String,
    /// What is in force.
    pub effective: String,
    /// True for a switch that exists for tests or experiments only.
    #[serde(default)]
    pub experimental: bool,
}
