//! The fourteen invariants by name, and what a broken one looks like.
//!
//! Guarantees: the numbers and names are stable, because they appear in errors, logs and documents.
//! Deliberately not here: the checks themselves (`book`, `proof`, `permit`).

use crate::Interval;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule of the house that no code may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InvariantId {
    /// No acknowledgement before every record of the request is durable.
    I1,
    /// Ledger intervals cover `[start, cursor)` of each shard with no hole and no overlap.
    I2,
    /// The length of an accounted interval is the sum of its outcomes.
    I3,
    /// Visible count and fingerprint of an interval equal those of its rows in live segments.
    I4,
    /// Every duplicate points to a row that is visible.
    I5,
    /// A commit applies only if cursor and epoch are the expected ones; otherwise nothing changes.
    I6,
    /// A query reads exactly one commit sequence.
    I7,
    /// State at sequence s is a pure fold of deltas 1..s.
    I8,
    /// Nothing is trimmed that is not accounted, checkpointed and archived.
    I9,
    /// The collector depends on the log writer only.
    I10,
    /// Catalog rows never grow with events or users.
    I11,
    /// Outcome = f(log, committed state).
    I12,
    /// Rows in = rows out + erased, by count and by fingerprint.
    I13,
    /// A gap in the log is a value with a cause; passing it is a recorded decision.
    I14,
}

impl InvariantId {
    /// Every invariant, in order.
    pub const ALL: [InvariantId; 14] = {
        use InvariantId::*;
        [I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14]
    };

    /// The one-word name used beside the number.
    pub fn name(self) -> &'static str {
        match self {
            InvariantId::I1 => "durable-ack",
            InvariantId::I2 => "tiling",
            InvariantId::I3 => "sum",
            InvariantId::I4 => "rows",
            InvariantId::I5 => "witness",
            InvariantId::I6 => "equality",
            InvariantId::I7 => "snapshot",
            InvariantId::I8 => "fold",
            InvariantId::I9 => "trim",
            InvariantId::I10 => "collect-alone",
            InvariantId::I11 => "small-catalog",
            InvariantId::I12 => "determinism",
            InvariantId::I13 => "compaction",
            InvariantId::I14 => "typed-gap",
        }
    }
}

impl fmt::Display for InvariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} {}", self.name())
    }
}

/// One place where an invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{invariant}{}: {message}", .at.map(|i| format!(" at {i}")).unwrap_or_default())]
pub struct Violation {
    /// Which rule.
    pub invariant: InvariantId,
    /// Where, if it is about an interval.
    pub at: Option<Interval>,
    /// What was found and what was expected.
    pub message: String,
}

impl Violation {
    /// A violation about an interval.
    pub fn at(invariant: InvariantId, interval: Interval, message: impl Into<String>) -> Violation {
        Violation { invariant, at: Some(interval), message: message.into() }
    }
    /// A violation that is not about one interval.
    pub fn of(invariant: InvariantId, message: impl Into<String>) -> Violation {
        Violation { invariant, at: None, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_shown_with_the_number() {
        let names: BTreeSet<_> = InvariantId::ALL.iter().map(|i| i.name()).collect();
        assert_eq!(names.len(), 14);
        assert_eq!(InvariantId::I13.to_string(), "I13 compaction");
        assert_eq!(Violation::of(InvariantId::I9, "x").to_string(), "I9 trim: x");
    }
}
