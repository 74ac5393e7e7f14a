//! What can be wrong with a condition.

use crate::operator::Operator;

/// A condition that cannot be used: where in the JSON, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct PredicateError {
    /// Path of the mistake, such as `segment[0].any[2].op`.
    pub path: String,
    /// The mistake.
    pub kind: ErrorKind,
}

impl PredicateError {
    pub(crate) fn new(path: impl Into<String>, kind: ErrorKind) -> PredicateError {
        PredicateError { path: path.into(), kind }
    }
}

/// The kinds of mistakes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Neither an object nor a list of conditions.
    #[error(
        "a condition is an object such as {{\"property\":\"plan\",\"op\":\"is\",\"value\":\"pro\"}}, not {found}"
    )]
    NotACondition {
        /// What was found instead.
        found: &'static str,
    },
    /// An object with none of the keys that make a condition.
    #[error("a condition needs `property` and `op`, or one of `all`, `any`, `not`, `cohort`")]
    Empty,
    /// Keys of two forms in one object.
    #[error("`{first}` and `{second}` cannot stand in one condition; wrap them in `all` or `any`")]
    Mixed {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}`; a condition has `scope`, `property`, `op`, `value`")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A missing key.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value of the wrong JSON type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What belongs here.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// An unknown operator.
    #[error("unknown operator `{op}`; use one of {}", Operator::names())]
    UnknownOperator {
        /// As written.
        op: String,
    },
    /// An unknown scope.
    #[error(
        "unknown scope `{scope}`; use `event`, `user`, `person`, `group:<type>` or `group_latest:<type>`"
    )]
    UnknownScope {
        /// As written.
        scope: String,
    },
    /// A pattern that does not compile.
    #[error("invalid regular expression `{pattern}`: {reason}")]
    BadPattern {
        /// As written.
        pattern: String,
        /// What the regex engine says, on one line.
        reason: String,
    },
    /// Too deep.
    #[error("conditions are nested deeper than {max}; flatten them")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Too many.
    #[error("more than {max} conditions and values; use a list of values with `is`, or a cohort")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Valid, but not evaluated by this version.
    #[error("{feature} are not supported yet; use conditions on properties instead")]
    Unsupported {
        /// What.
        feature: &'static str,
    },
}
