//! What the log says: how far it reaches, what waits in it, what single records are.
//!
//! Guarantees: plain data; a record that is no longer kept is `None`, never a guess.
//! Deliberately not here: reading files.

use super::PortError;
use async_trait::async_trait;
use std::collections::HashMap;
use tallymark_ledger::Interval;
use tallymark_model::{DeadReason, Millis, Position, ProjectId, Shard, WireFormat};

/// How far the log reaches in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardBounds {
    /// The shard.
    pub shard: Shard,
    /// First offset that is still kept.
    pub start: u64,
    /// First offset that does not exist yet.
    pub end: u64,
}

/// What is acknowledged but not processed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BacklogReading {
    /// Every shard of the log.
    pub bounds: Vec<ShardBounds>,
    /// Event records beyond the cursors and in skipped intervals, per project; tokens of no project under
    /// [`ProjectId::UNKNOWN`].
    pub by_project: HashMap<ProjectId, u64>,
    /// False if the backlog was too long to read, so that `by_project` is a lower bound.
    pub exact: bool,
}

/// Reading what is pending, from the log.
#[async_trait]
pub trait Backlog: Send + Sync {
    /// How far the log reaches; cheap.
    async fn bounds(&self) -> Result<Vec<ShardBounds>, PortError>;
    /// The log's bounds and what lies beyond these cursors or in these intervals.
    async fn read(&self, cursors: &[(Shard, u64)], skipped: &[Interval])
    -> Result<BacklogReading, PortError>;
}

/// What a record of the log is, as far as its head tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHead {
    /// Where it stands.
    pub position: Position,
    /// When it was received, ms UTC; 0 for control records.
    pub received_at: Millis,
    /// Whose it is by its token; `None` for control records.
    pub project: Option<ProjectId>,
    /// Event name, if the record can be decoded.
    pub event: Option<String>,
    /// Insert id, if it has one.
    pub insert_id: Option<String>,
    /// Kind of the control record, if it is one.
    pub control: Option<String>,
}

/// Events of one sender within one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRow {
    /// Whose events, by token; [`ProjectId::UNKNOWN`] if no project owns it.
    pub project: ProjectId,
    /// Hex of the token that came with them.
    pub token: String,
    /// Protocol they were sent in.
    pub wire: String,
    /// Start of the minute, ms UTC.
    pub minute: Millis,
    /// How many.
    pub events: u64,
    /// The requests they came in.
    pub requests: u64,
    /// Where they stand, at most a hundred ranges.
    pub ranges: Vec<Interval>,
}

/// Who sent what within an interval.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Senders {
    /// By project, token, protocol and minute.
    pub rows: Vec<SenderRow>,
    /// Event records that were read.
    pub events: u64,
    /// Control records that were read.
    pub control: u64,
    /// Offsets that could not be read: the log no longer holds them, or there were too many.
    pub unread: u64,
}

/// Reading single records of the log.
#[async_trait]
pub trait Records: Send + Sync {
    /// What stands at a position; `None` if the log does not hold it (any more).
    async fn head(&self, position: Position) -> Result<Option<RecordHead>, PortError>;
    /// The newest records of a project with this insert id, among the newest records of each shard. Records whose
    /// token nobody owns come last: an operator may have given them to the project.
    async fn find(
        &self,
        project: ProjectId,
        insert_id: &str,
        limit: usize,
    ) -> Result<Vec<RecordHead>, PortError>;
    /// Who sent the records of these intervals.
    async fn senders(&self, intervals: &[Interval]) -> Result<Senders, PortError>;
    /// Whether these bytes can become an event: its name, or why not.
    fn decode(&self, wire: WireFormat, body: &str) -> Result<String, DeadReason>;
}
