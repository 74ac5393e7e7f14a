//! The checks: pure functions over what was read. Each names the range that does not agree.
//!
//! Deliberately not here: reading anything.

pub mod books;
pub mod commit;
pub mod rows;

use tallymark_ledger::{GapCause, Interval};
use tallymark_model::{Millis, OutcomeKind, ProjectId, ProjectToken};

/// One record of the log, as far as the auditor looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its offset.
    pub offset: u64,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// Whose event it is; `None`: a control record.
    pub token: Option<ProjectToken>,
}

/// What the log holds in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFacts {
    /// Which offsets.
    pub interval: Interval,
    /// The records, by offset.
    pub records: Vec<Seen>,
    /// What cannot be read, why, and what shows it.
    pub gaps: Vec<(Interval, GapCause, String)>,
}

impl LogFacts {
    /// Records that carry an event.
    pub fn events(&self) -> impl Iterator<Item = &Seen> {
        self.records.iter().filter(|r| r.token.is_some())
    }
    /// True if a part was given up by permit, so that the log cannot tell any more.
    pub fn is_trimmed(&self) -> bool {
        self.gaps.iter().any(|(_, cause, _)| *cause == GapCause::Trimmed)
    }
    /// Offsets of gaps that are damage or disappearance.
    pub fn damage(&self) -> impl Iterator<Item = &(Interval, GapCause, String)> {
        self.gaps.iter().filter(|(_, cause, _)| matches!(cause, GapCause::Corrupt | GapCause::Missing))
    }
}

/// An exception of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excepted {
    /// Offset within the shard at hand.
    pub offset: u64,
    /// What became of it.
    pub kind: OutcomeKind,
    /// Whose.
    pub project: ProjectId,
}
