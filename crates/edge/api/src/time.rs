//! Instants in and out.
//!
//! Guarantees: answers carry ISO-8601 with milliseconds and `Z`; parameters accept the same, other offsets, local
//! dates of the project, and plain milliseconds.
//! Deliberately not here: calendars (`query`).

use crate::ApiError;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_model::Millis;
use tallymark_query::parse_instant;

pub(crate) fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}

/// `2026-11-21T02:40:00.000Z`; instants beyond the calendar are cut to its ends.
pub(crate) fn iso(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX });
    format!("{at:.3}")
}

/// The start of a span.
pub(crate) fn from(name: &str, text: Option<&str>, zone: &str) -> Result<Option<Millis>, ApiError> {
    text.map(|t| instant(name, t, zone, false)).transpose()
}

/// The end of a span, exclusive; a date includes its whole day.
pub(crate) fn to(name: &str, text: Option<&str>, zone: &str) -> Result<Option<Millis>, ApiError> {
    text.map(|t| instant(name, t, zone, true)).transpose()
}

fn instant(name: &str, text: &str, zone: &str, day_after: bool) -> Result<Millis, ApiError> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<Millis>() {
        return Ok(ms);
    }
    let bad = || {
        ApiError::parameter(
            name,
            format!("{text:?} is neither an instant such as 2026-11-21T02:40:00Z nor a date"),
        )
    };
    if text.contains('T') {
        return parse_instant(text).ok_or_else(bad);
    }
    let mut date: Date = text.parse().map_err(|_| bad())?;
    if day_after {
        date = date.tomorrow().map_err(|_| bad())?;
    }
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let start = zone.to_zoned(date.at(0, 0, 0, 0)).map_err(|_| bad())?;
    Ok(start.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert!(iso(Millis::MAX).starts_with("9999-12-"));
    }

    #[test]
    fn spans_accept_instants_dates_and_milliseconds() {
        let get = |t: &str| from("from", Some(t), "Europe/Berlin").ok().flatten();
        assert_eq!(get("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(get("1700000000000"), Some(1_700_000_000_000));
        assert_eq!(get("2023-11-14"), Some(1_699_916_400_000));
        let end = to("to", Some("2023-11-14"), "Europe/Berlin").unwrap();
        assert_eq!(end, Some(1_699_916_400_000 + 86_400_000));
        for bad in ["yesterday", "2023-13-01", "2023-11-14T25:00:00Z", ""] {
            assert_eq!(get(bad), None, "{bad}");
        }
        assert_eq!(from("from", None, "UTC").unwrap(), None);
    }
}
