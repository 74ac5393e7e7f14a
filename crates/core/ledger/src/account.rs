//! What the books say about an interval.

use crate::{Fingerprint, Interval, Tally};
use serde::{Deserialize, Serialize};

/// What the books say about an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "account", rename_all = "snake_case")]
pub enum Account {
    /// Every record has an outcome.
    Accounted {
        /// How many ended how.
        tally: Tally,
        /// Sum over the visible positions.
        visible: Fingerprint,
    },
    /// Passed by on purpose; counts as pending until replayed.
    Skipped {
        /// Who decided.
        by: String,
        /// Why.
        reason: String,
    },
    /// The log no longer holds these records.
    Lost {
        /// Why.
        cause: GapCause,
        /// What shows it (file, byte range, checksum).
        evidence: String,
    },
}

/// Why a range of the log cannot be read. A gap is a value, never a log line (I14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// Trimmed by permit.
    Trimmed,
    /// Damaged on disk; kept for forensics.
    Corrupt,
    /// Gone without a permit: a file of the log was removed by something else.
    Missing,
    /// Offsets that never carried a record.
    Hole,
}

/// One row of the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    pub interval: Interval,
    /// What.
    pub account: Account,
}
