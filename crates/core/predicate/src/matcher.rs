//! One operator with its operand, prepared for many values.
//!
//! The evaluators over typed scalars exist so that an engine can test each distinct value of a column once;
//! they agree with [`Matcher::eval_json`] on the same value.

use crate::number::{instant_of_number, instant_of_text};
use crate::{is_none, number_of};
use regex::Regex;
use std::collections::HashSet;
use tallymark_model::{Value, canonical_text};

/// A compiled test of one property value.
#[derive(Debug, Clone)]
pub struct Matcher {
    pub(crate) negated: bool,
    /// Empty text is not none.
    pub(crate) empty_is_value: bool,
    pub(crate) test: Test,
}

/// The positive operators, operands ready.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Text equal to any; `none` if an operand was none: then a value that is none matches.
    Is {
        texts: HashSet<String>,
        none: bool,
    },
    /// Lower-case needles.
    Contains(Vec<String>),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    Regex(Box<Regex>),
    /// Number within bounds.
    Number {
        low: Bound,
        high: Bound,
    },
    /// Instant strictly before.
    Before(f64),
    /// Instant strictly after.
    After(f64),
    /// Not none.
    IsSet,
    /// An operand that nothing compares with, such as text for `gt`.
    Never,
}

/// One side of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    Open,
    Including(f64),
    Excluding(f64),
}

impl Matcher {
    /// Value absent, or none in any other way.
    pub fn eval_none(&self) -> bool {
        self.negated != matches!(&self.test, Test::Is { none: true, .. })
    }

    /// A string value.
    pub fn eval_str(&self, text: &str) -> bool {
        match text.is_empty() && !self.empty_is_value {
            true => self.eval_none(),
            false => self.negated != self.test.str(text),
        }
    }

    /// A number. Integers that `f64` cannot hold exactly must go through [`Matcher::eval_json`].
    pub fn eval_num(&self, number: f64) -> bool {
        self.negated != self.test.num(number)
    }

    /// A boolean.
    pub fn eval_bool(&self, value: bool) -> bool {
        self.negated != self.test.text(if value { "true" } else { "false" })
    }

    /// Any JSON value: lists element by element.
    pub fn eval_json(&self, value: &Value) -> bool {
        if self.is_none(value) {
            return self.eval_none();
        }
        let hit = match value {
            Value::Array(items) => {
                let element = |item: &Value| !self.is_none(item) && self.test.scalar(item);
                matches!(self.test, Test::IsSet) || items.iter().any(element)
            }
            other => self.test.scalar(other),
        };
        self.negated != hit
    }

    /// A value that may be absent.
    pub fn eval(&self, value: Option<&Value>) -> bool {
        value.map_or_else(|| self.eval_none(), |v| self.eval_json(v))
    }

    fn is_none(&self, value: &Value) -> bool {
        is_none(value) && !(self.empty_is_value && value == "")
    }
}

impl Test {
    /// A value that is not none; a list inside a list counts by its canonical text.
    fn scalar(&self, value: &Value) -> bool {
        match value {
            Value::String(s) => self.str(s),
            Value::Number(n) => match n.as_f64() {
                Some(f) if self.reads_numbers() => self.num(f),
                _ => self.text(&canonical_text(value)),
            },
            other => self.text(&canonical_text(other)),
        }
    }

    fn reads_numbers(&self) -> bool {
        matches!(self, Test::Number { .. } | Test::Before(_) | Test::After(_))
    }

    fn num(&self, number: f64) -> bool {
        match self {
            Test::Number { low, high } => number.is_finite() && low.below(number) && high.above(number),
            Test::Before(at) => instant_of_number(number).is_some_and(|t| t < *at),
            Test::After(at) => instant_of_number(number).is_some_and(|t| t > *at),
            Test::IsSet => true,
            _ => self.text(&canonical_text(&Value::from(number))),
        }
    }

    /// A non-empty string value, which may be read as a number or an instant.
    fn str(&self, text: &str) -> bool {
        match self {
            Test::Number { .. } => number_of(&Value::from(text)).is_some_and(|n| self.num(n)),
            Test::Before(at) => instant_of_text(text).is_some_and(|t| t < *at),
            Test::After(at) => instant_of_text(text).is_some_and(|t| t > *at),
            _ => self.text(text),
        }
    }

    /// The canonical text of a value that is neither number nor instant.
    fn text(&self, text: &str) -> bool {
        match self {
            Test::Is { texts, .. } => texts.contains(text),
            Test::Contains(needles) => any_folded(text, needles, |t, n| t.contains(n)),
            Test::StartsWith(needles) => any_folded(text, needles, |t, n| t.starts_with(n)),
            Test::EndsWith(needles) => any_folded(text, needles, |t, n| t.ends_with(n)),
            Test::Regex(regex) => regex.is_match(text),
            Test::IsSet => true,
            Test::Number { .. } | Test::Before(_) | Test::After(_) | Test::Never => false,
        }
    }
}

fn any_folded(text: &str, needles: &[String], test: impl Fn(&str, &str) -> bool) -> bool {
    let folded = text.to_lowercase();
    needles.iter().any(|n| test(&folded, n))
}

impl Bound {
    fn below(self, number: f64) -> bool {
        match self {
            Bound::Open => true,
            Bound::Including(b) => b <= number,
            Bound::Excluding(b) => b < number,
        }
    }

    fn above(self, number: f64) -> bool {
        match self {
            Bound::Open => true,
            Bound::Including(b) => number <= b,
            Bound::Excluding(b) => number < b,
        }
    }
}
