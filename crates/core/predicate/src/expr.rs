//! Conditions ready to run.

use crate::condition::Condition;
use crate::error::{ErrorKind, PredicateError};
use crate::matcher::{Bound, Matcher, Test};
use crate::number::instant_of;
use crate::operator::Operator;
use crate::pattern;
use crate::property::{Lookup, PropertyRef, lookup_path};
use crate::{is_none, number_of};
use std::sync::Arc;
use tallymark_model::{Value, canonical_text};

/// A compiled condition. The tree is public so that an engine can evaluate it over columns.
#[derive(Debug, Clone)]
pub enum Expr {
    /// Every one holds (true if there are none).
    All(Vec<Expr>),
    /// At least one holds (false if there are none).
    Any(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A test of one property.
    Leaf(Leaf),
    /// Whether the person belongs to a cohort; only in conditions of queries.
    Cohort(Arc<CohortLeaf>),
}

/// A question of membership. What the cohort means and who is in it is the caller's to know.
#[derive(Debug, Clone, PartialEq)]
pub struct CohortLeaf {
    /// Canonical text of `cohort`: the same for the same cohort.
    pub key: String,
    /// An id or a definition.
    pub cohort: Value,
    /// As of each event instead of at query time.
    pub at_event_time: bool,
    /// Where it stands in the JSON.
    pub path: String,
}

/// A test of one property.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Which property.
    pub property: PropertyRef,
    /// The test of its value.
    pub matcher: Matcher,
}

impl Leaf {
    /// A test whether the canonical text of a property is one of these.
    pub fn is_any(property: PropertyRef, texts: impl IntoIterator<Item = String>) -> Leaf {
        let test = Test::Is { texts: texts.into_iter().collect(), none: false };
        Leaf { property, matcher: Matcher { negated: false, empty_is_value: false, test } }
    }
}

impl Expr {
    /// `cohorts`: whether membership may be asked for.
    pub(crate) fn compile(condition: &Condition, cohorts: bool) -> Result<Expr, PredicateError> {
        let each =
            |list: &Vec<Condition>| list.iter().map(|c| Expr::compile(c, cohorts)).collect::<Result<_, _>>();
        match condition {
            Condition::All(list) => Ok(Expr::All(each(list)?)),
            Condition::Any(list) => Ok(Expr::Any(each(list)?)),
            Condition::Not(inner) => Ok(Expr::Not(Box::new(Expr::compile(inner, cohorts)?))),
            Condition::Cohort { cohort, at_event_time, path } if cohorts => {
                Ok(Expr::Cohort(Arc::new(CohortLeaf {
                    key: canonical_text(cohort),
                    cohort: cohort.clone(),
                    at_event_time: *at_event_time,
                    path: path.clone(),
                })))
            }
            Condition::Cohort { path, .. } => {
                Err(PredicateError::new(path, ErrorKind::Unsupported { feature: "cohort conditions" }))
            }
            Condition::Property { property, op, value, empty_is_value, path } => {
                let matcher = matcher(*op, value, *empty_is_value, path)?;
                Ok(Expr::Leaf(Leaf { property: property.clone(), matcher }))
            }
        }
    }

    /// Whether it holds for a row.
    pub fn matches(&self, row: &(impl Lookup + ?Sized)) -> bool {
        match self {
            Expr::All(list) => list.iter().all(|e| e.matches(row)),
            Expr::Any(list) => list.iter().any(|e| e.matches(row)),
            Expr::Not(inner) => !inner.matches(row),
            Expr::Leaf(leaf) => leaf.matcher.eval(lookup_path(row, &leaf.property).as_deref()),
            Expr::Cohort(leaf) => row.is_member(leaf),
        }
    }

    /// The properties it reads, each once, sorted: what a scan must fetch (see [`crate::path_columns`]).
    pub fn properties(&self) -> Vec<PropertyRef> {
        let mut found = Vec::new();
        self.leaves(&mut |leaf| found.push(leaf.property.clone()));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Calls `visit` with every test, from left to right.
    pub fn leaves<'a>(&'a self, visit: &mut impl FnMut(&'a Leaf)) {
        match self {
            Expr::All(list) | Expr::Any(list) => list.iter().for_each(|e| e.leaves(visit)),
            Expr::Not(inner) => inner.leaves(visit),
            Expr::Leaf(leaf) => visit(leaf),
            Expr::Cohort(_) => {}
        }
    }

    /// Calls `visit` with every question of membership, from left to right.
    pub fn cohorts<'a>(&'a self, visit: &mut impl FnMut(&'a Arc<CohortLeaf>)) {
        match self {
            Expr::All(list) | Expr::Any(list) => list.iter().for_each(|e| e.cohorts(visit)),
            Expr::Not(inner) => inner.cohorts(visit),
            Expr::Leaf(_) => {}
            Expr::Cohort(leaf) => visit(leaf),
        }
    }
}

fn matcher(op: Operator, value: &Value, empty_is_value: bool, path: &str) -> Result<Matcher, PredicateError> {
    let positive = op.complement_of().unwrap_or(op);
    let number = |at: fn(f64) -> (Bound, Bound)| {
        number_of(value).map_or(Test::Never, |n| {
            let (low, high) = at(n);
            Test::Number { low, high }
        })
    };
    let test = match positive {
        Operator::Is => is_any(value, empty_is_value),
        Operator::Contains => Test::Contains(needles(value)),
        Operator::StartsWith => Test::StartsWith(needles(value)),
        Operator::EndsWith => Test::EndsWith(needles(value)),
        Operator::Regex => {
            let pattern = value.as_str().unwrap_or_default();
            let regex = pattern::compile(pattern).map_err(|reason| {
                let kind = ErrorKind::BadPattern { pattern: pattern.to_owned(), reason };
                PredicateError::new(format!("{path}.value"), kind)
            })?;
            Test::Regex(Box::new(regex))
        }
        Operator::Gt => number(|n| (Bound::Excluding(n), Bound::Open)),
        Operator::Gte => number(|n| (Bound::Including(n), Bound::Open)),
        Operator::Lt => number(|n| (Bound::Open, Bound::Excluding(n))),
        Operator::Lte => number(|n| (Bound::Open, Bound::Including(n))),
        Operator::Between => {
            let bound = |i: usize| value.get(i).and_then(number_of);
            match (bound(0), bound(1)) {
                (Some(low), Some(high)) => {
                    Test::Number { low: Bound::Including(low), high: Bound::Including(high) }
                }
                _ => Test::Never,
            }
        }
        Operator::Before => instant_of(value).map_or(Test::Never, Test::Before),
        Operator::After => instant_of(value).map_or(Test::Never, Test::After),
        // The negatives cannot occur: `positive` is never one of them.
        Operator::IsSet
        | Operator::IsNot
        | Operator::NotContains
        | Operator::NotRegex
        | Operator::IsNotSet => Test::IsSet,
    };
    Ok(Matcher { negated: op != positive, empty_is_value, test })
}

fn operands(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn is_any(value: &Value, empty_is_value: bool) -> Test {
    let is_none = |v: &Value| is_none(v) && !(empty_is_value && v == "");
    // An empty list of alternatives is nothing to be equal to; a none among them is "not set".
    let alternatives = operands(value);
    Test::Is {
        texts: alternatives.iter().filter(|v| !is_none(v)).map(canonical_text).collect(),
        none: alternatives.iter().any(is_none),
    }
}

fn needles(value: &Value) -> Vec<String> {
    operands(value).iter().map(|v| canonical_text(v).to_lowercase()).collect()
}
