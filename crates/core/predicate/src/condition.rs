//! Conditions as written: the tree of query-api JSON, checked but not yet compiled.

use crate::error::PredicateError;
use crate::expr::Expr;
use crate::operator::Operator;
use crate::parse::Parser;
use crate::property::PropertyRef;
use tallymark_model::Value;

/// How deep conditions may nest.
pub const MAX_DEPTH: usize = 64;
/// How many conditions, groups and operand values one condition may have in all.
pub const MAX_NODES: usize = 10_000;

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `{"scope","property","op","value"}`
    Property {
        /// Which property.
        property: PropertyRef,
        /// How it is tested.
        op: Operator,
        /// Against what; null for `is_set` and `is_not_set`.
        value: Value,
        /// Empty text is a value like others (`"empty_string": "value"`), not none.
        empty_is_value: bool,
        /// Where it stands in the JSON, for errors found while compiling.
        path: String,
    },
    /// `{"cohort":…,"at":"event_time"?}`
    Cohort {
        /// An id or a definition.
        cohort: Value,
        /// Membership as of each event instead of at query time.
        at_event_time: bool,
        /// Where it stands in the JSON.
        path: String,
    },
    /// Every one holds; a plain list means this.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Parses a condition or a list of conditions. `at` names where the JSON came from, such as `segment` or
    /// `series[0].where`; errors begin with it.
    pub fn parse(value: &Value, at: &str) -> Result<Condition, PredicateError> {
        Parser::default().condition(value, at, 0)
    }

    /// Prepares it for evaluation. Fails on invalid patterns, and on questions of membership: whoever decides
    /// about single records knows no cohorts.
    pub fn compile(&self) -> Result<Expr, PredicateError> {
        Expr::compile(self, false)
    }

    /// The same for queries, which may ask who belongs to a cohort.
    pub fn compile_for_query(&self) -> Result<Expr, PredicateError> {
        Expr::compile(self, true)
    }
}
