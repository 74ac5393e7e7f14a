//! Why the processor stopped. Anything that may pass by itself is retried instead and never ends up here.

use crate::failpoint::Step;
use tallymark_catalog::CatalogError;
use tallymark_ledger::GapCause;
use tallymark_log::ReadError;
use tallymark_model::{CommitSeq, Epoch, LogId, Position};
use tallymark_state::StateError;
use tallymark_store::StoreError;

/// Why the processor stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// Somebody else holds the lease.
    #[error(
        "TM0601: another processor has taken over (epoch {epoch:?}); this one stops, nothing it had in hand was committed"
    )]
    Fenced {
        /// The other's epoch.
        epoch: Epoch,
    },
    /// The log is not the one the catalog belongs to.
    #[error(
        "TM0602: the catalog belongs to log {bound:?}, but the log in use is {found}; use the log it was made with"
    )]
    WrongLog {
        /// What the catalog says; none = it was never bound.
        bound: Option<LogId>,
        /// What was opened.
        found: LogId,
    },
    /// The log cannot be read, and waiting does not help.
    #[error("TM0603: the log cannot be read: {0}")]
    Log(#[from] ReadError),
    /// A range of the log is gone, and the settings say to stop.
    #[error(
        "TM0604: offsets {from} to {to} of the log are gone ({cause:?}: {evidence}); decide: restore them, `skip` the range, or declare it lost"
    )]
    Gap {
        /// First offset that is gone.
        from: Position,
        /// First offset after it.
        to: u64,
        /// Why.
        cause: GapCause,
        /// What shows it.
        evidence: String,
    },
    /// The catalog refused what it was sent: a bug, or a catalog of another version.
    #[error("TM0605: the catalog refused: {0}")]
    Catalog(#[from] CatalogError),
    /// State does not fit the catalog.
    #[error("TM0606: state cannot follow the catalog: {0}")]
    State(#[from] StateError),
    /// An object that the catalog refers to cannot be read.
    #[error("TM0607: the object store failed: {0}")]
    Store(#[from] StoreError),
    /// A delta is gone and cannot be derived again.
    #[error(
        "TM0610: the delta {key} of commit {seq:?} is gone and cannot be derived again ({why}); restore it from a backup"
    )]
    Underivable {
        /// Whose.
        seq: CommitSeq,
        /// Its object.
        key: String,
        /// Why not.
        why: String,
    },
    /// A step panicked; a bug.
    #[error("TM0608: the step `{step}` panicked: {message}")]
    Panicked {
        /// Which.
        step: &'static str,
        /// What it said.
        message: String,
    },
    /// A test asked for a crash here.
    #[error("TM0609: stopped by the failpoint {0:?}")]
    Failpoint(Step),
}
