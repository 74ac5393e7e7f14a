//! What can go wrong, in words for operators. Whether to retry is a question of its own.

use std::path::PathBuf;
use tallymark_model::Position;

/// Why an append was not acknowledged. Some of its records may have been kept nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No room on the volume above the reserve.
    #[error(
        "log volume is full: {free_bytes} bytes free, {needed_bytes} needed; free space or trim, appends resume by themselves"
    )]
    Full {
        /// What the volume has left.
        free_bytes: u64,
        /// What the log wants to keep free.
        needed_bytes: u64,
    },
    /// The batch exceeds what one append may carry.
    #[error("batch of {bytes} bytes is over the limit of {max_bytes} for one append; send it in parts")]
    TooLarge {
        /// Size of the batch.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The disk refused to make data durable; the writer takes nothing more.
    #[error("log writer stopped after a disk error ({cause}); open the log again to re-verify its files")]
    Poisoned {
        /// The first error.
        cause: String,
    },
    /// Not now: overloaded, or shutting down.
    #[error("log cannot take the batch now: {cause}")]
    Unavailable {
        /// Why.
        cause: String,
    },
}

impl AppendError {
    /// True if the same batch may be accepted later.
    pub fn retryable(&self) -> bool {
        !matches!(self, AppendError::TooLarge { .. })
    }
    /// True if this writer will never accept anything again: the process has to open the log anew.
    pub fn writer_is_lost(&self) -> bool {
        matches!(self, AppendError::Poisoned { .. })
    }
}

/// Why a read failed. Damage is not an error but a [`crate::Item::Gap`].
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Asked beyond the end. A cursor ahead of its log means the log was replaced or restored from an older
    /// copy; directly after a crash it may also be that the writer has not opened the log yet.
    #[error(
        "position {at} is beyond the end of the log ({end}): the log is older than the cursor, or its writer has not recovered it yet"
    )]
    Ahead {
        /// What was asked.
        at: Position,
        /// The offset the next record of that shard gets.
        end: u64,
    },
    /// No such partition.
    #[error("position {at} names a partition the log does not have: it has {partitions} per lane")]
    NoPartition {
        /// What was asked.
        at: Position,
        /// Partitions per lane.
        partitions: u16,
    },
    /// Written by a newer version.
    #[error("{path}: format version {found} is newer than this program understands ({known}); upgrade it")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u16,
        /// What this program reads.
        known: u16,
    },
    /// The disk failed.
    #[error("{path}: {source}")]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Why a trim failed; nothing that is not covered by the permit was touched.
#[derive(Debug, thiserror::Error)]
pub enum TrimError {
    /// The permit is for a partition the log does not have.
    #[error("the permit names {shard}, the log has {partitions} partitions per lane")]
    NoPartition {
        /// What the permit names.
        shard: tallymark_model::Shard,
        /// Partitions per lane.
        partitions: u16,
    },
    /// The log could not be read to find what the permit covers.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk failed.
    #[error("{path}: {source}")]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this log.
    #[error("{dir}: another process is writing this log; stop it, or use another data directory")]
    Locked {
        /// Folder of the log.
        dir: PathBuf,
    },
    /// Nothing there to read.
    #[error("{dir}: no log here yet; the collector creates it when it starts")]
    Missing {
        /// Folder of the log.
        dir: PathBuf,
    },
    /// Files of another log lie in the folder.
    #[error("{path}: belongs to log {found}, the folder is log {expected}; move the file away")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose folder it is.
        expected: String,
    },
    /// Settings that cannot work.
    #[error("log settings: {problem}")]
    Config {
        /// What is wrong.
        problem: String,
    },
    /// Nothing readable is left that says which offsets come next.
    #[error("{path}: {problem}")]
    Unusable {
        /// File or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Reading the files failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk failed.
    #[error("{path}: {source}")]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
