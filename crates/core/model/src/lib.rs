//! The vocabulary every other crate speaks: ids, positions, events, outcomes.
//!
//! Guarantees: plain data only, no I/O, no clock, no other crate of ours.
//! Deliberately not here: protocol shapes (`wire`), interval arithmetic (`ledger`), query shapes (`insights`).

mod control;
mod envelope;
mod event;
mod ids;
mod outcome;
mod position;
mod value;

pub use control::{Control, ERASED_RULE, Erasure, Redrive, Rule, RuleAction};
pub use envelope::{Envelope, Record, RequestContext, WireFormat};
pub use event::{Annotation, Event, IdentityAction, PropertyOp, PropertyOpKind, is_operation};
pub use ids::{
    CommitId, CommitSeq, Epoch, LogId, ProjectId, ProjectToken, SegmentId, SubjectId, SubjectKind,
};
pub use outcome::{DeadReason, Outcome, OutcomeKind};
pub use position::{Lane, Position, Seq, Shard};
pub use value::{canonical_text, is_none, number_of};

/// JSON value as a client sent it.
pub type Value = serde_json::Value;
/// Ordered property map as a client sent it.
pub type Properties = serde_json::Map<String, Value>;
/// Milliseconds since the Unix epoch, UTC.
pub type Millis = i64;
