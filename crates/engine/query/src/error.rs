//! Why a query could not be answered by the engine.

use crate::SqlProblem;
use tallymark_model::ProjectId;

/// Why a query could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Someone asked it to stop.
    #[error("the query was cancelled")]
    Cancelled,
    /// Its time is over.
    #[error("the query ran longer than its limit of {limit_ms} ms; shorten the range or add conditions")]
    OutOfTime {
        /// The limit.
        limit_ms: u64,
    },
    /// It would need more memory than it may have.
    #[error(
        "the query needs more than its {} MiB of memory; shorten the range, add conditions, or break down by a property with fewer values",
        limit_bytes >> 20
    )]
    OutOfMemory {
        /// The limit.
        limit_bytes: u64,
    },
    /// It would look at more rows than it may.
    #[error("the query would read {rows} rows, more than its {limit}; shorten the range or name events")]
    OutOfRows {
        /// How many it would read at once.
        rows: u64,
        /// The limit.
        limit: u64,
    },
    /// No such project.
    #[error("there is no project {0}")]
    NoProject(ProjectId),
    /// A condition, zone or range that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// SQL that is not answered.
    #[error("{message}")]
    Sql {
        /// In what way.
        problem: SqlProblem,
        /// What, and where.
        message: String,
    },
    /// Catalog, object store, state or a segment file failed.
    #[error("{what}: {detail}")]
    Storage {
        /// What was attempted.
        what: &'static str,
        /// What the lower layer said.
        detail: String,
        /// True if trying again may help.
        retryable: bool,
    },
}

impl QueryError {
    /// A failure of a lower layer that may pass.
    pub fn storage(what: &'static str, detail: impl std::fmt::Display) -> QueryError {
        QueryError::Storage { what, detail: detail.to_string(), retryable: true }
    }
    /// A file or row that is not as it must be.
    pub fn damaged(what: &'static str, detail: impl std::fmt::Display) -> QueryError {
        QueryError::Storage { what, detail: detail.to_string(), retryable: false }
    }
}
