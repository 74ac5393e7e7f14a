//! Local calendar buckets (chapter 1.2): where a minute, hour, day, week, month, quarter or year begins in a zone.
//!
//! Guarantees: a day begins at the earliest instant whose local date is that date, also where midnight is
//! skipped; hours and minutes are floored in local wall time, so a fall-back day has 25 of them; durations are
//! elapsed time. Boundaries are computed once per query; a row costs a table lookup, never zone arithmetic.

mod buckets;
mod range;
mod shift;
#[cfg(test)]
mod tests;

pub use buckets::{BUCKETS_MAX, Buckets};
pub use range::{Range, parse_instant};

use crate::QueryError;
use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};
use tallymark_model::Millis;

/// A calendar unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 60 s, floored in local wall time.
    Minute,
    /// Floored in local wall time.
    Hour,
    /// Local date.
    Day,
    /// Seven local days from the project's first weekday.
    Week,
    /// Calendar month.
    Month,
    /// Three calendar months from January.
    Quarter,
    /// Calendar year.
    Year,
}

impl Unit {
    /// Every unit, shortest first.
    pub const ALL: [Unit; 7] =
        [Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Quarter, Unit::Year];

    /// Name used in queries.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Quarter => "quarter",
            Unit::Year => "year",
        }
    }
    /// The unit with this name.
    pub fn from_name(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|u| u.name() == name)
    }
    /// Its length as a duration: elapsed time, a month is 30 days.
    pub fn millis(self) -> Millis {
        const DAY: Millis = 86_400_000;
        match self {
            Unit::Minute => 60_000,
            Unit::Hour => 3_600_000,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 30 * DAY,
            Unit::Quarter => 90 * DAY,
            Unit::Year => 365 * DAY,
        }
    }
}

/// First day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeekStart {
    /// ISO.
    #[default]
    Monday,
    /// As in North America.
    Sunday,
    /// As in much of the Middle East.
    Saturday,
}

/// A zone with its first weekday.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    week_start: WeekStart,
}

impl Calendar {
    /// The calendar of an IANA zone such as `Europe/Berlin`, or `UTC`.
    pub fn new(zone: &str, week_start: WeekStart) -> Result<Calendar, QueryError> {
        let zone = TimeZone::get(zone).map_err(|_| {
            QueryError::Invalid(format!(
                "time zone {zone:?} is not known; use an IANA name such as \"Europe/Berlin\" or \"UTC\""
            ))
        })?;
        Ok(Calendar { zone, week_start })
    }

    /// Coordinated universal time, weeks from Monday.
    pub fn utc() -> Calendar {
        Calendar { zone: TimeZone::UTC, week_start: WeekStart::Monday }
    }

    /// Earliest instant whose local date is `date`, or the first instant after a date the zone skipped.
    pub fn day_start(&self, date: Date) -> Result<Millis, QueryError> {
        let start =
            date.to_zoned(self.zone.clone()).and_then(|z| z.start_of_day()).map_err(out_of_calendar)?;
        Ok(start.timestamp().as_millisecond())
    }

    /// Start of the bucket that contains `t`.
    pub fn floor(&self, unit: Unit, t: Millis) -> Result<Millis, QueryError> {
        if unit <= Unit::Hour {
            return Ok(self.clock_floor(unit, t)?.0);
        }
        let mut first = self.first_day(unit, self.date_of(t)?)?;
        let mut start = self.day_start(first)?;
        if start > t {
            // Clocks that fall back across midnight repeat the end of the day before; the date then lies.
            first = self.first_day(unit, first.yesterday().map_err(out_of_calendar)?)?;
            start = self.day_start(first)?;
        }
        let next = self.day_start(self.advance(unit, first, 1)?)?;
        Ok(if next <= t { next } else { start })
    }

