//! The auditor: derives the books again from the bytes of the log and of the files, and says what does not agree.
//!
//! ```text
//! every round   commits since the last round, newest first: log bytes = rows + exceptions, originals of duplicates
//! often         tiling, sums, skipped and lost ranges, cursors against the log, every file where it should be
//! in turns      every file read in full (checksums), its rows against the books; every old commit against the log
//! ```
//! Guarantees: shares no code with the processor but the formats; only reads; a finding names the range, and is
//! resolved when a later look proves that range sound; a catalog that cannot be read is a finding, not an end; what
//! vanished because it was merged away meanwhile is looked for again before anything is said.
//! Deliberately not here: mending anything, telling anybody (`monitor`), backlog and freshness (`monitor`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod audit;
pub mod check;
mod config;
mod conflicts;
mod error;
mod finding;
mod objects;
mod pass;
mod read;
mod run;
mod sink;
mod tracker;

pub use audit::Auditor;
pub use config::AuditorConfig;
pub use error::AuditError;
pub use finding::{Fault, Finding, FindingKind};
pub use run::{Opener, run};
pub use sink::{FindingSink, Progress};

use std::sync::Arc;
use tallymark_catalog::{Settings, Snapshots, Tombstones};
use tallymark_log::LogReader;
use tallymark_store::ObjectStore;

/// What the auditor needs of the catalog: reading.
pub trait Catalog: Snapshots + Settings + Tombstones {}

impl<T: Snapshots + Settings + Tombstones + ?Sized> Catalog for T {}

/// What is audited.
#[derive(Clone)]
pub struct Deps {
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// The log.
    pub log: Arc<dyn LogReader>,
    /// Segments and deltas.
    pub store: ObjectStore,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").field("store", &self.store).finish_non_exhaustive()
    }
}
