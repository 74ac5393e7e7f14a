//! The durable log: where an event is safe, and the only way from the collector to the processor.
//!
//! Guarantees: [`LogWriter::append`] answers after every record of the request is durable (I1); offsets are
//! dense per (lane, partition) and never used twice; what cannot be read is a [`Item::Gap`] with a cause (I14);
//! nothing is trimmed without a [`tallymark_ledger::TrimPermit`] (I9).
//! Deliberately not here: what the records mean, cursors (the catalog has them), HTTP.
//!
//! [`memory::MemoryLog`] is for tests, [`file::FileLog`] for one machine; both pass the same behaviour suite
//! (`tests/suite`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod assemble;
mod error;
pub mod file;
pub mod memory;
mod port;
pub mod record;
mod route;

pub use error::{AppendError, OpenError, ReadError, TrimError};
pub use port::{
    Admission, Bounds, Headroom, Item, LogContract, LogReader, LogTerms, LogWriter, Pressure, ReadLimit,
    Receipt, SealedFile, Usage,
};
pub use route::{PARTITIONS_MAX, partition_of_key};
