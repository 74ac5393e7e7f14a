//! Facts about events on their way from the log to charts.
//!
//! Guarantees: offsets and counts as the log and the catalog give them.
//! Deliberately not here: estimates (`eta`).

use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId, Shard};

/// One shard of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardFacts {
    /// Which.
    pub shard: Shard,
    /// First offset the log still holds.
    pub log_start: u64,
    /// First offset not written yet.
    pub log_end: u64,
    /// First offset not accounted yet: the committed cursor.
    pub cursor: u64,
    /// Receive time of the record at the cursor; `None` if nothing is pending (or it is not known).
    pub oldest_pending: Option<Millis>,
    /// Receive time of the newest record in the log, if known.
    #[serde(default)]
    pub newest: Option<Millis>,
    /// Records accounted per second. Measured by the watch from successive cursors, if `None`.
    #[serde(default)]
    pub drain_per_s: Option<f64>,
    /// Records appended per second. Measured by the watch from successive ends, if `None`.
    #[serde(default)]
    pub arrival_per_s: Option<f64>,
    /// Who the pending records belong to, by project or key, as far as they were sampled.
    #[serde(default)]
    pub backlog_shares: Vec<Share>,
    /// The log drops files older than this, if it has such a limit (with permit only, if `needs_permit`).
    #[serde(default)]
    pub retention_ms: Option<Millis>,
    /// The log drops files beyond this size, if it has such a limit.
    #[serde(default)]
    pub retention_bytes: Option<u64>,
    /// Bytes the log holds.
    #[serde(default)]
    pub log_bytes: u64,
    /// True if trimming waits for a permit of the ledger. False = a limit forgets unprocessed events.
    #[serde(default = "yes")]
    pub needs_permit: bool,
}

impl ShardFacts {
    /// Records not accounted yet.
    pub fn pending(&self) -> u64 {
        self.log_end.saturating_sub(self.cursor)
    }
}

fn yes() -> bool {
    true
}

/// A part of a shard's backlog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The project, if it is known.
    pub project: Option<ProjectId>,
    /// The key (a hash of a credential or of a device id), if the share is of one.
    #[serde(default)]
    pub key: Option<String>,
    /// Its part of the sampled backlog, 0 to 1.
    pub share: f64,
}

/// One project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectFacts {
    /// Which.
    pub project: ProjectId,
    /// Its name, for texts that are not public.
    pub name: String,
    /// Everything received up to here is queryable: the lowest watermark of the shards it uses.
    pub watermark: Millis,
    /// Events of it that wait, if known.
    #[serde(default)]
    pub pending: Option<u64>,
    /// Receive time of its oldest waiting event; `None` if nothing waits.
    pub oldest_pending: Option<Millis>,
}
