//! The fold of committed deltas: dedup index, raw ids, identity, names, rules in force.
//!
//! ```text
//! commits in the catalog ─▶ deltas in the object store ─▶ State (processor)      dedup + fold
//!                                                      └▶ StateReader (web, compactor)  fold only
//! ```
//! Guarantees: state at commit s is a pure fold of deltas 1..=s (I8); applying is idempotent by commit sequence and
//! refuses gaps; it is disposable: a damaged checkpoint is ignored and an older one, or none, plus the deltas
//! gives the same state, byte for byte of its digest.
//! Deliberately not here: the catalog, the log, object keys (callers bring the deltas), person properties
//! (queries fold them from their segments).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod checkpoint;
mod codec;
mod control;
mod dedup;
mod delta;
mod delta_codec;
mod error;
mod fold;
mod overlay;
mod reader;
mod state;
mod stats;
mod stats_builder;
mod subjects;

pub use control::{
    BrokenRule, Controls, ErasedSubjects, ErasureInForce, Erasures, RefusalHour, Refusals, RuleInForce,
    RulesInForce, Throttled,
};
pub use dedup::{DedupEntry, DedupIndex, day_of, dedup_key};
pub use delta::{Delta, DeltaProject, Exception, Retracted, SubjectActivity};
pub use error::StateError;
pub use fold::{Activity, ProjectFold};
pub use overlay::{Overlay, ProjectOverlay};
pub use reader::{ProjectSnapshot, StateReader};
pub use state::{Applied, Digest, State, StateConfig};
pub use stats::{EventStats, ProjectStats, PropertyScope, PropertyStats, TypeSet};
pub use stats_builder::StatsBuilder;
pub use subjects::{NewSubject, SubjectNames, SubjectTable};
