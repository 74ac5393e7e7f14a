//! The same place in the calendar, some units earlier (chapter 2, `compare`).
//!
//! Guarantees: a day of the month that the other month lacks becomes its last day; wall time stays, also across
//! a change of the clocks; hours and minutes are elapsed time.

use super::{Calendar, Range, Unit, out_of_calendar, timestamp};
use crate::QueryError;
use jiff::civil::Date;
use jiff::{Span, ToSpan};
use tallymark_model::Millis;

impl Calendar {
    /// The range `[from, to)` that `range` means, `n` units earlier. Ranges of whole local days keep their first
    /// and their last day, whose month may be shorter there.
    pub fn earlier(
        &self,
        range: &Range,
        (from, to): (Millis, Millis),
        unit: Unit,
        n: u32,
    ) -> Result<(Millis, Millis), QueryError> {
        let days = match range {
            Range::Between { from, to } => ![from, to].iter().any(|t| t.contains(['T', 't'])),
            Range::Last { unit, .. } => *unit >= Unit::Day,
        };
        if !days || unit <= Unit::Hour || to <= from {
            return Ok((self.instant_earlier(from, unit, n)?, self.instant_earlier(to, unit, n)?));
        }
        let first = self.date_earlier(self.date_of(from)?, unit, n)?;
        let last = self.date_earlier(self.date_of(to - 1)?, unit, n)?;
        Ok((self.day_start(first)?, self.day_start(last.tomorrow().map_err(out_of_calendar)?)?))
    }

    fn date_earlier(&self, date: Date, unit: Unit, n: u32) -> Result<Date, QueryError> {
        date.checked_sub(span(unit, n)).map_err(out_of_calendar)
    }

    fn instant_earlier(&self, at: Millis, unit: Unit, n: u32) -> Result<Millis, QueryError> {
        if unit <= Unit::Hour {
            return Ok(at.saturating_sub(unit.millis() * Millis::from(n)));
        }
        let there = timestamp(at)?.to_zoned(self.zone.clone());
        let earlier = there.checked_sub(span(unit, n)).map_err(out_of_calendar)?;
        Ok(earlier.timestamp().as_millisecond())
    }
}

fn span(unit: Unit, n: u32) -> Span {
    let n = i64::from(n);
    match unit {
        Unit::Minute => n.minutes(),
        Unit::Hour => n.hours(),
        Unit::Day => n.days(),
        Unit::Week => n.weeks(),
        Unit::Month => n.months(),
        Unit::Quarter => (3 * n).months(),
        Unit::Year => n.years(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Calendar, Range, Unit, WeekStart};

    fn shifted(zone: &str, from: &str, to: &str, unit: Unit, n: u32) -> (String, String) {
        let calendar = Calendar::new(zone, WeekStart::Monday).unwrap();
        let range = Range::Between { from: from.to_owned(), to: to.to_owned() };
        let (a, b) = calendar.earlier(&range, range.resolve(&calendar, 0).unwrap(), unit, n).unwrap();
        let text = |t| jiff::Timestamp::from_millisecond(t).unwrap().to_string();
        (text(a), text(b))
    }

    #[test]
    fn days_of_shorter_months_become_the_last_one() {
        let found = shifted("UTC", "2025-03-30", "2025-03-31", Unit::Month, 1);
        assert_eq!(found, ("2025-02-28T00:00:00Z".to_owned(), "2025-03-01T00:00:00Z".to_owned()));
        let found = shifted("UTC", "2024-02-29", "2024-02-29", Unit::Year, 1);
        assert_eq!(found, ("2023-02-28T00:00:00Z".to_owned(), "2023-03-01T00:00:00Z".to_owned()));
        let found = shifted("UTC", "2025-05-31", "2025-06-30", Unit::Quarter, 1);
        assert_eq!(found, ("2025-02-28T00:00:00Z".to_owned(), "2025-03-31T00:00:00Z".to_owned()));
    }

    #[test]
    fn local_days_stay_local_days_across_a_change_of_the_clocks() {
        // New York leaves daylight saving time on 2 November 2025.
        let found = shifted("America/New_York", "2025-11-03", "2025-11-03", Unit::Week, 1);
        assert_eq!(found, ("2025-10-27T04:00:00Z".to_owned(), "2025-10-28T04:00:00Z".to_owned()));
        let found = shifted(
            "America/New_York",
            "2025-11-03T12:00:00-05:00",
            "2025-11-03T13:00:00-05:00",
            Unit::Day,
            2,
        );
        assert_eq!(found, ("2025-11-01T16:00:00Z".to_owned(), "2025-11-01T17:00:00Z".to_owned()));
        let found = shifted("America/New_York", "2025-11-03", "2025-11-03", Unit::Hour, 24);
        assert_eq!(found, ("2025-11-02T05:00:00Z".to_owned(), "2025-11-03T05:00:00Z".to_owned()));
    }
}
