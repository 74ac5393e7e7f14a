//! Long work that an operator asked for: one row per job, readable after every crash.
//!
//! Guarantees: plain data. What of a job is done is read from the books and files themselves; the row only says what
//! was asked, who works on it and how far it believes to be.
//! Deliberately not here: doing the work (`processor`, `recovery`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tallymark_model::{Millis, ProjectId};

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Move cursors over intervals without processing them. `spec`: `{"ranges":[Interval]}`.
    Skip,
    /// Process skipped intervals. `spec`: `{"ranges":[Interval]}`; none means all that are skipped.
    Replay,
    /// Decide intervals again, with the rules of now. `spec`: `{"ranges":[Interval]}` or `{"received_from","received_to"}`,
    /// optionally one project.
    Reprocess,
    /// Fold state anew from deltas, re-deriving those that are lost; compare; switch.
    RebuildState,
    /// The identity part of state, from the log.
    RebuildIdentity,
    /// Segment files that are missing or damaged, from the log.
    RebuildSegments,
    /// A backup. `spec`: `{"to": url}`.
    Backup,
    /// A restore rehearsal. `spec`: `{"from": url}`.
    Rehearse,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [JobKind; 8] = [
        JobKind::Skip,
        JobKind::Replay,
        JobKind::Reprocess,
        JobKind::RebuildState,
        JobKind::RebuildIdentity,
        JobKind::RebuildSegments,
        JobKind::Backup,
        JobKind::Rehearse,
    ];

    /// The stored and shown name.
    pub fn name(self) -> &'static str {
        match self {
            JobKind::Skip => "skip",
            JobKind::Replay => "replay",
            JobKind::Reprocess => "reprocess",
            JobKind::RebuildState => "rebuild_state",
            JobKind::RebuildIdentity => "rebuild_identity",
            JobKind::RebuildSegments => "rebuild_segments",
            JobKind::Backup => "backup",
            JobKind::Rehearse => "rehearse",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<JobKind> {
        JobKind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Nobody works on it yet.
    Queued,
    /// Somebody does.
    Running,
    /// It waits because somebody said so.
    Paused,
    /// Everything asked for was done.
    Done,
    /// It cannot be done; `error` says why. What was done stays.
    Failed,
    /// It was ended by somebody; what was done stays.
    Cancelled,
}

impl JobState {
    /// The stored and shown name.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Paused => "paused",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<JobState> {
        use JobState::*;
        [Queued, Running, Paused, Done, Failed, Cancelled].into_iter().find(|s| s.name() == name)
    }

    /// True if nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Done | JobState::Failed | JobState::Cancelled)
    }
}

/// What the operator wants of a job now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobWish {
    /// Work.
    Run,
    /// Wait.
    Pause,
    /// End.
    Cancel,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobProgress {
    /// Units done.
    pub done: u64,
    /// Units in all, as far as known.
    pub total: u64,
    /// What a unit is: `records`, `commits`, `bytes`, …
    pub unit: String,
    /// Estimated end, ms UTC.
    #[serde(default)]
    pub eta: Option<Millis>,
    /// For people: what it is doing.
    #[serde(default)]
    pub note: String,
}

/// A job to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// What kind of work.
    pub kind: JobKind,
    /// Only this project's events, if given.
    pub project: Option<ProjectId>,
    /// What exactly, by kind.
    pub spec: Value,
    /// Only report what would happen.
    pub dry_run: bool,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Number.
    pub id: i64,
    /// What kind of work.
    pub kind: JobKind,
    /// Only this project's events, if given.
    pub project: Option<ProjectId>,
    /// What exactly, by kind.
    pub spec: Value,
    /// Only report what would happen.
    pub dry_run: bool,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: JobState,
    /// What the operator wants.
    pub wish: JobWish,
    /// How far it is.
    pub progress: JobProgress,
    /// What came out: counts, findings, a preview.
    pub report: Value,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for, ms UTC.
    pub created_at: Millis,
    /// When work on it began, ms UTC.
    pub started_at: Option<Millis>,
    /// When it was last heard of, ms UTC.
    pub updated_at: Millis,
    /// When it ended, ms UTC.
    pub finished_at: Option<Millis>,
}
