//! How many records of an interval ended in which outcome.

use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign};
use tallymark_model::OutcomeKind;

/// Counts per outcome. Their sum equals the length of the interval (I3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Stored.
    pub visible: u64,
    /// Duplicates of stored ones.
    pub duplicate: u64,
    /// Dropped by a rule.
    pub filtered: u64,
    /// Dead-lettered.
    pub dead: u64,
    /// Control records.
    pub control: u64,
    /// Offsets without a record.
    pub hole: u64,
}

impl Tally {
    /// Sum of all terms.
    pub fn total(&self) -> u64 {
        self.visible + self.duplicate + self.filtered + self.dead + self.control + self.hole
    }
    /// Counts one more record with this outcome.
    pub fn count(&mut self, kind: OutcomeKind) {
        match kind {
            OutcomeKind::Visible => self.visible += 1,
            OutcomeKind::Duplicate => self.duplicate += 1,
            OutcomeKind::Filtered => self.filtered += 1,
            OutcomeKind::Dead => self.dead += 1,
            OutcomeKind::Control => self.control += 1,
            OutcomeKind::Hole => self.hole += 1,
        }
    }
}

impl Add for Tally {
    type Output = Tally;
    fn add(mut self, other: Tally) -> Tally {
        self += other;
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, o: Tally) {
        self.visible += o.visible;
        self.duplicate += o.duplicate;
        self.filtered += o.filtered;
        self.dead += o.dead;
        self.control += o.control;
        self.hole += o.hole;
    }
}
