//! Errors of the library as errors of a query.
//!
//! Guarantees: what a scan or a limit said first is what the asker hears, however the library wrapped it.

use datafusion::common::DataFusionError;
use std::sync::{Arc, Mutex, PoisonError};
use tallymark_query::{QueryError, SqlProblem};

/// SQL that does not parse, or names what there is not.
pub(crate) fn unclear(message: impl Into<String>) -> QueryError {
    QueryError::Sql { problem: SqlProblem::Unclear, message: message.into() }
}

/// SQL that nobody may run here.
pub(crate) fn not_allowed(message: impl Into<String>) -> QueryError {
    QueryError::Sql { problem: SqlProblem::NotAllowed, message: message.into() }
}

/// SQL beyond a limit of size.
pub(crate) fn too_large(message: impl Into<String>) -> QueryError {
    QueryError::Sql { problem: SqlProblem::TooLarge, message: message.into() }
}

/// The first error of our own, which the library only hands on as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstError(Arc<Mutex<Option<QueryError>>>);

impl FirstError {
    /// Keeps it, if it is the first, and returns what the library is told.
    pub fn keep(&self, error: QueryError) -> DataFusionError {
        let told = DataFusionError::Execution(error.to_string());
        self.lock().get_or_insert(error);
        told
    }

    /// The same for an operator that was refused memory.
    pub fn exhausted(&self, error: QueryError) -> DataFusionError {
        let told = DataFusionError::ResourcesExhausted(error.to_string());
        self.lock().get_or_insert(error);
        told
    }

    /// The error of a query that the library ended with `error`.
    pub fn instead_of(&self, error: DataFusionError) -> QueryError {
        if let Some(first) = self.lock().take() {
            return first;
        }
        let problem = match error.find_root() {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Collection(_) => SqlProblem::Unclear,
            DataFusionError::Internal(_)
            | DataFusionError::ExecutionJoin(_)
            | DataFusionError::IoError(_) => {
                return QueryError::damaged("running SQL", error.strip_backtrace());
            }
            _ => SqlProblem::Failed,
        };
        QueryError::Sql { problem, message: plain(&error) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<QueryError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an error says, without the library's headings and hints about its own sources.
fn plain(error: &DataFusionError) -> String {
    const HEADINGS: [&str; 7] = [
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "SQL error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
        "Optimizer rule ",
    ];
    let text = error.strip_backtrace();
    let text = text.split("\n\nbacktrace").next().unwrap_or_default();
    let mut text = text.trim();
    while let Some(rest) = HEADINGS.iter().find_map(|heading| text.strip_prefix(heading)) {
        text = rest;
    }
    let mut text = text.to_owned();
    const LONGEST: usize = 1000;
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
