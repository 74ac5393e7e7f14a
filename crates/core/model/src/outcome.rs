//! What became of a record: a closed set, every position ends in exactly one.

use crate::Position;
use serde::{Deserialize, Serialize};

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Stored: queries count it.
    Visible,
    /// Another position with the same insert id is visible.
    Duplicate {
        /// That position.
        witness: Position,
    },
    /// A rule dropped it.
    Filtered {
        /// The rule.
        rule: u32,
    },
    /// Could not be stored; kept with its bytes.
    Dead {
        /// Why.
        reason: DeadReason,
    },
    /// A control record.
    Control,
    /// An offset that carries no record (damage, or Kafka's transaction markers).
    Hole,
}

impl Outcome {
    /// The class of this outcome, for counting.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Visible => OutcomeKind::Visible,
            Outcome::Duplicate { .. } => OutcomeKind::Duplicate,
            Outcome::Filtered { .. } => OutcomeKind::Filtered,
            Outcome::Dead { .. } => OutcomeKind::Dead,
            Outcome::Control => OutcomeKind::Control,
            Outcome::Hole => OutcomeKind::Hole,
        }
    }
}

/// The terms of the sum in invariant I3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Stored.
    Visible,
    /// Duplicate of a stored one.
    Duplicate,
    /// Dropped by a rule.
    Filtered,
    /// Dead-lettered.
    Dead,
    /// Control record.
    Control,
    /// No record at this offset.
    Hole,
}

/// Why a record was dead-lettered: a stable code and a sentence naming what and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeadReason {
    /// Stable code, such as `unknown_project`, `invalid_json`, `missing_field`, `invalid_field`.
    pub code: String,
    /// What is wrong and where, for people.
    pub message: String,
}

impl DeadReason {
    /// A reason from its code and message.
    pub fn new(code: &str, message: impl Into<String>) -> DeadReason {
        DeadReason { code: code.to_owned(), message: message.into() }
    }
}
