//! Instants of values (chapter 1.3). Text and numbers of values are in `model`, shared with the writers.

use tallymark_model::Value;

/// Numbers below this many seconds are epoch seconds, others milliseconds.
const SECONDS_BELOW: f64 = 1e11;

/// The instant of a value in ms since the epoch: ISO-8601 text (no zone = UTC), or a number that is epoch
/// seconds if its magnitude is below 1e11 and milliseconds otherwise.
pub fn instant_of(value: &Value) -> Option<f64> {
    match value {
        Value::String(s) => instant_of_text(s),
        Value::Number(n) => n.as_f64().and_then(instant_of_number),
        _ => None,
    }
}

pub(crate) fn instant_of_number(n: f64) -> Option<f64> {
    n.is_finite().then(|| if n.abs() < SECONDS_BELOW { n * 1000.0 } else { n })
}

pub(crate) fn instant_of_text(text: &str) -> Option<f64> {
    let text = text.trim();
    // A bracketed zone name is not ISO-8601; without this a civil date would be read and the zone ignored.
    if text.len() < 8 || text.contains('[') {
        return None;
    }
    let zoned = text.parse::<jiff::Timestamp>();
    let timestamp = zoned.or_else(|_| {
        let civil = text.parse::<jiff::civil::DateTime>()?;
        Ok::<_, jiff::Error>(civil.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    });
    timestamp.ok().map(|t| t.as_nanosecond() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instants_follow_chapter_1_3() {
        for (value, ms) in [
            (json!("1970-01-02"), 86_400_000.0),
            (json!("1970-01-01T00:00:01"), 1000.0),
            (json!("1970-01-01 00:00:01.5Z"), 1500.0),
            (json!("1970-01-01T01:00:00+01:00"), 0.0),
            (json!("1970-01-01T01:00:00+0100"), 0.0),
            (json!(10), 10_000.0),
            (json!(-10.5), -10_500.0),
            (json!(99_999_999_999i64), 99_999_999_999_000.0),
            (json!(100_000_000_000i64), 100_000_000_000.0),
        ] {
            assert_eq!(instant_of(&value), Some(ms), "{value}");
        }
        for value in
            [json!("yesterday"), json!("12"), json!("1700000000"), json!(true), json!(null), json!([])]
        {
            assert_eq!(instant_of(&value), None, "{value}");
        }
        assert_eq!(instant_of(&json!("2025-01-01T00:00:00[Europe/Berlin]")), None);
    }
}
