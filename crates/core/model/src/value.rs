//! Canonical readings of a JSON value (chapter 1.3 of the insight semantics): none, text, number.

use crate::Value;

/// Absent, null, empty string or empty list. (Absence is the caller's `None`.)
pub fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        _ => false,
    }
}

/// The text by which values compare and group: strings as they are, `true`/`false`, numbers in shortest
/// round-trip decimal (integral floats without a fraction), lists and objects as compact JSON with sorted keys.
pub fn canonical_text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => {
            let mut out = String::new();
            write_json(&mut out, other);
            out
        }
    }
}

/// The number of a value: JSON numbers, and strings that, trimmed, match
/// `[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?`. Everything else, and everything not finite, is not a number.
pub fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64().filter(|f| f.is_finite()),
        Value::String(s) => number_of_text(s),
        _ => None,
    }
}

fn number_of_text(text: &str) -> Option<f64> {
    let t = text.trim();
    let well_formed = t.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        && t.bytes().any(|b| b.is_ascii_digit());
    if !well_formed {
        return None;
    }
    t.parse::<f64>().ok().filter(|f| f.is_finite())
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Number(n) => out.push_str(&number_text(n)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                if let Some(v) = map.get(key) {
                    write_json(out, v);
                }
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn number_text(n: &serde_json::Number) -> String {
    match n.as_f64() {
        Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0 => {
            (f as i64).to_string()
        }
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_text_follows_chapter_1_3() {
        for (value, text) in [
            (json!("a b"), "a b"),
            (json!(true), "true"),
            (json!(1.0), "1"),
            (json!(-0.5), "-0.5"),
            (json!(9007199254740993u64), "9007199254740993"),
            (json!({"b": 1.0, "a": [true, "x"]}), r#"{"a":[true,"x"],"b":1}"#),
        ] {
            assert_eq!(canonical_text(&value), text);
        }
    }

    #[test]
    fn numbers_are_read_from_text_strictly() {
        for (text, n) in [(" 1.5 ", 1.5), ("+3", 3.0), (".5", 0.5), ("2.", 2.0), ("1e3", 1000.0)] {
            assert_eq!(number_of(&json!(text)), Some(n), "{text}");
        }
        for text in ["", "abc", "NaN", "inf", "1,5", "0x10", "1e400", "--1", "."] {
            assert_eq!(number_of(&json!(text)), None, "{text}");
        }
        assert_eq!(number_of(&json!(true)), None);
    }
}
