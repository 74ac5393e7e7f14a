//! What the catalog and a segment's footer both say about one segment file.

use crate::{Fingerprint, Interval};
use serde::{Deserialize, Serialize};
use tallymark_model::{CommitId, CommitSeq, Epoch, Millis, ProjectId, SegmentId};

/// What the rows of a segment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Events.
    Events,
    /// Operations on person properties.
    Properties,
}

/// One segment file: enough to rebuild the catalog's row from the footer alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Identity of the file.
    pub id: SegmentId,
    /// Whose rows.
    pub project: ProjectId,
    /// What the rows are.
    pub kind: SegmentKind,
    /// 0 = as committed, 1 = merged, 2 = event-major day file.
    pub level: u8,
    /// Object key.
    pub key: String,
    /// Size of the file; 0 inside the footer itself, which cannot know it.
    pub bytes: u64,
    /// Rows inside.
    pub rows: u64,
    /// Sum over the rows' positions; zero-sum material of I4 and I13. For `Properties` the positions repeat
    /// once per operation and only the compactor compares them.
    pub fingerprint: Fingerprint,
    /// Where the rows come from.
    pub sources: Vec<Source>,
    /// Smallest event time, ms UTC.
    pub time_min: Millis,
    /// Largest event time, ms UTC.
    pub time_max: Millis,
    /// Smallest receive time, ms UTC.
    pub received_min: Millis,
    /// Largest receive time, ms UTC.
    pub received_max: Millis,
    /// Day of all rows' time (days since the epoch, UTC) for level 2.
    pub day: Option<i32>,
    /// Commit sequence of the identity whose order the rows were sorted by (compaction), else 0.
    pub identity: CommitSeq,
    /// The commit that added it.
    pub commit: CommitId,
    /// The committer's previous commit: the chain that tells committed files from orphans.
    pub parent: Option<CommitId>,
    /// The committer's epoch.
    pub epoch: Epoch,
}

/// One interval that contributed rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where.
    pub interval: Interval,
    /// How many rows of the segment lie there.
    pub rows: u64,
    /// Sum over their positions.
    pub fingerprint: Fingerprint,
}
