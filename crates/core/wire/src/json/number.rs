//! Numbers that 64 bits cannot hold: found, kept as text, or refused.

use sonic_rs::{JsonContainerTrait, JsonValueTrait};
use tallymark_model::Value;

/// True unless the text shows at a glance that every number fits into 64 bits: a zero that was not written as
/// one needs a negative exponent or very many zeros, a number beyond 9.2e18 an exponent or 19 digits.
pub(super) fn may_be_odd(text: &[u8]) -> bool {
    let mut digits = 0;
    text.iter().any(|b| {
        digits = if b.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= 19
    }) || text.windows(2).any(|w| w[0].is_ascii_digit() && matches!(w[1], b'e' | b'E'))
}

/// The number that this JSON text spells; as text if 64 bits cannot hold it.
pub(super) fn exact(raw: &str) -> Value {
    if let Ok(n) = raw.parse::<u64>() {
        return Value::from(n);
    }
    if raw != "-0"
        && let Ok(n) = raw.parse::<i64>()
    {
        return Value::from(n);
    }
    let integral = !raw.contains(['.', 'e', 'E']);
    let float = raw.parse::<f64>().ok().filter(|f| f.is_finite());
    match float.and_then(|f| serde_json::Number::from_f64(f).map(|n| (f, n))) {
        Some((f, n)) if raw == "-0" || !(integral || f == 0.0 && has_digit_above_zero(raw)) => {
            Value::Number(n)
        }
        _ => Value::String(raw.to_owned()),
    }
}

fn has_digit_above_zero(raw: &str) -> bool {
    let mantissa = raw.split(['e', 'E']).next().unwrap_or(raw);
    mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

/// The first number too large for 64-bit floating point; `path` then names it. Integers are kept as text.
pub(super) fn first_overflow(value: &sonic_rs::Value, path: &mut String) -> Option<String> {
    let length = path.len();
    if let Some(object) = value.as_object() {
        for (key, value) in object {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            if let Some(found) = first_overflow(value, path) {
                return Some(found);
            }
            path.truncate(length);
        }
    } else if let Some(array) = value.as_array() {
        for (i, value) in array.iter().enumerate() {
            path.push_str(&format!("[{i}]"));
            if let Some(found) = first_overflow(value, path) {
                return Some(found);
            }
            path.truncate(length);
        }
    } else if let Some(raw) = value.as_raw_number() {
        return raw.as_str().parse::<f64>().is_ok_and(f64::is_infinite).then(|| raw.as_str().to_owned());
    }
    None
}
