//! What readers get: one commit sequence, consistently (I7).
//!
//! Guarantees: plain data. Deliberately not here: storage.

use serde::{Deserialize, Serialize};
use tallymark_ledger::{Account, Fingerprint, Interval, SegmentMeta, Tally};
use tallymark_model::{CommitSeq, Millis, Shard};

/// Everything a query reads, as of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit it is as of.
    pub seq: CommitSeq,
    /// When that commit was made, ms UTC (0 before the first commit).
    pub created_at: Millis,
    /// The project's live segments.
    pub segments: Vec<SegmentMeta>,
    /// How far each shard was processed.
    pub cursors: Vec<(Shard, u64)>,
}

/// How far a shard is processed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The shard.
    pub shard: Shard,
    /// First offset without an account.
    pub position: u64,
    /// Largest receive time below it, ms UTC.
    pub received_to: Millis,
}

/// A row of the books for people: a run of commits within one hour of receive time, or one anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Which offsets.
    pub interval: Interval,
    /// What became of them, over all projects.
    pub account: Account,
    /// Smallest receive time, ms UTC.
    pub received_from: Millis,
    /// Largest receive time, ms UTC.
    pub received_to: Millis,
    /// The part of the project that was asked for; the whole if none was asked for.
    pub tally: Tally,
    /// Sum over the visible positions of that part.
    pub visible: Fingerprint,
}

/// The books as of one commit: what the ledger page needs, read together so that the sums agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The commit it is as of.
    pub seq: CommitSeq,
    /// How far each shard is processed.
    pub cursors: Vec<Cursor>,
    /// Rows of the ledger that touch the asked span of receive time.
    pub rows: Vec<LedgerRow>,
    /// Everything accounted for the asked project.
    pub project: Tally,
    /// Everything accounted.
    pub instance: Tally,
    /// Every skipped or lost interval, whatever the span.
    pub anomalies: Vec<LedgerRow>,
}
