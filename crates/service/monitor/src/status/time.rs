//! Instants as text.
//!
//! Guarantees: UTC, and it says so.
//! Deliberately not here: time zones of readers; the page shows instants in the browser's.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use tallymark_model::Millis;

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `2026-11-21T06:00:00.000Z`.
pub fn rfc3339(at: Millis) -> String {
    format!("{:.3}", timestamp(at))
}

/// `Sat, 21 Nov 2026 06:00:00 +0000`.
pub fn rfc2822(at: Millis) -> String {
    let zoned = timestamp(at).to_zoned(TimeZone::UTC);
    DateTimePrinter::new().zoned_to_string(&zoned).unwrap_or_default()
}

/// `2026-11-21 06:00:00 UTC`.
pub fn time_text(at: Millis) -> String {
    timestamp(at).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2026-11-21`.
pub fn day(at: Millis) -> String {
    timestamp(at).to_zoned(TimeZone::UTC).date().to_string()
}

/// `45 s`, `12 min`, `3 h 20 min`, `9 days`.
pub fn duration_text(ms: Millis) -> String {
    let s = ms.max(0) / 1_000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 if s % 3_600 >= 60 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_utc() {
        let at = 1_795_240_800_000;
        assert_eq!(rfc3339(at), "2026-11-21T06:00:00.000Z");
        assert_eq!(rfc2822(at), "Sat, 21 Nov 2026 06:00:00 +0000");
        assert_eq!(time_text(at), "2026-11-21 06:00:00 UTC");
        assert_eq!(day(at - 21_600_001), "2026-11-20");
    }

    #[test]
    fn durations_are_short() {
        let texts: Vec<String> =
            [0, 119_999, 120_000, 7_199_000, 7_200_000, 12_000_000, 200_000_000].map(duration_text).into();
        assert_eq!(texts, ["0 s", "119 s", "2 min", "119 min", "2 h", "3 h 20 min", "2 days"]);
    }
}
