//! The port through which SQL is asked. Who implements it brings a SQL engine along; nobody else needs one.
//!
//! Guarantees: whatever answers reads the snapshot it is given and no other, within the context's limits.
//! Deliberately not here: parsing and running SQL (`sql`), the query's keys and its envelope (`insights`).

use crate::{Context, QueryError, Snapshot};
use std::sync::Arc;
use tallymark_model::{Millis, Value};
use tallymark_predicate::Expr;
use tallymark_state::ProjectStats;

/// Longest SQL text in bytes, and the same for its parameters.
pub const SQL_BYTES_MAX: usize = 64 << 10;

/// One statement and what it may see.
#[derive(Debug, Clone)]
pub struct SqlQuestion {
    /// The statement.
    pub sql: String,
    /// Values of `$1`, `$2`, …: texts, numbers, booleans, nulls.
    pub params: Vec<Value>,
    /// Most rows of the answer; what is beyond is cut off, and said to be.
    pub limit: usize,
    /// Events and changes of properties from this instant on.
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
    /// What "latest" means.
    pub as_of: Millis,
    /// A condition on all events.
    pub segment: Option<Expr>,
    /// Names and types of properties.
    pub stats: Arc<ProjectStats>,
    /// Threads of one scan.
    pub threads: usize,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SqlColumn {
    /// As the statement calls it.
    pub name: String,
    /// `text`, `number`, `integer`, `boolean`, `timestamp`, `date`, `time`, `interval`, `list` or `null`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Rows as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlAnswer {
    /// In the order of the cells.
    pub columns: Vec<SqlColumn>,
    /// Cells.
    pub rows: Vec<Vec<Value>>,
    /// There were more rows than the limit.
    pub truncated: bool,
}

/// Answers SQL; blocks.
pub trait Sql: Send + Sync {
    /// Runs one statement.
    fn answer(
        &self,
        snapshot: &Snapshot,
        question: &SqlQuestion,
        context: &Context,
    ) -> Result<SqlAnswer, QueryError>;
    /// What it would read and do: `{plan, scans}`.
    fn explain(
        &self,
        snapshot: &Snapshot,
        question: &SqlQuestion,
        context: &Context,
    ) -> Result<Value, QueryError>;
}

/// What is wrong with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlProblem {
    /// It does not parse, or names what there is not.
    Unclear,
    /// It asks for what nobody may do here.
    NotAllowed,
    /// It is too long, too deep or has too many parts.
    TooLarge,
    /// A value made it fail, such as a division by zero.
    Failed,
}
