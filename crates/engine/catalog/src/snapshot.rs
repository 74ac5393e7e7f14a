//! What readers get: one commit sequence, consistently (I7).
//!
//! Guarantees: plain data. Deliberately not here: storage.

use crate::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tallymark_ledger::{Account, Fingerprint, Interval, Restatement, SegmentMeta, Tally};
use tallymark_model::{CommitSeq, Millis, SegmentId, Shard};

/// Everything a query reads, as of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit it is as of.
    pub seq: CommitSeq,
    /// When that commit was made, ms UTC (0 before the first commit).
    pub created_at: Millis,
    /// The project's live segments.
    pub segments: Vec<SegmentMeta>,
    /// Positions whose rows do not count, per segment; segments without any are not listed. Intervals of one
    /// segment do not overlap and are ordered.
    pub masked: BTreeMap<SegmentId, Vec<Interval>>,
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

/// Positions whose rows do not count in segments that were added before a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    /// The commit that set it.
    pub seq: CommitSeq,
    /// Which positions.
    pub interval: Interval,
}

/// A replaced account, for the history of the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestatedRow {
    /// The commit that replaced it.
    pub seq: CommitSeq,
    /// When, ms UTC.
    pub at: Millis,
    /// Why.
    pub origin: Origin,
    /// What was replaced by what.
    pub restatement: Restatement,
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
