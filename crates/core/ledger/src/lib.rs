//! The books: interval algebra, tallies, fingerprints, accounting proofs, trim permits.
//!
//! Guarantees: pure functions over plain data; every rule of the accounting identity (invariants I2-I4, I9, I13)
//! is stated here once and used by commit, trim, monitor, API and verification alike.
//! Deliberately not here: I/O, SQL, files.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod account;
mod book;
mod fingerprint;
mod interval;
mod invariant;
mod permit;
mod proof;
mod restate;
mod segment;
mod tally;

pub use account::{Account, Entry, GapCause};
pub use book::Book;
pub use fingerprint::Fingerprint;
pub use interval::{Interval, IntervalSet};
pub use invariant::{InvariantId, Violation};
pub use permit::{TrimPermit, TrimRefusal, permit};
pub use proof::{check_commit, check_compaction, check_rows, check_segment, check_sum};
pub use restate::{Part, Restatement};
pub use segment::{SegmentKind, SegmentMeta, Source};
pub use tally::Tally;