    /// Start of the bucket after the one that starts at `start`.
    pub fn next(&self, unit: Unit, start: Millis) -> Result<Millis, QueryError> {
        if unit <= Unit::Hour {
            return self.clock_next(unit, start);
        }
        let mut first = self.first_day(unit, self.date_of(start)?)?;
        loop {
            first = self.advance(unit, first, 1)?;
            let next = self.day_start(first)?;
            // A date that the zone skipped begins where the next one does.
            if next > start && self.date_of(next)? == first {
                return Ok(next);
            }
        }
    }

    /// Start of the bucket `n` buckets before (`n` < 0) or after the one that starts at `start`.
    pub fn step(&self, unit: Unit, start: Millis, n: i64) -> Result<Millis, QueryError> {
        let mut at = start;
        for _ in 0..n.max(0) {
            at = self.next(unit, at)?;
        }
        for _ in n..0 {
            at = self.floor(unit, at - 1)?;
        }
        Ok(at)
    }

    /// Label of the bucket that starts at `start`: a date, or an ISO minute with its offset.
    pub fn label(&self, unit: Unit, start: Millis) -> Result<String, QueryError> {
        if unit >= Unit::Day {
            return Ok(self.date_of(start)?.to_string());
        }
        let (floor, offset) = self.clock_floor(unit, start)?;
        let local = offset.to_datetime(timestamp(floor)?);
        let minutes = offset.seconds() / 60;
        Ok(format!(
            "{}T{:02}:{:02}{}{:02}:{:02}",
            local.date(),
            local.hour(),
            local.minute(),
            if minutes < 0 { '-' } else { '+' },
            minutes.abs() / 60,
            minutes.abs() % 60
        ))
    }

    /// Local date of an instant.
    pub fn date_of(&self, t: Millis) -> Result<Date, QueryError> {
        let at = timestamp(t)?;
        Ok(self.zone.to_offset(at).to_datetime(at).date())
    }

    fn clock_floor(&self, unit: Unit, t: Millis) -> Result<(Millis, Offset), QueryError> {
        let offset = self.zone.to_offset(timestamp(t)?);
        let shift = Millis::from(offset.seconds()) * 1000;
        Ok((t - (t + shift).rem_euclid(unit.millis()), offset))
    }

    fn clock_next(&self, unit: Unit, start: Millis) -> Result<Millis, QueryError> {
        let (floor, _) = self.clock_floor(unit, start)?;
        let plain = floor + unit.millis();
        let change = self.zone.following(timestamp(start)?).next().map(|c| c.timestamp().as_millisecond());
        Ok(match change {
            Some(at) if at > start && at < plain => at,
            _ => plain,
        })
    }

    fn first_day(&self, unit: Unit, date: Date) -> Result<Date, QueryError> {
        let first = match unit {
            Unit::Minute | Unit::Hour | Unit::Day => Ok(date),
            Unit::Week => {
                let start = match self.week_start {
                    WeekStart::Monday => Weekday::Monday,
                    WeekStart::Sunday => Weekday::Sunday,
                    WeekStart::Saturday => Weekday::Saturday,
                };
                date.checked_sub(Span::new().days(i64::from(date.weekday().since(start))))
            }
            Unit::Month => Ok(date.first_of_month()),
            Unit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1),
            Unit::Year => Ok(date.first_of_year()),
        };
        first.map_err(out_of_calendar)
    }

    fn advance(&self, unit: Unit, date: Date, n: i32) -> Result<Date, QueryError> {
        let span = match unit {
            Unit::Minute | Unit::Hour | Unit::Day => n.days(),
            Unit::Week => n.weeks(),
            Unit::Month => n.months(),
            Unit::Quarter => (3 * n).months(),
            Unit::Year => n.years(),
        };
        date.checked_add(span).map_err(out_of_calendar)
    }
}

fn timestamp(t: Millis) -> Result<Timestamp, QueryError> {
    Timestamp::from_millisecond(t).map_err(out_of_calendar)
}

fn out_of_calendar(error: jiff::Error) -> QueryError {
    QueryError::Invalid(format!("an instant lies outside the calendar: {error}"))
}
