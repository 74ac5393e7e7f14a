//! Segmentation, funnels, retention, lists and timelines: the query language and its physical operators.
//!
//! A query passes through parse (`query`), bind (`plan`), execute (`analyses` over `operators`) and shape
//! (`envelope`); lists and pages about persons are `services`.
//!
//! Guarantees: every answer follows the insight semantics; the same inputs give byte-identical answers whatever
//! the number of threads; an option that is not computed is refused by name, never ignored.
//! Deliberately not here: HTTP, authorisation, files and Arrow plumbing (`query`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod analyses;
mod cache;
mod cohorts;
mod engine;
mod envelope;
mod error;
mod explain;
mod formula;
mod operators;
mod plan;
mod query;
mod requests;
mod services;
mod vocabulary;

pub use cohorts::{STATIC_MAX, StoredMembers};
pub use engine::{Engine, QueryContext};
pub use error::{Error, ErrorKind};
pub use requests::{EventsRequest, PersonsRequest, TimelineRequest};
