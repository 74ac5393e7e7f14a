//! One expression language for filters, cohorts and charts, with its row evaluator.
//!
//! A condition comes in as JSON ([`Condition::parse`]), is checked and compiled once ([`Condition::compile`])
//! and then evaluated per row ([`Expr::matches`]) or, by an engine that holds columns, once per distinct value
//! ([`Matcher::eval_str`] and its siblings).
//!
//! Guarantees: a negative operator is the exact complement of its positive one; the typed evaluators agree with
//! the evaluator over JSON values; every error names the place in the JSON and the remedy; depth and size are
//! bounded before anything is built.
//! Deliberately not here: where values come from and who is in a cohort ([`Lookup`] is the caller's), Arrow.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod condition;
mod error;
mod expr;
mod matcher;
mod number;
mod operator;
mod parse;
mod pattern;
mod property;

pub use condition::{Condition, MAX_DEPTH, MAX_NODES};
pub use error::{ErrorKind, PredicateError};
pub use expr::{CohortLeaf, Expr, Leaf};
pub use matcher::Matcher;
pub use number::instant_of;
pub use operator::Operator;
pub use pattern::compile as compile_pattern;
pub use property::{Lookup, PropertyRef, Scope, lookup_path, path_columns};
pub use tallymark_model::{canonical_text, is_none, number_of};
