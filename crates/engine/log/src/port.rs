//! The two halves of the log as traits: the collector holds a [`LogWriter`], the processor a [`LogReader`].
//!
//! Rules every backend keeps, checked by one behaviour suite:
//! 1. `append` answers after all records of the batch are durable. A batch is acknowledged as a whole; after an
//!    error nobody may assume that any or none of it was kept.
//! 2. Offsets of a shard start at 0, are dense in the order of acknowledgement, and are never used twice.
//! 3. `read(at)` starts exactly at `at`: with the record there, or with a gap that begins there.
//! 4. A reader sees a record only when it is durable.

use crate::{AppendError, ReadError, TrimError};
use async_trait::async_trait;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use tallymark_ledger::{GapCause, TrimPermit};
use tallymark_model::{Lane, LogId, Millis, Position, Record, Shard};

/// The writing half.
#[async_trait]
pub trait LogWriter: Send + Sync {
    /// Resolves when every record is durable (I1). Dropping the future does not undo the append.
    async fn append(&self, batch: Vec<Record>) -> Result<Receipt, AppendError>;
    /// How near the log is to refusing; admission asks before it reads a body.
    fn pressure(&self) -> Pressure;
    /// Identity of this log.
    fn id(&self) -> LogId;
    /// Partitions per lane.
    fn partitions(&self) -> u16;
}

/// The reading half; works from another process than the writer.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// Identity of this log.
    fn id(&self) -> LogId;
    /// Partitions per lane.
    fn partitions(&self) -> u16;
    /// What follows from `at` on, in order, within one shard. Empty: nothing more yet. At least one record is
    /// returned if one is there, however large.
    async fn read(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError>;
    /// First offset still kept and the offset the next record will get.
    async fn bounds(&self, shard: Shard) -> Result<Bounds, ReadError>;
    /// Gives up what the permit covers, in whole units of storage: possibly less, never more.
    async fn trim(&self, permit: TrimPermit) -> Result<(), TrimError>;
    /// Returns when something can be read at any of these positions, or after `timeout`.
    async fn wait(&self, at: &[Position], timeout: Duration);
    /// Space used and space left.
    async fn usage(&self) -> Result<Usage, ReadError>;
    /// The files that will never change again, by lane, oldest first; for archiving. Empty if the log has no files.
    async fn sealed(&self) -> Result<Vec<SealedFile>, ReadError> {
        Ok(Vec::new())
    }
    /// What the log promises under these terms and how it stands, seen from these cursors.
    async fn contract(&self, terms: &LogTerms, cursors: &[Position]) -> Result<LogContract, ReadError> {
        let usage = self.usage().await?;
        let mut headroom = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            headroom.push(Headroom::of(*cursor, self.bounds(cursor.shard()).await?));
        }
        Ok(LogContract {
            log: self.id(),
            partitions: self.partitions(),
            terms: *terms,
            forgets_unprocessed: false,
            log_bytes: usage.log_bytes,
            disk_total_bytes: None,
            disk_free_bytes: usage.disk_free_bytes,
            written_bytes_per_s: None,
            full_in_s: None,
            headroom,
        })
    }
}

/// Proof of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The log that holds the records.
    pub log: LogId,
    /// `(shard, from, to)`: half-open offset ranges, one per shard that got records, ordered by shard.
    pub ranges: Vec<(Shard, u64, u64)>,
    /// Position of each record, in the order of the request.
    pub positions: Vec<Position>,
}

/// State of the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Appends are accepted.
    Open,
    /// The queue of appends is full; retry shortly.
    Busy,
    /// The disk has no room above the reserve; clears by itself when space returns.
    Full,
    /// The writer failed; the process has to open the log again.
    Closed,
}

/// How near the log is to refusing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// What an append would meet now.
    pub admission: Admission,
    /// Bytes waiting to become durable, in the fuller lane.
    pub queued_bytes: u64,
    /// At this many waiting bytes appends are refused.
    pub queued_bytes_max: u64,
    /// Free bytes of the volume, if it has a limit.
    pub disk_free_bytes: Option<u64>,
}

