//! Merge, sort and replace segments; collect garbage.
//!
//! ```text
//! level 0  as committed          ─▶ level 1  in arrival order        when there are many, or they are a minute old
//! level 0, 1                     ─▶ level 2  one UTC day, by event   when there is enough, or the project is quiet
//! level 2 of one day + late data ─▶ level 2                          when the late part is worth it
//! property operations            ─▶ one file by (name, subject, time)
//! ```
//! Guarantees: a compaction is a commit that replaces segments by others with the same rows (I13); a crash at any
//! moment leaves either the old segments live or the new ones, never both and never neither; only files that no
//! commit can ever refer to, or that no reader can still be reading, are deleted. Masked rows are written out of the
//! files; rows of erased persons and deleted projects leave files and books in one commit, once it is too late to
//! undo.
//! Deliberately not here: the log, queries.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod books;
mod config;
mod erase;
mod error;
mod execute;
mod failpoint;
mod follow;
mod garbage;
mod leave;
mod merge;
mod plan;
mod rewriter;
mod run;

pub use config::{CompactorConfig, PlanConfig};
pub use error::{CompactError, Result};
pub use execute::Done;
pub use garbage::{Collected, Collector, Grace};
pub use leave::{ErasedRow, ErasedRows, LeaveOut};
pub use merge::{MergeRequest, Merged, Order, merge, merge_leaving};
pub use plan::{Action, Task, plan, rewrite};
pub use run::{Compactor, run};

use std::sync::Arc;
use tallymark_catalog::{Commits, Garbage, Leases, Rules, Snapshots, Tombstones};
use tallymark_store::ObjectStore;

/// What the compactor needs of the catalog.
pub trait Catalog: Commits + Snapshots + Leases + Garbage + Rules + Tombstones {}

impl<T: Commits + Snapshots + Leases + Garbage + Rules + Tombstones + ?Sized> Catalog for T {}

/// What the compactor works on.
#[derive(Clone)]
pub struct Deps {
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// Where segments and deltas are.
    pub store: ObjectStore,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").field("store", &self.store).finish_non_exhaustive()
    }
}
