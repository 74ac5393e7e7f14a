//! What can stop a compaction. None of it loses data: inputs stay live until a commit replaces them.

use ledger::Violation;
use tallymark_catalog::CatalogError;
use tallymark_ledger as ledger;
use tallymark_model::{Epoch, LogId, SegmentId};
use tallymark_state::StateError;
use tallymark_store::StoreError;

/// A failure of the compactor.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// A segment file or the object store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fold of identity that the order of rows is taken from.
    #[error(transparent)]
    State(#[from] StateError),
    /// What was merged is not what came in (I13); a bug or a damaged file. Nothing was committed.
    #[error("the merge was refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unbalanced(Vec<Violation>),
    /// A file does not hold what the catalog says (I4). Nothing was committed; the file stays live for inspection.
    #[error(
        "segment {id} does not hold the rows that the catalog announces; run `tallymark verify` and restore the file"
    )]
    Damaged {
        /// Which segment.
        id: SegmentId,
    },
    /// Segments of two incarnations of the log were mixed in one merge.
    #[error("segments of log {0} and of log {1} cannot be merged")]
    MixedLogs(LogId, LogId),
    /// A column of a batch does not have the type its name stands for.
    #[error("column `{column}` cannot be merged: {detail}")]
    Column {
        /// Name in the file.
        column: String,
        /// What is wrong.
        detail: String,
    },
    /// Another compactor took over.
    #[error("another compactor holds the lease now (epoch {})", .0.0)]
    Fenced(Epoch),
    /// The process is shutting down.
    #[error("compaction was cancelled")]
    Cancelled,
}

/// Result with [`CompactError`].
pub type Result<T, E = CompactError> = std::result::Result<T, E>;
