//! Rules as people edit them. What is *in force* is in the log and in the state folded from it; this is what should be.
//!
//! Guarantees: plain data; versions of a rule count up and are all kept.
//! Deliberately not here: publishing to the log (`server`), what a rule does (`processor`).

use serde::{Deserialize, Serialize};
use tallymark_model::{Erasure, Millis, Rule};

/// A rule as of a version, with what is known about its way into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleDocument {
    /// The rule, as it goes to the log.
    pub rule: Rule,
    /// When it was handed to the log, ms UTC; `None`: not yet.
    pub published_at: Option<Millis>,
}

/// A wish to forget a person, with what is known about its way into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureDocument {
    /// The wish, as it goes to the log.
    pub erasure: Erasure,
    /// When it was handed to the log, ms UTC; `None`: not yet.
    pub published_at: Option<Millis>,
    /// When the last row was removed from files, ms UTC.
    pub completed_at: Option<Millis>,
}
