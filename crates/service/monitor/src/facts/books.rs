//! Facts from the ledger and from whoever checks it.
//!
//! Guarantees: [`LossStatement`] is the only source of sentences about losses; it claims nothing that its numbers
//! do not show.
//! Deliberately not here: computing the numbers (the ledger), finding holes (the auditor).

use serde::{Deserialize, Serialize};
use tallymark_ledger::Interval;
use tallymark_model::{Millis, ProjectId};

/// What the ledger says about everything acknowledged before [`LossStatement::as_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossStatement {
    /// The numbers count what was acknowledged before this moment.
    pub as_of: Millis,
    /// When they were read.
    pub read_at: Millis,
    /// Events acknowledged to senders.
    pub acknowledged: u64,
    /// Of these, those with a final outcome.
    pub accounted: u64,
    /// Of these, those that the books call lost.
    #[serde(default)]
    pub lost: u64,
    /// Receive time of the oldest without an outcome (pending or skipped); `None` if there is none.
    pub oldest_unaccounted: Option<Millis>,
}

/// What the auditor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// Offsets the cursor has passed without an outcome, or passed on purpose (skipped).
    Hole,
    /// The log no longer holds offsets that were not accounted.
    Lost,
    /// Outcomes do not add up, or counts or fingerprints differ from the rows.
    WrongSum,
    /// A duplicate without a visible original.
    MissingWitness,
    /// A segment or delta that cannot be read, or whose checksum is wrong.
    Damaged,
    /// Anything else that contradicts an invariant.
    Violation,
}

impl AuditKind {
    /// What to call it.
    pub fn title(self) -> &'static str {
        match self {
            AuditKind::Hole => "Events without an outcome",
            AuditKind::Lost => "Events lost from the log",
            AuditKind::WrongSum => "The books do not add up",
            AuditKind::MissingWitness => "Duplicates without an original",
            AuditKind::Damaged => "Stored data is damaged",
            AuditKind::Violation => "An invariant is broken",
        }
    }
}

/// One finding of the auditor, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFinding {
    /// Stable while the same thing is wrong; the auditor resolves it by this.
    pub key: String,
    /// What.
    pub kind: AuditKind,
    /// Projects concerned.
    #[serde(default)]
    pub projects: Vec<ProjectId>,
    /// Offsets, if it is about the log.
    #[serde(default)]
    pub interval: Option<Interval>,
    /// First and last receive time.
    #[serde(default)]
    pub received: Option<(Millis, Millis)>,
    /// How many events.
    #[serde(default)]
    pub count: Option<u64>,
    /// What shows it, in a sentence.
    pub evidence: String,
    /// When it was found first.
    pub found: Millis,
}
