//! What can go wrong with segment files and the objects around them.

use tallymark_model::Position;

/// A failure of the object store or of one segment file. Every variant names the file.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The URL of the store cannot be used.
    #[error("the object store URL `{url}` cannot be used: {detail}; use `file:DIR` or `s3://BUCKET/PREFIX`")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A key that would leave the store's folder or cannot be a file name.
    #[error("`{key}` is not a valid object key: keys are non-empty segments of [A-Za-z0-9._-] joined by `/`")]
    Key {
        /// As given.
        key: String,
    },
    /// No such object.
    #[error("the object `{key}` does not exist")]
    NotFound {
        /// Object key.
        key: String,
    },
    /// The disk or the remote store refused.
    #[error("could not {action} the object `{key}`: {detail}")]
    Io {
        /// read, write, delete, list.
        action: &'static str,
        /// Object key or prefix.
        key: String,
        /// What the system said.
        detail: String,
        /// Kind of the system's error, to tell a full disk from a broken one.
        kind: std::io::ErrorKind,
    },
    /// A remote store refused, and will go on refusing until somebody does something.
    #[error("could not {action} `{key}`: {place} refuses: {detail}; {advice}")]
    Refused {
        /// Which store.
        place: String,
        /// read, write, delete, list.
        action: &'static str,
        /// Object key or prefix.
        key: String,
        /// What it said.
        detail: String,
        /// What to do.
        advice: String,
    },
    /// The bytes are not what was written: damage, a torn write or a foreign file.
    #[error(
        "the segment file `{key}` is damaged: {detail}; restore it from a backup or rebuild it from the log"
    )]
    Corrupt {
        /// Object key.
        key: String,
        /// What shows it.
        detail: String,
    },
    /// Nothing to write.
    #[error("a segment needs at least one row")]
    Empty,
    /// A row does not lie in any interval that the segment is said to come from.
    #[error("the row at {position} lies outside the intervals of the segment being written")]
    Outside {
        /// Where the row comes from.
        position: Position,
    },
    /// The file cannot be encoded.
    #[error("the segment `{key}` could not be encoded: {detail}")]
    Encode {
        /// Object key.
        key: String,
        /// What the encoder said.
        detail: String,
    },
}

/// Result with [`StoreError`].
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// True if the same call may succeed later without anybody repairing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, StoreError::Io { .. })
    }

    pub(crate) fn io(action: &'static str, key: &str, error: &std::io::Error) -> StoreError {
        if error.kind() == std::io::ErrorKind::NotFound {
            return StoreError::NotFound { key: key.to_owned() };
        }
        StoreError::Io { action, key: key.to_owned(), detail: error.to_string(), kind: error.kind() }
    }

    pub(crate) fn corrupt(key: &str, detail: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { key: key.to_owned(), detail: detail.to_string() }
    }

    pub(crate) fn encode(key: &str, detail: impl std::fmt::Display) -> StoreError {
        StoreError::Encode { key: key.to_owned(), detail: detail.to_string() }
    }
}
