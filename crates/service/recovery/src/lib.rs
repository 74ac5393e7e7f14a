//! Getting back what was lost, and keeping what is needed for it: the raw archive, copies of commits and settings,
//! backups.
//!
//! ```text
//! log file, sealed ──▶ archive/{lane}/{name}.zst + .json ──▶ ArchivedLog (reads what was trimmed)   archive
//! commit           ──▶ commits/{seq}.json                ──▶ a new catalog                          copies, rebuild
//! settings         ──▶ settings/{ms}.json                ─┘
//! all of it        ──▶ backup target: chunks, lists, manifest last ──▶ an empty folder              backup
//! ```
//! Guarantees: nothing is trimmed without a permit (I9); whatever step is interrupted can be repeated, and what was
//! there before is whole until what replaces it is; what is read back is compared with a checksum taken before it
//! was written.
//! Deliberately not here: when to do it and the command line (`server`, `cli`), deciding records (`processor`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod archive;
pub mod backup;
pub mod copies;
mod document;
mod error;
pub mod failpoint;
pub mod guard;
mod places;
pub mod rebuild;
mod retention;
mod verify;

pub use error::RecoveryError;
pub use places::Places;
pub use retention::{Floors, Retention, RetentionRefused};
pub use verify::{BooksReport, books};
