//! Why a question was not answered, with the code under which it is documented.

use tallymark_query::{QueryError, SqlProblem};

/// How the one who asked should take an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The question is wrong; asking again will not help.
    BadRequest,
    /// What was asked for does not exist.
    NotFound,
    /// A limit of time or memory was reached.
    Limit,
    /// The asker stopped it.
    Cancelled,
    /// Our side failed; trying again may help.
    Unavailable,
    /// Our side failed; trying again will not help.
    Internal,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key of the query has the wrong type or value.
    #[error("{path}: {problem}")]
    Malformed {
        /// Where, such as `series[0].measure`.
        path: String,
        /// What is wrong.
        problem: String,
        /// What is allowed.
        hint: String,
    },
    /// A key that no version of the query language knows.
    #[error("{path}: unknown key")]
    UnknownKey {
        /// Where.
        path: String,
        /// What is allowed there.
        hint: String,
    },
    /// An option of the query language that this version does not compute. Refused, never ignored.
    #[error("{path}: {what} is not supported yet")]
    Unsupported {
        /// Where.
        path: String,
        /// The option or its value.
        what: String,
    },
    /// Options that mean nothing together, and why.
    #[error("{path}: {what} {why}")]
    Combination {
        /// Where.
        path: String,
        /// The option that is too much.
        what: String,
        /// What it does not go with.
        why: String,
    },
    /// No such person.
    #[error("there is no person {0:?} in this project")]
    NoPerson(String),
    /// The engine gave up.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Error {
    /// The code under which the error is documented.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Malformed { .. } => "TM0301",
            Error::UnknownKey { .. } => "TM0302",
            Error::Unsupported { .. } | Error::Combination { .. } => "TM0303",
            Error::NoPerson(_) => "TM0304",
            Error::Query(QueryError::NoProject(_)) => "TM0305",
            Error::Query(QueryError::Invalid(_)) => "TM0306",
            Error::Query(QueryError::OutOfMemory { .. }) => "TM0311",
            Error::Query(QueryError::OutOfTime { .. }) => "TM0312",
            Error::Query(QueryError::Cancelled) => "TM0313",
            Error::Query(QueryError::Storage { .. }) => "TM0314",
            Error::Query(QueryError::OutOfRows { .. }) => "TM0317",
            Error::Query(QueryError::Sql { problem, .. }) => match problem {
                SqlProblem::Unclear => "TM0321",
                SqlProblem::NotAllowed => "TM0322",
                SqlProblem::TooLarge => "TM0323",
                SqlProblem::Failed => "TM0324",
            },
        }
    }

    /// How to take it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Malformed { .. }
            | Error::UnknownKey { .. }
            | Error::Unsupported { .. }
            | Error::Combination { .. } => ErrorKind::BadRequest,
            Error::NoPerson(_) | Error::Query(QueryError::NoProject(_)) => ErrorKind::NotFound,
            Error::Query(QueryError::Invalid(_) | QueryError::Sql { .. }) => ErrorKind::BadRequest,
            Error::Query(
                QueryError::OutOfMemory { .. } | QueryError::OutOfTime { .. } | QueryError::OutOfRows { .. },
            ) => ErrorKind::Limit,
            Error::Query(QueryError::Cancelled) => ErrorKind::Cancelled,
            Error::Query(QueryError::Storage { retryable: true, .. }) => ErrorKind::Unavailable,
            Error::Query(QueryError::Storage { .. }) => ErrorKind::Internal,
        }
    }

    /// What to do about it; empty if the message already says it.
    pub fn hint(&self) -> &str {
        match self {
            Error::Malformed { hint, .. } | Error::UnknownKey { hint, .. } => hint,
            Error::Unsupported { .. } | Error::Combination { .. } => {
                "leave the option out, or use its default"
            }
            Error::NoPerson(_) => "use a person from `persons`, or a raw user or device id",
            _ => "",
        }
    }

    pub(crate) fn malformed(
        path: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Malformed { path: path.into(), problem: problem.into(), hint: hint.into() }
    }
    pub(crate) fn combination(
        path: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Error {
        Error::Combination { path: path.into(), what: what.into(), why: why.into() }
    }
    pub(crate) fn unsupported(path: impl Into<String>, what: impl Into<String>) -> Error {
        Error::Unsupported { path: path.into(), what: what.into() }
    }
}
