//! JSON to conditions, with the place of every mistake.

use crate::condition::{Condition, MAX_DEPTH, MAX_NODES};
use crate::error::{ErrorKind, PredicateError};
use crate::operator::Operator;
use crate::property::{PropertyRef, Scope};
use tallymark_model::{Properties, Value};

/// Counts as it goes, so that size is bounded before it is built.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    nodes: usize,
}

type Parsed = Result<Condition, PredicateError>;

fn fail<T>(path: impl Into<String>, kind: ErrorKind) -> Result<T, PredicateError> {
    Err(PredicateError::new(path, kind))
}

pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Parser {
    pub fn condition(&mut self, value: &Value, path: &str, depth: usize) -> Parsed {
        if depth >= MAX_DEPTH {
            return fail(path, ErrorKind::TooDeep { max: MAX_DEPTH });
        }
        self.count(1, path)?;
        match value {
            Value::Array(items) => Ok(Condition::All(self.list(items, path, depth)?)),
            Value::Object(map) => self.object(map, path, depth),
            other => fail(path, ErrorKind::NotACondition { found: type_name(other) }),
        }
    }

    fn count(&mut self, more: usize, path: &str) -> Result<(), PredicateError> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES { fail(path, ErrorKind::TooMany { max: MAX_NODES }) } else { Ok(()) }
    }

    fn list(&mut self, items: &[Value], path: &str, depth: usize) -> Result<Vec<Condition>, PredicateError> {
        let each = |(i, item): (usize, &Value)| self.condition(item, &format!("{path}[{i}]"), depth + 1);
        items.iter().enumerate().map(each).collect()
    }

    fn object(&mut self, map: &Properties, path: &str, depth: usize) -> Parsed {
        const FORMS: [&str; 5] = ["all", "any", "not", "cohort", "property"];
        let mut forms = FORMS.iter().filter(|f| map.contains_key(**f));
        let Some(form) = forms.next() else {
            return match map
                .keys()
                .find(|k| !["scope", "op", "value", "at", "empty_string"].contains(&k.as_str()))
            {
                Some(key) => fail(path, ErrorKind::UnknownKey { key: key.clone() }),
                None => fail(path, ErrorKind::Empty),
            };
        };
        if let Some(second) = forms.next() {
            return fail(path, ErrorKind::Mixed { first: (*form).into(), second: (*second).into() });
        }
        let allowed: &[&str] = match *form {
            "property" => &["scope", "property", "op", "value", "empty_string"],
            "cohort" => &["cohort", "at"],
            form => &[form],
        };
        if let Some(key) = map.keys().find(|k| !allowed.contains(&k.as_str())) {
            return fail(path, ErrorKind::UnknownKey { key: key.clone() });
        }
        match *form {
            "all" => Ok(Condition::All(self.group(&map["all"], &format!("{path}.all"), depth)?)),
            "any" => Ok(Condition::Any(self.group(&map["any"], &format!("{path}.any"), depth)?)),
            "not" => Ok(Condition::Not(Box::new(self.condition(
                &map["not"],
                &format!("{path}.not"),
                depth + 1,
            )?))),
            "cohort" => cohort(map, path),
            _ => self.property(map, path),
        }
    }

    fn group(&mut self, value: &Value, path: &str, depth: usize) -> Result<Vec<Condition>, PredicateError> {
        match value {
            Value::Array(items) => self.list(items, path, depth),
            other => {
                fail(path, ErrorKind::WrongType { expected: "a list of conditions", found: type_name(other) })
            }
        }
    }

    fn property(&mut self, map: &Properties, path: &str) -> Parsed {
        let scope = match map.get("scope") {
            None => Scope::Event,
            Some(Value::String(name)) => match Scope::from_name(name) {
                Some(scope) => scope,
                None => {
                    return fail(format!("{path}.scope"), ErrorKind::UnknownScope { scope: name.clone() });
                }
            },
            Some(other) => return wrong(format!("{path}.scope"), "a string", other),
        };
        let name = match map.get("property") {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(other) => return wrong(format!("{path}.property"), "the name of a property", other),
            None => return fail(path, ErrorKind::Missing { key: "property" }),
        };
        let op = match map.get("op") {
            Some(Value::String(name)) => match Operator::from_name(name) {
                Some(op) => op,
                None => return fail(format!("{path}.op"), ErrorKind::UnknownOperator { op: name.clone() }),
            },
            Some(other) => return wrong(format!("{path}.op"), "the name of an operator", other),
            None => return fail(path, ErrorKind::Missing { key: "op" }),
        };
        let value = self.operand(map.get("value"), op, path)?;
        let empty_is_value = match map.get("empty_string") {
            None => false,
            Some(Value::String(text)) if text == "none" => false,
            Some(Value::String(text)) if text == "value" => true,
            Some(other) => return wrong(format!("{path}.empty_string"), "`\"none\"` or `\"value\"`", other),
        };
        Ok(Condition::Property {
            property: PropertyRef { scope, path: name },
            op,
            value,
            empty_is_value,
            path: path.to_owned(),
        })
    }

    /// Checks that the operand has a shape that the operator can use.
    fn operand(&mut self, value: Option<&Value>, op: Operator, path: &str) -> Result<Value, PredicateError> {
        let at = format!("{path}.value");
        let positive = op.complement_of().unwrap_or(op);
        if positive == Operator::IsSet {
            return match value {
                None | Some(Value::Null | Value::Bool(true)) => Ok(Value::Null),
                Some(other) => wrong(at, "no value (`is_set` and `is_not_set` take none)", other),
            };
        }
        let Some(value) = value else { return fail(path, ErrorKind::Missing { key: "value" }) };
        if let Value::Array(items) = value {
            self.count(items.len(), &at)?;
        }
        let expected = match (positive, value) {
            (Operator::Is, _) => None,
            (Operator::Contains | Operator::StartsWith | Operator::EndsWith, v) => {
                let usable = |v: &Value| !matches!(v, Value::Null | Value::Array(_) | Value::Object(_));
                let fine = v.as_array().map_or_else(|| usable(v), |items| items.iter().all(usable));
                (!fine).then_some("a text or a list of texts")
            }
            (Operator::Regex, v) => (!v.is_string()).then_some("a regular expression"),
            (Operator::Between, v) => {
                let fine = v.as_array().is_some_and(|b| b.len() == 2 && b.iter().all(is_plain));
                (!fine).then_some("a list of two numbers")
            }
            (Operator::Before | Operator::After, v) => {
                (!is_plain(v)).then_some("an instant (ISO-8601 text or epoch number)")
            }
            (_, v) => (!is_plain(v)).then_some("a number"),
        };
        expected.map_or_else(|| Ok(value.clone()), |expected| wrong(at, expected, value))
    }
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

fn wrong<T>(path: String, expected: &'static str, found: &Value) -> Result<T, PredicateError> {
    fail(path, ErrorKind::WrongType { expected, found: type_name(found) })
}

fn cohort(map: &Properties, path: &str) -> Parsed {
    let at_event_time = match map.get("at") {
        None => false,
        Some(Value::String(at)) if at == "event_time" => true,
        Some(other) => return wrong(format!("{path}.at"), "`\"event_time\"`", other),
    };
    Ok(Condition::Cohort { cohort: map["cohort"].clone(), at_event_time, path: path.to_owned() })
}
