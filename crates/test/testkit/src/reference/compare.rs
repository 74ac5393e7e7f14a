//! Whether two answers say the same.

use serde_json::Value;

/// Relative error up to which two numbers are the same: sums may be taken in another order.
const TOLERANCE: f64 = 1e-9;

/// The first place where `got` differs from `expected`, by the keys that `expected` has: numbers are compared
/// as numbers (1 = 1.0), everything else exactly. None if they agree.
pub fn difference(expected: &Value, got: &Value) -> Option<String> {
    differ(expected, got, "$")
}

fn differ(expected: &Value, got: &Value, path: &str) -> Option<String> {
    match (expected, got) {
        (Value::Object(map), Value::Object(_)) => {
            map.iter().find_map(|(key, value)| differ(value, &got[key], &format!("{path}.{key}")))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(i, (a, b))| differ(a, b, &format!("{path}[{i}]")))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            let same = (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0);
            (!same).then(|| format!("{path}: expected {a}, got {b}"))
        }
        (a, b) => (a != b).then(|| format!("{path}: expected {a}, got {b}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_as_numbers_and_places_are_named() {
        assert_eq!(difference(&json!({"a": [1, 2.0]}), &json!({"a": [1.0, 2], "more": 1})), None);
        let place = |a, b| difference(&a, &b).expect("they differ");
        assert!(place(json!({"a": [1, 2]}), json!({"a": [1, 3]})).starts_with("$.a[1]"));
        assert!(place(json!({"a": [1]}), json!({"a": [1, 2]})).starts_with("$.a"));
        assert!(place(json!({"a": null}), json!({"a": 0})).starts_with("$.a"));
        assert!(place(json!({"a": 1}), json!({})).starts_with("$.a"));
        assert!(place(json!("1"), json!(1)).starts_with('$'));
    }
}
