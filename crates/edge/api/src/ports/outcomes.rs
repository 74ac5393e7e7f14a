//! What became of single records, from the deltas of commits.
//!
//! Guarantees: plain data; the newest commit that decided a record has the last word.
//! Deliberately not here: reading deltas.

use super::PortError;
use async_trait::async_trait;
use bytes::Bytes;
use tallymark_catalog::Origin;
use tallymark_ledger::{Interval, Tally};
use tallymark_model::{CommitSeq, DeadReason, Millis, Outcome, Position, ProjectId, WireFormat};

/// A record that could not be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it stands in the log.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// Why it was not stored.
    pub reason: DeadReason,
    /// How to read `body`.
    pub wire: WireFormat,
    /// The client's bytes.
    pub body: Bytes,
}

/// A page of dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadPage {
    /// The letters.
    pub dead: Vec<DeadLetter>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// What became of one record, and who decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Where it stands.
    pub position: Position,
    /// What became of it. Records that became rows, and control records, are `Visible` here: only the log can
    /// tell them apart.
    pub outcome: Outcome,
    /// Whose it is; `None` if the deltas do not say (visible rows that are whose their token says).
    pub project: Option<ProjectId>,
    /// When it was received, ms UTC, if the deltas say.
    pub received_at: Option<Millis>,
    /// The commit that decided it last.
    pub commit: CommitSeq,
    /// When that was, ms UTC.
    pub decided_at: Millis,
    /// Why that commit was made.
    pub origin: Origin,
    /// How often it was decided in all: 1, or more after a replay, a reprocess or a redrive.
    pub decisions: u32,
}

/// What became of single records, from the deltas of commits.
#[async_trait]
pub trait Outcomes: Send + Sync {
    /// Counts the outcomes of accounted offsets. The ranges lie below the cursors and do not overlap; offsets
    /// that are skipped or lost are not counted.
    async fn count(&self, ranges: &[Interval]) -> Result<Tally, PortError>;
    /// What became of one record; `None` if nothing has yet (pending, skipped).
    async fn of(&self, position: Position) -> Result<Option<Verdict>, PortError>;
    /// A project's dead letters, newest first. Letters that were mended since are left out.
    async fn dead_letters(
        &self,
        project: ProjectId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadPage, PortError>;
    /// One dead letter of a project, if it still is one.
    async fn dead_letter(
        &self,
        project: ProjectId,
        position: Position,
    ) -> Result<Option<DeadLetter>, PortError>;
}
