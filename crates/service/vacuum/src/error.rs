//! What can keep a source from being read. A bad row is none of these.

use std::path::PathBuf;

/// A source, or the work as a whole, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum VacuumError {
    /// `vacuum.toml`, or the arguments that stand for it.
    #[error("{path}: {why}")]
    Config {
        /// The file, or `--from`.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A file of our own.
    #[error("{path}: {why}")]
    File {
        /// Which one.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The record of what was taken.
    #[error(
        "{path} is damaged at line {line}; restore it from a backup. Without it, files older than the dedup window \
         would be taken again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that does not read.
        line: u64,
    },
    /// Somebody else is at work.
    #[error("another process is taking files for {0}; `tallymark vacuum status` shows how far it is")]
    Busy(PathBuf),
    /// The bucket or folder.
    #[error("{place}: {why}")]
    Place {
        /// Which one.
        place: String,
        /// What it said.
        why: String,
    },
    /// The server does not let rows in, and will not later either.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The mapping.
    #[error(transparent)]
    Mapping(#[from] tallymark_mapping::MappingError),
    /// A test asked for it.
    #[error("stopped by a failpoint")]
    Failpoint,
    /// Told to stop; what is done is noted.
    #[error("stopped")]
    Stopped,
}

impl VacuumError {
    /// An I/O error of a file of our own.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> VacuumError {
        let path = path.into();
        move |why| VacuumError::File { path, why }
    }
}
