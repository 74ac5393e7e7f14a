//! The event scan over a snapshot: pruning, identity overlay, property timelines, vectorised predicates on
//! Arrow arrays, the parallel executor and its budget.
//!
//! Guarantees: a snapshot pins one commit sequence for segments, identity and property timelines together (I7);
//! limits end a query with a typed error; nothing here writes.
//! Deliberately not here: what charts mean (`insights`), SQL (`sql`), the log.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod calendar;
mod context;
mod error;

pub use calendar::{BUCKETS_MAX, Buckets, Calendar, Range, Unit, WeekStart, parse_instant};
pub use context::{Budget, Cancel, Context, Progress, ProgressReading, Reservation};
pub use error::QueryError;
