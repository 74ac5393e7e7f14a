//! Who is who: position-tagged operations folded into persons (chapter 12 of the insight semantics).
//!
//! Rows of events carry a *subject* (the user id if there is one, else the device id), never a person. This
//! crate answers, at query time, which person a subject was at a point of the log.
//!
//! Guarantees:
//! * The graph is a pure function of the set of subjects and operations: the order in which they arrive does
//!   not matter, replaying any of them changes nothing, an operation that arrives late is folded in at its
//!   place in the log (`Seq`). Event time is never read.
//! * Merges are retroactive and rewrite nothing: a [`View`] resolves stored subjects through the current graph.
//! * Events of an identified person never move to another person, except by `$alias` or `$merge`.
//!
//! Deliberately not here: I/O, raw ids (the state crate owns the table of subjects), garbage ids (`wire`
//! drops them before they become subjects), `$split`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
mod filter;
mod fold;
mod graph;
mod key;
mod op;
mod view;

pub use config::{IdentityConfig, SharedDevice};
pub use filter::{OpFilter, Sight};
pub use graph::{Applied, Graph, GraphParts};
pub use key::person_key;
pub use op::{Action, IdentityOp, Merge, MergeKind, Refusal, RefusalReason, UNSEEN};
pub use view::{Founder, View};
