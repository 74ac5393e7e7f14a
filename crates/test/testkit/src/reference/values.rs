//! Chapter 1.3 from the text: none, canonical text, numbers, instants, paths, statistics of 1.8.

use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

pub fn is_none(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        _ => false,
    }
}

/// "string as is; bool true/false; number in shortest round-trip decimal, integral floats without a fraction;
/// list/object compact JSON with sorted keys"
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        other => json_text(other),
    }
}

fn json_text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => {
            let float = n.as_f64().unwrap_or(0.0);
            if n.is_f64() && float == float.trunc() && float.abs() < 1e15 {
                format!("{float:.0}").replace("-0", "0")
            } else {
                n.to_string()
            }
        }
        Value::String(s) => json!(s).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            let pairs: Vec<_> =
                keys.iter().map(|k| format!("{}:{}", json!(k), json_text(&map[*k]))).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

/// JSON numbers, and strings that match `[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?` when trimmed.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => {
            static PATTERN: LazyLock<Option<Regex>> =
                LazyLock::new(|| Regex::new(r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$").ok());
            let s = s.trim();
            if PATTERN.as_ref()?.is_match(s) { s.parse::<f64>().ok().filter(|f| f.is_finite()) } else { None }
        }
        _ => None,
    }
}

/// "ISO-8601 strings (no zone = UTC); numbers are epoch seconds if |v| < 1e11, else milliseconds"
pub fn instant_ms(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => {
            let v = n.as_f64()?;
            Some(if v.abs() < 1e11 { v * 1000.0 } else { v })
        }
        Value::String(s) => {
            let ms = |t: jiff::Timestamp| t.as_microsecond() as f64 / 1000.0;
            if let Ok(t) = s.parse::<jiff::Timestamp>() {
                return Some(ms(t));
            }
            let looks_like_a_date = s.len() >= 10 && s.as_bytes()[4] == b'-';
            let civil = s.parse::<jiff::civil::DateTime>().ok().filter(|_| looks_like_a_date)?;
            Some(ms(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
        }
        _ => None,
    }
}

/// "the literal key wins, otherwise split at dots"
pub fn at_path<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    let mut value = map.get(parts.next()?)?;
    for part in parts {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

/// Percentile p (0..=100) by linear interpolation at rank (n-1)*p.
pub fn percentile(values: &[f64], p: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() - 1) as f64 * p / 100.0;
    let below = rank.floor() as usize;
    let above = rank.ceil() as usize;
    Some(sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64))
}

pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}
