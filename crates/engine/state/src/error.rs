//! What can go wrong with state. None of it loses data: state is a fold that can be made again.

use tallymark_model::{CommitId, CommitSeq};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Bytes of a delta or a checkpoint are not what was written.
    #[error("TM0501: the {what} is damaged: {detail}")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// What was found.
        detail: String,
    },
    /// Written by a later version of Tallymark.
    #[error(
        "TM0502: format version {found} is newer than this binary understands ({newest}); upgrade Tallymark"
    )]
    Version {
        /// As written.
        found: u8,
        /// The newest this binary reads.
        newest: u8,
    },
    /// A delta came out of order (I8): state would no longer be the fold of all commits before it.
    #[error(
        "TM0503: commit {offered:?} cannot be applied to state at {applied:?}: commits in between are missing"
    )]
    Gap {
        /// What state holds.
        applied: CommitSeq,
        /// What was offered.
        offered: CommitSeq,
    },
    /// The same sequence number, another commit: state belongs to another catalog.
    #[error(
        "TM0504: state holds commit {held:?} at {seq:?}, the catalog says {offered:?}: they are not of one installation"
    )]
    Foreign {
        /// Where.
        seq: CommitSeq,
        /// What state applied there.
        held: CommitId,
        /// What was offered.
        offered: CommitId,
    },
    /// A delta does not fit the state before it.
    #[error("TM0505: delta of commit {commit:?} does not fit: {detail}")]
    Mismatch {
        /// Whose delta.
        commit: CommitId,
        /// What does not fit.
        detail: String,
    },
    /// The state directory.
    #[error("TM0506: {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}
