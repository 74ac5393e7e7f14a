//! Chapter 1.2 from the text: buckets of a time zone, found by looking at instants one after the other.

use super::values::instant_ms;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;
use tallymark_model::Millis;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;

/// A half-open stretch of time with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Date of the first day, or ISO minute with offset.
    pub label: String,
    /// First instant, ms.
    pub start: Millis,
    /// First instant after it, ms.
    pub end: Millis,
}

/// A time zone and the day weeks start on.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    sunday_weeks: bool,
}

impl Calendar {
    /// The calendar of a zone by IANA name.
    pub fn new(timezone: &str, sunday_weeks: bool) -> Result<Calendar, String> {
        let zone = TimeZone::get(timezone).map_err(|e| format!("timezone: {e}"))?;
        Ok(Calendar { zone, sunday_weeks })
    }

    fn local(&self, t: Millis) -> Zoned {
        // Out-of-range instants cannot occur in tests; the epoch makes such a mistake visible.
        Timestamp::from_millisecond(t).unwrap_or_default().to_zoned(self.zone.clone())
    }

    /// "the earliest instant whose local date is that date"; of a date that a zone skipped, the first after.
    pub fn day_start(&self, date: Date) -> Millis {
        let utc_midnight = (date - Date::constant(1970, 1, 1)).get_days() as Millis * 24 * HOUR;
        let reached = |t: &Millis| self.local(*t).date() >= date;
        let hours = (-16..=30).map(|h| utc_midnight + h * HOUR);
        let near = hours.clone().find(reached).unwrap_or(utc_midnight);
        let minutes = (0..=180).map(|m| near - 3 * HOUR + m * MINUTE);
        minutes.clone().find(reached).unwrap_or(near)
    }

    fn first_day(&self, date: Date, unit: &str) -> Result<Date, String> {
        let month = |m: i8| Date::new(date.year(), m, 1).map_err(|e| e.to_string());
        match unit {
            "day" => Ok(date),
            "week" => {
                let first = if self.sunday_weeks { Weekday::Sunday } else { Weekday::Monday };
                let mut day = date;
                while day.weekday() != first {
                    day = day.yesterday().map_err(|e| e.to_string())?;
                }
                Ok(day)
            }
            "month" => month(date.month()),
            "quarter" => month((date.month() - 1) / 3 * 3 + 1),
            "year" => month(1),
            other => Err(format!("unit: {other} is unknown")),
        }
    }

    fn next_first_day(&self, first: Date, unit: &str) -> Result<Date, String> {
        let mut day = first;
        while self.first_day(day, unit)? == first {
            day = day.tomorrow().map_err(|e| e.to_string())?;
        }
        Ok(day)
    }

    /// The bucket of `unit` that contains an instant.
    pub fn bucket(&self, t: Millis, unit: &str) -> Result<Bucket, String> {
        if unit == "minute" || unit == "hour" {
            return Ok(self.clock_bucket(t, unit));
        }
        let mut first = self.first_day(self.local(t).date(), unit)?;
        // Around a repeated midnight an instant may carry an earlier date than the day it lies in.
        while self.day_start(self.next_first_day(first, unit)?) <= t {
            first = self.next_first_day(first, unit)?;
        }
        let next = self.next_first_day(first, unit)?;
        Ok(Bucket { label: first.to_string(), start: self.day_start(first), end: self.day_start(next) })
    }

    /// "the instant floored in local wall time using the offset valid at that instant"
    fn clock_label(&self, t: Millis, unit: &str) -> String {
        let local = self.local(t);
        let format = if unit == "hour" { "%Y-%m-%dT%H:00%:z" } else { "%Y-%m-%dT%H:%M%:z" };
        local.strftime(format).to_string()
    }

    fn clock_bucket(&self, t: Millis, unit: &str) -> Bucket {
        let label = self.clock_label(t, unit);
        let same = |t: Millis| self.clock_label(t, unit) == label;
        let mut start = t.div_euclid(MINUTE) * MINUTE;
        while same(start - MINUTE) {
            start -= MINUTE;
        }
        let mut end = t.div_euclid(MINUTE) * MINUTE + MINUTE;
        while same(end) {
            end += MINUTE;
        }
        Bucket { label, start, end }
    }

    /// Every bucket that a half-open range touches, in order; none for interval `none`.
    pub fn buckets(&self, range: (Millis, Millis), interval: &str) -> Result<Vec<Bucket>, String> {
        let mut buckets = Vec::new();
        let mut t = range.0;
        while interval != "none" && t < range.1 {
            let bucket = self.bucket(t, interval)?;
            t = bucket.end;
            buckets.push(bucket);
        }
        Ok(buckets)
    }

