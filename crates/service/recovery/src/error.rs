//! What can go wrong, in words for operators.
//!
//! Guarantees: every variant says what is wrong, where, and what to do; nothing was changed unless it says so.
//! Deliberately not here: findings of a verification, which are values.

use crate::RetentionRefused;
use crate::failpoint::Step;
use std::path::{Path, PathBuf};
use tallymark_catalog::CatalogError;
use tallymark_log::{OpenError, ReadError, TrimError};
use tallymark_store::StoreError;

/// A failure of recovery.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The catalog.
    #[error("catalog: {0}")]
    Catalog(#[from] CatalogError),
    /// An object store.
    #[error("object store: {0}")]
    Store(#[from] StoreError),
    /// The log cannot be opened.
    #[error("log: {0}")]
    Log(#[from] OpenError),
    /// The log cannot be read.
    #[error("log: {0}")]
    Read(#[from] ReadError),
    /// The log cannot be trimmed.
    #[error("log: {0}")]
    Trim(#[from] TrimError),
    /// The disk failed.
    #[error("{path}: {source}")]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something is not what was written.
    #[error("{what} is damaged: {problem}")]
    Damaged {
        /// Which object or file.
        what: String,
        /// What shows it.
        problem: String,
    },
    /// Something was written by a newer version.
    #[error("{what}: format {found} is newer than this program understands; upgrade it")]
    Newer {
        /// Which object or file.
        what: String,
        /// What it says.
        found: u32,
    },
    /// Something belongs to another instance.
    #[error("{place} belongs to instance {found}, not to {expected}; nothing was touched")]
    Foreign {
        /// What was looked at.
        place: String,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The catalog does not know what its instance has done.
    #[error(
        "the catalog has none of the {copied} commits that are copied in the object store: it was lost or emptied. Stop the server and run `tallymark rebuild catalog`"
    )]
    CatalogLost {
        /// Newest commit that is copied.
        copied: u64,
    },
    /// A process works here.
    #[error("{what} is in use; stop `tallymark serve` on this folder first")]
    InUse {
        /// What is locked.
        what: String,
    },
    /// The folder to restore into holds something.
    #[error(
        "{dir} is not empty ({found}); restore into a new folder, and move that one there when it is verified"
    )]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// Something in it.
        found: String,
    },
    /// No backup that can be used.
    #[error("{place} holds no usable backup{}", if .problems.is_empty() { String::new() } else { format!(": {}", .problems.join("; ")) })]
    NoBackup {
        /// Where was looked.
        place: String,
        /// What is wrong with those that are there.
        problems: Vec<String>,
    },
    /// Things kept changing while they were copied.
    #[error("{what} changed while it was copied, {tries} times over; try again when compaction is done")]
    Restless {
        /// What vanished.
        what: String,
        /// How often it was tried.
        tries: u32,
    },
    /// What was built does not hold; it was not put in place.
    #[error("what was built does not hold, the old one stays in place: {}", .0.join("; "))]
    Unsound(Vec<String>),
    /// The store lacks an ability that is needed.
    #[error("{url}: {problem}")]
    Unfit {
        /// Which store.
        url: String,
        /// What it does not do.
        problem: String,
    },
    /// Settings under which events could be forgotten.
    #[error(transparent)]
    Retention(#[from] RetentionRefused),
    /// A value cannot be written as JSON: a bug.
    #[error("{what} cannot be encoded: {problem}")]
    Encode {
        /// What.
        what: &'static str,
        /// Why.
        problem: String,
    },
    /// A test stopped the work here.
    #[error("stopped at {0:?} by a test")]
    Failpoint(Step),
    /// Asked to stop.
    #[error("stopped before it was done; run it again, it goes on from where it is")]
    Stopped,
}

impl RecoveryError {
    pub(crate) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> RecoveryError {
        let path = path.to_owned();
        move |source| RecoveryError::Disk { path, source }
    }

    pub(crate) fn damaged(what: impl Into<String>, problem: impl Into<String>) -> RecoveryError {
        RecoveryError::Damaged { what: what.into(), problem: problem.into() }
    }

    /// True if trying the same again later may work.
    pub fn retryable(&self) -> bool {
        match self {
            RecoveryError::Catalog(e) => e.retryable(),
            RecoveryError::Store(e) => e.retryable(),
            RecoveryError::Read(_) | RecoveryError::Trim(_) | RecoveryError::Disk { .. } => true,
            RecoveryError::Restless { .. } | RecoveryError::InUse { .. } | RecoveryError::Stopped => true,
            _ => false,
        }
    }
}
