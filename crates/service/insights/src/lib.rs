//! Segmentation, funnels, retention, lists and timelines: the query language and its physical operators.
//!
//! Guarantees: every answer follows `docs/semantics`; the same inputs give byte-identical answers whatever the
//! number of threads; an option that is not computed is refused by name, never ignored.
//! Deliberately not here: HTTP, authorisation, files and Arrow plumbing (`query`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod engine;
mod error;
mod requests;

pub use engine::{Engine, QueryContext};
pub use error::{Error, ErrorKind};
pub use requests::{EventsRequest, PersonsRequest, TimelineRequest};
