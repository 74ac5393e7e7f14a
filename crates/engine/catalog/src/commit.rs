//! The shape of a commit and of the catalog's answer to it.
//!
//! Guarantees: plain data. Deliberately not here: how it is applied (`sqlite::commit`).

use serde::{Deserialize, Serialize};
use tallymark_ledger::{Account, Entry, Fingerprint, Interval, Restatement, SegmentMeta, Tally};
use tallymark_model::{CommitId, CommitSeq, Epoch, Millis, ProjectId, SegmentId, Shard};

/// One shard's cursor moving over one interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// Whose cursor.
    pub shard: Shard,
    /// Where the cursor must be.
    pub from: u64,
    /// Where it will be.
    pub to: u64,
    /// What became of the records in between.
    pub account: Account,
    /// Smallest receive time, ms UTC.
    pub received_from: Millis,
    /// Largest receive time, ms UTC.
    pub received_to: Millis,
    /// The same tally split by project. Visible, duplicate, filtered and dead must add up to the account's;
    /// control records and holes that are left out are booked under [`ProjectId::UNKNOWN`].
    pub projects: Vec<(ProjectId, Tally, Fingerprint)>,
}

impl Advance {
    /// Where it moves.
    pub fn interval(&self) -> Interval {
        Interval::new(self.shard, self.from, self.to)
    }
    /// As a row of the books.
    pub fn entry(&self) -> Entry {
        Entry { interval: self.interval(), account: self.account.clone() }
    }
}

/// Why a commit was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// Records were processed as they came.
    #[default]
    Live,
    /// A job moved cursors over records.
    Skip {
        /// The job.
        job: i64,
    },
    /// A job processed skipped records.
    Replay {
        /// The job.
        job: i64,
    },
    /// A job decided records again.
    Reprocess {
        /// The job.
        job: i64,
    },
    /// Segments were merged.
    Compaction,
    /// Lost or damaged segments were derived again.
    Repair {
        /// The job; 0 if a command did it.
        job: i64,
    },
}

/// Rows that a compaction leaves out of its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The segment that held them.
    pub segment: SegmentId,
    /// How many, of which the books do not know any more (masks) or which the restatements of this commit move to
    /// `filtered` (erasures).
    pub rows: u64,
    /// Sum over their positions.
    pub fingerprint: Fingerprint,
}

/// The only way anything becomes visible. Either it advances cursors or restates what is in the books, and adds
/// segments (processing), or it removes and adds segments without touching a cursor (compaction, repair).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Idempotency key.
    pub id: CommitId,
    /// The committer's lease; the `process` lease for commits that advance, any live lease for compactions.
    pub epoch: Epoch,
    /// Cursors to move. A shard may appear more than once if its intervals follow each other.
    pub advances: Vec<Advance>,
    /// Segments that become live.
    pub add: Vec<SegmentMeta>,
    /// Segments that stop being live.
    pub remove: Vec<SegmentId>,
    /// Object key of the state delta.
    pub delta: Option<String>,
    /// When it was made, ms UTC.
    pub created_at: Millis,
    /// Why.
    pub origin: Origin,
    /// Accounts to replace. With advances of the same commit they must not overlap.
    pub restate: Vec<Restatement>,
    /// Rows at these positions, in segments added by earlier commits, stop counting.
    pub masks: Vec<Interval>,
    /// Compactions: rows of removed segments that are not in the added ones, because of masks or erasures (I13).
    pub left_out: Vec<LeftOut>,
    /// Compactions: the commit whose masks were written in. A later mask over a removed segment is a conflict.
    pub as_of: CommitSeq,
}

impl Commit {
    /// A commit that does nothing yet.
    pub fn new(id: CommitId, epoch: Epoch, created_at: Millis) -> Commit {
        Commit {
            id,
            epoch,
            advances: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
            delta: None,
            created_at,
            origin: Origin::Live,
            restate: Vec::new(),
            masks: Vec::new(),
            left_out: Vec::new(),
            as_of: CommitSeq(0),
        }
    }
}

/// What the catalog did with a commit. Anything but the first two means: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitAnswer {
    /// It is in, under this sequence.
    Applied(CommitSeq),
    /// It was in before, under this sequence (a retry after a lost answer).
    Already(CommitSeq),
    /// Somebody else holds the lease now, with this epoch (0 = nobody ever did).
    Fenced {
        /// The lease's epoch.
        epoch: Epoch,
    },
    /// The cursor of a shard is already past the expected position: the committer is behind.
    Behind {
        /// The shard.
        shard: Shard,
        /// Its cursor.
        cursor: u64,
    },
    /// The cursor of a shard has not reached the expected position: applying would leave a gap.
    Gap {
        /// The shard.
        shard: Shard,
        /// Its cursor.
        cursor: u64,
    },
    /// A compaction wanted to remove segments that are not live.
    Conflict {
        /// Those segments.
        missing: Vec<SegmentId>,
    },
    /// The books do not say of this interval what a restatement says that they say.
    Mismatch {
        /// That interval.
        interval: Interval,
    },
    /// A compaction did not know of a mask over a segment it removes.
    Masked {
        /// That segment.
        segment: SegmentId,
    },
}

/// A commit as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Place in the total order; dense, starting at 1.
    pub seq: CommitSeq,
    /// Idempotency key.
    pub id: CommitId,
    /// Object key of the state delta.
    pub delta: Option<String>,
    /// Cursors it moved.
    pub advances: Vec<Advance>,
    /// When it was made, ms UTC.
    pub created_at: Millis,
    /// Segments it added, as far as the catalog still knows them.
    pub added: Vec<SegmentMeta>,
    /// Segments it removed.
    pub removed: Vec<SegmentId>,
    /// Why it was made.
    #[serde(default)]
    pub origin: Origin,
    /// Accounts it replaced.
    #[serde(default)]
    pub restated: Vec<Restatement>,
    /// Positions whose older rows it masked.
    #[serde(default)]
    pub masks: Vec<Interval>,
}
