//! Merge, sort and replace segments; collect garbage.
//!
//! Guarantees: a compaction is a commit that replaces segments by others with the same rows (I13); a crash at any
//! moment leaves either the old segments live or the new ones, never both and never neither; only files that no
//! commit can ever refer to, or that no reader can still be reading, are deleted.
//! Deliberately not here: the log, queries, erasure of persons.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod error;
mod merge;

pub use error::{CompactError, Result};
pub use merge::{MergeRequest, Order, merge};
