//! Client times: the spellings that SDKs send, and the correction for clocks that are off.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use tallymark_model::{Millis, Value};

/// Years 1 to 9999, in which every client time must lie.
const RANGE: std::ops::RangeInclusive<Millis> = -62_135_596_800_000..=253_402_300_799_999;

/// The time if it lies in the years 1 to 9999.
pub(crate) fn in_range(time: Millis) -> Option<Millis> {
    RANGE.contains(&time).then_some(time)
}

/// An ISO 8601 time; without a zone, UTC. RFC 2822 and whole milliseconds as digits are understood too.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    let text = text.trim();
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => instant,
        Err(_) => loose(text)?,
    };
    in_range(instant.as_millisecond())
}

/// An ISO text or a number of milliseconds.
pub(crate) fn of_value(value: &Value) -> Option<Millis> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(n) => in_range(n.as_i64().or_else(|| n.as_f64().map(|f| f as i64))?),
        _ => None,
    }
}

#[cold]
fn loose(text: &str) -> Option<Timestamp> {
    if text.len() >= 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Timestamp::from_millisecond(text.parse().ok()?).ok();
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return TimeZone::UTC.to_timestamp(local).ok();
    }
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// Client time corrected by the difference of the two clocks when the request was sent.
/// `None` if the result is not a time.
pub(crate) fn corrected(client: Millis, sent_at: Option<Millis>, received_at: Millis) -> Option<Millis> {
    match sent_at {
        Some(sent) => in_range(client.checked_add(received_at.checked_sub(sent)?)?),
        None => Some(client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_instant() {
        for text in [
            "2026-11-21T00:22:11.377Z",
            "2026-11-21T00:22:11.377000+00:00",
            "2026-11-21T01:22:11.377+01:00",
            "2026-11-21T01:22:11.377+0100",
            "2026-11-21T00:22:11.377",
            "2026-11-21 00:22:11.377",
            " 2026-11-21T00:22:11.377123456Z ",
            "1795220531377",
        ] {
            assert_eq!(parse(text), Some(1_795_220_531_377), "{text}");
        }
        assert_eq!(parse("2026-11-21"), Some(1_795_219_200_000));
        assert_eq!(parse("Sat, 21 Nov 2026 00:22:11 GMT"), Some(1_795_220_531_000));
        for text in ["", "yesterday", "2026-13-01", "12345", "2026-11-21T25:00:00Z", "99999-01-01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn correction_shifts_by_the_clocks_difference() {
        assert_eq!(corrected(1000, Some(5000), 6000), Some(2000));
        assert_eq!(corrected(1000, None, 6000), Some(1000));
        assert_eq!(corrected(i64::MAX, Some(0), 1), None);
        assert_eq!(corrected(0, Some(i64::MIN), 1), None);
    }
}
