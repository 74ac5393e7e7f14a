//! JSON values to stored values and back.
//!
//! The type of a stored value is the JSON type of the value; nothing is widened. Integers below ±2^53 and floats are
//! numbers; integers beyond are kept as JSON text, because a 64-bit float would change their canonical text.

use crate::columns::PropertyType;
use std::borrow::Cow;
use tallymark_model::Value;

/// 2^53: below it every integer is a 64-bit float and no float stands for two integers.
const EXACT: u64 = 1 << 53;

/// A value as a column holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stored<'a> {
    Text(&'a str),
    Number(f64),
    Bool(bool),
    Json(Cow<'a, str>),
}

impl Stored<'_> {
    pub fn kind(&self) -> PropertyType {
        match self {
            Stored::Text(_) => PropertyType::Text,
            Stored::Number(_) => PropertyType::Number,
            Stored::Bool(_) => PropertyType::Bool,
            Stored::Json(_) => PropertyType::Json,
        }
    }
}

/// How a value is stored.
pub(crate) fn stored(value: &Value) -> Stored<'_> {
    match value {
        Value::String(text) => Stored::Text(text),
        Value::Bool(value) => Stored::Bool(*value),
        Value::Null => Stored::Json(Cow::Borrowed("null")),
        Value::Number(n) if n.is_f64() => match n.as_f64() {
            Some(number) => Stored::Number(number),
            None => Stored::Json(Cow::Owned(n.to_string())),
        },
        Value::Number(n) => match n.as_i64() {
            Some(i) if i.unsigned_abs() < EXACT => Stored::Number(i as f64),
            _ => Stored::Json(Cow::Owned(n.to_string())),
        },
        Value::Array(_) | Value::Object(_) => Stored::Json(Cow::Owned(value.to_string())),
    }
}

/// The JSON number of a stored number: an integer where it is one, so that 1.0 and 1 read alike.
pub fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < EXACT as f64 {
        return Value::from(number as i64);
    }
    Value::from(number)
}

/// The value of JSON text from a `j:` column; text that is not JSON reads as a string.
pub fn json_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tallymark_model::canonical_text;

    fn back(value: &Value) -> Value {
        match stored(value) {
            Stored::Text(t) => Value::String(t.to_owned()),
            Stored::Number(n) => number_value(n),
            Stored::Bool(b) => Value::Bool(b),
            Stored::Json(t) => json_value(&t),
        }
    }

    #[test]
    fn canonical_text_survives_storage() {
        for value in [
            json!(0),
            json!(-0.0),
            json!(1.0),
            json!(0.1),
            json!(1e300),
            json!(1e18),
            json!(1_000_000_000_000_000_000_u64),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(9_007_199_254_740_992.0),
            json!(""),
            json!("null"),
            json!(null),
            json!(false),
            json!([1, "a", null]),
            json!({"b": {"c": 1}, "a": []}),
        ] {
            assert_eq!(canonical_text(&back(&value)), canonical_text(&value), "{value}");
        }
    }
}
