//! Telling people: who gets what, when, and how.
//!
//! Guarantees: each incident is told to each channel once per reason, repeated while nobody acknowledges, escalated,
//! and ended with a notice to everyone who was told of it; everything is on record in the store.
//! Deliberately not here: when incidents open and end.

mod backoff;
mod dispatch;
mod email;
mod notice;
mod plan;
mod signature;
mod slack;
mod webhook;

pub use backoff::next_attempt;
pub use dispatch::Dispatcher;
pub use notice::{Notice, NoticeKind};
pub(crate) use plan::escalates;
pub use plan::{Planned, Told, plan};
pub use signature::{SignatureError, SigningKey, TOLERANCE, sign, verify};
