//! Who may commit right now.
//!
//! Guarantees: epochs come from one counter over all leases, so an epoch names one lease and one owner for ever.
//! Deliberately not here: storage.

use std::fmt;
use tallymark_model::{Epoch, Millis};

/// What a lease is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseName {
    /// Advancing cursors.
    Process,
    /// Merging segments.
    Compact,
}

impl LeaseName {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            LeaseName::Process => "process",
            LeaseName::Compact => "compact",
        }
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A lease that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What for.
    pub name: LeaseName,
    /// To whom; the same owner may always take its lease again (with a new epoch).
    pub owner: String,
    /// The fencing number to put into commits.
    pub epoch: Epoch,
    /// When it runs out unless renewed, ms UTC.
    pub until: Millis,
}

/// What became of a request for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is yours.
    Granted(Lease),
    /// It is another owner's.
    Held {
        /// Whose.
        owner: String,
        /// Until when, ms UTC.
        until: Millis,
    },
}