    /// The half-open range of a query.
    pub fn range(&self, range: &Value, as_of: Millis) -> Result<(Millis, Millis), String> {
        if let Some(n) = range["last"].as_i64() {
            let unit = range["unit"].as_str().ok_or("range.unit is missing")?;
            let mut last = self.bucket(as_of, unit)?;
            if range["exclude_current"] == true {
                last = self.bucket(last.start - 1, unit)?;
            }
            let mut first = last.clone();
            for _ in 1..n {
                first = self.bucket(first.start - 1, unit)?;
            }
            return Ok((first.start, last.end));
        }
        let bound = |key: &str, days_after: i64| {
            let text = range[key].as_str().ok_or(format!("range.{key} is missing"))?;
            if text.contains('T') {
                return instant_ms(&range[key]).map(|t| t as Millis).ok_or(format!("range.{key}: {text}"));
            }
            let date: Date = text.parse().map_err(|e| format!("range.{key}: {e}"))?;
            let date = if days_after == 1 { date.tomorrow().map_err(|e| e.to_string())? } else { date };
            Ok(self.day_start(date))
        };
        Ok((bound("from", 0)?, bound("to", 1)?))
    }
}

/// Length of a duration `{"n","unit"}` in elapsed ms.
pub fn duration_ms(duration: &Value, at: &str) -> Result<Millis, String> {
    let n = duration["n"].as_i64().ok_or(format!("{at}.n is missing"))?;
    let unit = duration["unit"].as_str().ok_or(format!("{at}.unit is missing"))?;
    Ok(n * unit_ms(unit)?)
}

/// Elapsed ms of a unit: "1 day = 86,400,000 ms even across DST; week = 7 days; month = 30 days".
pub fn unit_ms(unit: &str) -> Result<Millis, String> {
    match unit {
        "second" => Ok(1000),
        "minute" => Ok(MINUTE),
        "hour" => Ok(HOUR),
        "day" => Ok(24 * HOUR),
        "week" => Ok(7 * 24 * HOUR),
        "month" => Ok(30 * 24 * HOUR),
        other => Err(format!("unit: {other} is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn a_day_of_25_hours_has_25_hour_buckets_with_offsets() {
        let ny = Calendar::new("America/New_York", false).unwrap();
        let day = ny.bucket(at("2025-11-02T12:00:00Z"), "day").unwrap();
        assert_eq!((day.start, day.end), (at("2025-11-02T04:00:00Z"), at("2025-11-03T05:00:00Z")));
        let hours = ny.buckets((day.start, day.end), "hour").unwrap();
        assert_eq!(hours.len(), 25);
        assert_eq!(hours[1].label, "2025-11-02T01:00-04:00");
        assert_eq!(hours[2].label, "2025-11-02T01:00-05:00");
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_starts_at_the_first_instant_of_its_date() {
        let cairo = Calendar::new("Africa/Cairo", false).unwrap();
        let day = cairo.bucket(at("2024-04-26T12:00:00Z"), "day").unwrap();
        assert_eq!(day.label, "2024-04-26");
        // 00:00 local does not exist; the day starts at 01:00+03:00.
        assert_eq!(day.start, at("2024-04-25T22:00:00Z"));
        assert_eq!(day.end - day.start, 23 * HOUR);
    }

    #[test]
    fn weeks_quarters_and_ranges() {
        let utc = Calendar::new("UTC", false).unwrap();
        let noon = at("2025-05-14T12:00:00Z");
        assert_eq!(utc.bucket(noon, "week").unwrap().label, "2025-05-12");
        let sunday = Calendar::new("UTC", true).unwrap();
        assert_eq!(sunday.bucket(noon, "week").unwrap().label, "2025-05-11");
        assert_eq!(utc.bucket(noon, "quarter").unwrap().label, "2025-04-01");
        assert_eq!(utc.bucket(noon, "year").unwrap().label, "2025-01-01");
        let last = utc.range(&json!({"last": 7, "unit": "day"}), noon).unwrap();
        assert_eq!(last, (at("2025-05-08T00:00:00Z"), at("2025-05-15T00:00:00Z")));
        let before = json!({"last": 2, "unit": "month", "exclude_current": true});
        let range = utc.range(&before, noon).unwrap();
        assert_eq!(range, (at("2025-03-01T00:00:00Z"), at("2025-05-01T00:00:00Z")));
        let dates = utc.range(&json!({"from": "2025-05-01", "to": "2025-05-02"}), noon).unwrap();
        assert_eq!(dates.1 - dates.0, 48 * HOUR);
        let instants = json!({"from": "2025-05-01T01:00:00Z", "to": "2025-05-01T02:00:00"});
        assert_eq!(utc.range(&instants, noon).unwrap().1, at("2025-05-01T02:00:00Z"));
    }
}
