//! What can stop a drill from being carried out. A drill that fails its objectives is not an error but a result.

/// Why a drill could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// A file or process could not be used.
    #[error("{what}: {why}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's word.
        why: std::io::Error,
    },
    /// A scratch instance does not answer.
    #[error("{instance} does not answer: {why}")]
    NoAnswer {
        /// Which instance.
        instance: String,
        /// The last failure, with the end of its log.
        why: String,
    },
    /// A scratch instance answered something else than the drill needs.
    #[error("{what}: unexpected answer {answer}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came back.
        answer: String,
    },
    /// A command of the binary failed.
    #[error("tallymark {command} ended with {code}: {output}")]
    Command {
        /// Its arguments.
        command: String,
        /// Its exit code.
        code: i32,
        /// What it printed.
        output: String,
    },
    /// This build lacks something the drill needs.
    #[error("this build has no {0}")]
    Missing(String),
    /// Something did not happen within its limit.
    #[error("waited {seconds:.0} s for {what}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: f64,
    },
    /// The object store's files.
    #[error("segment files: {0}")]
    Store(#[from] tallymark_store::StoreError),
    /// No drill of that name.
    #[error("there is no drill `{0}`; `tallymark drill list` names them")]
    Unknown(String),
    /// A report could not be written.
    #[error("report: {0}")]
    Report(#[from] serde_json::Error),
}

/// Shorthand for this crate.
pub type Result<T> = std::result::Result<T, DrillError>;

impl DrillError {
    /// Wraps an I/O error with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> DrillError {
        let what = what.into();
        move |why| DrillError::Io { what, why }
    }
}
