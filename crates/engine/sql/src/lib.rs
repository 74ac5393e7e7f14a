//! Read-only SQL over one project: its events, persons and property timelines as tables of DataFusion.
//!
//! A statement is checked and rewritten (`check`, `rewrite`), planned over the tables of one snapshot (`session`,
//! `tables`), run on a thread of its own (`run`) and written as JSON (`answer`). [`sql_of`] writes conditions of
//! the query language as SQL over the same tables.
//!
//! Guarantees: a statement reads one snapshot of one project through the same scan as every analysis, so what is
//! hidden there is hidden here; it can change nothing and reach nothing else; whatever its text, it ends with an
//! answer or a typed error within its limits, never with the process.
//! Deliberately not here: the query's keys and envelope (`insights`), HTTP, admission (`api`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod cells;
mod check;
mod error;
mod form;
mod functions;
mod lists;
mod pool;
mod pushdown;
mod rewrite;
mod run;
mod session;
mod source;
mod tables;
mod texts;
mod virtuals;

pub use form::{NoSqlForm, sql_of};
pub use run::DataFusionSql;