/// How much one read may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many records.
    pub records: usize,
    /// Stop after so many bytes of bodies.
    pub bytes: usize,
}

impl Default for ReadLimit {
    fn default() -> ReadLimit {
        ReadLimit { records: 10_000, bytes: 8 << 20 }
    }
}

/// A run of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Records at consecutive offsets.
    Records(Vec<(Position, Record)>),
    /// Offsets `[from, to)` that cannot be read.
    Gap {
        /// First offset that cannot be read.
        from: Position,
        /// First offset after it, in the same shard.
        to: u64,
        /// Why.
        cause: GapCause,
        /// What shows it: file, byte range, checksum. For people and for `Account::Lost`.
        evidence: String,
    },
}

/// What a shard holds: offsets `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// First offset still kept.
    pub start: u64,
    /// First offset not yet written.
    pub end: u64,
}

/// Space used and space left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes the log occupies.
    pub log_bytes: u64,
    /// Free bytes of the volume, if it has a limit.
    pub disk_free_bytes: Option<u64>,
}

/// A file of the log that will never change again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealedFile {
    /// Whose.
    pub lane: Lane,
    /// Files of a lane are ordered by it.
    pub number: u64,
    /// Its name within the lane.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How much of it is content; what stands behind is unused space.
    pub bytes: u64,
    /// Offsets `[from, to)` of each partition.
    pub ranges: Vec<(u64, u64)>,
    /// Receive times of the first event in it and of the first event behind it, ms UTC. `None`: there is no event
    /// in it, or none behind it yet.
    pub received: Option<(Millis, Millis)>,
}

/// What an installation asks of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogTerms {
    /// Records stay at least so long after they were received, however far processing is.
    pub retention_ms: Millis,
    /// Files are copied to the object store before they go.
    pub archive: bool,
}

/// What the log promises, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogContract {
    /// Which log.
    pub log: LogId,
    /// Partitions per lane.
    pub partitions: u16,
    /// What was asked.
    pub terms: LogTerms,
    /// True if the log may drop records that were not processed, by age or size. Never true of the logs here.
    pub forgets_unprocessed: bool,
    /// Bytes the log occupies.
    pub log_bytes: u64,
    /// Size of the volume, if it has a limit.
    pub disk_total_bytes: Option<u64>,
    /// Free bytes of the volume, if it has a limit.
    pub disk_free_bytes: Option<u64>,
    /// Growth as measured over the last minutes; `None` before the second measurement.
    pub written_bytes_per_s: Option<f64>,
    /// At this growth the log refuses appends after so many seconds. Nothing is lost then, but nothing is taken.
    pub full_in_s: Option<f64>,
    /// Per cursor that was asked about.
    pub headroom: Vec<Headroom>,
}

impl LogContract {
    /// Offsets that were dropped before their cursor had passed them: losses.
    pub fn lost(&self) -> u64 {
        self.headroom.iter().map(|h| h.lost).sum()
    }
}

/// How far the log reaches back behind a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Headroom {
    /// Whose cursor.
    pub shard: Shard,
    /// Where it stands.
    pub cursor: u64,
    /// First offset still kept.
    pub start: u64,
    /// Offset the next record will get.
    pub end: u64,
    /// Offsets already read that are still kept.
    pub kept: u64,
    /// Offsets not yet read that are gone.
    pub lost: u64,
}

impl Headroom {
    /// A cursor against what the log holds.
    pub fn of(cursor: Position, bounds: Bounds) -> Headroom {
        let at = cursor.offset;
        Headroom {
            shard: cursor.shard(),
            cursor: at,
            start: bounds.start,
            end: bounds.end,
            kept: at.saturating_sub(bounds.start),
            lost: bounds.start.saturating_sub(at),
        }
    }
}
