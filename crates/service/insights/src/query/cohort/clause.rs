//! `performed`: events in a window, compared with something.

use super::window::Window;
use crate::Error;
use crate::query::parts::{self, SelectorSpec};
use crate::query::reader::Reader;
use serde_json::{Value, json};
use tallymark_model::{Millis, number_of};
use tallymark_predicate::{PropertyRef, Scope};

/// A clause about what a person did.
#[derive(Debug, Clone)]
pub(crate) struct Performed {
    pub selector: SelectorSpec,
    pub window: Window,
    pub measure: Measure,
    pub comparison: Comparison,
    /// The first matching event ever lies in the window.
    pub nth_first: bool,
    /// A match in the window is followed by one of these within so long.
    pub then: Option<(SelectorSpec, Millis)>,
    /// Zero is not enough, whatever the comparison says.
    pub require: bool,
}

/// What is compared.
#[derive(Debug, Clone)]
pub(crate) enum Measure {
    Count,
    DistinctDays,
    Sum(PropertyRef),
    Distinct(PropertyRef),
    /// By how many events it exceeds those of another selector in the same window.
    MoreThan(SelectorSpec),
}

/// With what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    op: Op,
    value: f64,
    /// Upper end of `between`.
    high: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Gt,
    Gte,
    Lt,
    Lte,
    Is,
    IsNot,
    Between,
}

const OPS: [(&str, Op); 15] = [
    ("gte", Op::Gte),
    ("gt", Op::Gt),
    ("lte", Op::Lte),
    ("lt", Op::Lt),
    ("is", Op::Is),
    ("is_not", Op::IsNot),
    ("between", Op::Between),
    ("eq", Op::Is),
    ("ne", Op::IsNot),
    (">=", Op::Gte),
    (">", Op::Gt),
    ("<=", Op::Lte),
    ("<", Op::Lt),
    ("=", Op::Is),
    ("!=", Op::IsNot),
];

impl Comparison {
    /// At least once.
    pub const ONCE: Comparison = Comparison { op: Op::Gte, value: 1.0, high: 0.0 };

    /// Whether a number compares so.
    pub fn holds(self, number: f64) -> bool {
        match self.op {
            Op::Gt => number > self.value,
            Op::Gte => number >= self.value,
            Op::Lt => number < self.value,
            Op::Lte => number <= self.value,
            Op::Is => number == self.value,
            Op::IsNot => number != self.value,
            Op::Between => self.value <= number && number <= self.high,
        }
    }

    fn read(from: &Reader<'_>, key: &'static str, op: &Value, value: &Value) -> Result<Comparison, Error> {
        let names: Vec<&str> = OPS.iter().take(7).map(|(name, _)| *name).collect();
        let hint = format!("an operator of {} and a number, such as [\"gte\",3]", names.join(", "));
        let wrong = || from.wrong(key, format!("{op}, {value} is not a comparison"), hint.clone());
        let named = OPS.iter().find(|(name, _)| op.as_str() == Some(name));
        let (_, op) = named.ok_or_else(wrong)?;
        let (low, high) = match (op, value) {
            (Op::Between, Value::Array(ends)) if ends.len() == 2 => {
                (number_of(&ends[0]), number_of(&ends[1]))
            }
            (Op::Between, _) => (None, None),
            (_, value) => (number_of(value), Some(0.0)),
        };
        match (low, high) {
            (Some(value), Some(high)) => Ok(Comparison { op: *op, value, high }),
            _ => Err(wrong()),
        }
    }
}

impl Performed {
    /// The clause of an object with `performed`.
    pub fn read(from: &Reader<'_>) -> Result<Performed, Error> {
        let selector = selector_of(from, "performed")?;
        let mut clause = Performed::once(selector, from)?;
        (clause.measure, clause.comparison) = measure(from)?;
        clause.nth_first = from.flag("nth_first")?.unwrap_or(false);
        clause.require = from.flag("require_performed")?.unwrap_or(false);
        if let Some(value) = from.get("then") {
            let hint = r#"{"event":{"event":"buy"},"within":{"n":1,"unit":"day"}}"#;
            let then = Reader::new(value, &from.at("then"))?;
            let next = selector_of(&then, "event")?;
            let within = parts::duration(&then, "within")?.ok_or_else(|| then.missing("within", hint))?;
            then.finish()?;
            clause.then = Some((next, within));
        }
        Ok(clause)
    }

    /// At least one event in the window that `from` names.
    pub fn once(selector: SelectorSpec, from: &Reader<'_>) -> Result<Performed, Error> {
        Ok(Performed {
            selector,
            window: Window::read(from)?,
            measure: Measure::Count,
            comparison: Comparison::ONCE,
            nth_first: false,
            then: None,
            require: false,
        })
    }
}

fn measure(from: &Reader<'_>) -> Result<(Measure, Comparison), Error> {
    let keys = ["count", "distinct_days", "sum", "distinct", "more_than"];
    let given: Vec<&str> = keys.into_iter().filter(|key| from.peek(key).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let problem = format!("`{first}` and `{second}` cannot stand in one clause");
        return Err(from.wrong(second, problem, "use two clauses in `all`"));
    }
    if from.get("more_than").is_some() {
        let than = selector_of(from, "more_than")?;
        return Ok((Measure::MoreThan(than), Comparison::ONCE));
    }
    for (key, measure) in [("count", Measure::Count), ("distinct_days", Measure::DistinctDays)] {
        if let Some(list) = from.list(key)? {
            let [op, value] = list else {
                return Err(from.wrong(key, "has two parts", r#"["gte",3]"#));
            };
            return Ok((measure, Comparison::read(from, key, op, value)?));
        }
    }
    for key in ["sum", "distinct"] {
        if let Some(list) = from.list(key)? {
            let [property, op, value] = list else {
                return Err(from.wrong(key, "has three parts", r#"["amount","gte",100]"#));
            };
            let property = property_of(from, key, property)?;
            let comparison = Comparison::read(from, key, op, value)?;
            let measure = if key == "sum" { Measure::Sum(property) } else { Measure::Distinct(property) };
            return Ok((measure, comparison));
        }
    }
    Ok((Measure::Count, Comparison::ONCE))
}

/// A name means a property of the event.
fn property_of(from: &Reader<'_>, key: &'static str, value: &Value) -> Result<PropertyRef, Error> {
    if let Some(name) = value.as_str().filter(|name| !name.is_empty()) {
        return Ok(PropertyRef { scope: Scope::Event, path: name.to_owned() });
    }
    let object = Reader::new(value, &from.at(key))?;
    let property = parts::property(&object)?;
    object.finish()?;
    Ok(property)
}

/// A selector; a name or a list of names stands for one without conditions.
pub(crate) fn selector_of(from: &Reader<'_>, key: &'static str) -> Result<SelectorSpec, Error> {
    let value = from.get(key).ok_or_else(|| from.missing(key, r#"{"event":"buy"}"#))?;
    let named = json!({"event": value});
    let value = if value.is_object() { value } else { &named };
    let object = Reader::new(value, &from.at(key))?;
    let found = parts::selector(&object)?;
    object.finish()?;
    Ok(found)
}
