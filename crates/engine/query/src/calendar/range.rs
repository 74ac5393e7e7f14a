//! Ranges: local dates, instants, or the last n buckets.

use super::{Calendar, Unit};
use crate::QueryError;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use tallymark_model::Millis;

/// A range as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// From one text to another: a date (`2025-03-01`, local, inclusive) or an instant with a `T` (half-open).
    Between {
        /// First local day, or first instant.
        from: String,
        /// Last local day, or first instant after.
        to: String,
    },
    /// The last buckets up to the one that contains `as_of`.
    Last {
        /// How many.
        n: u32,
        /// Of what.
        unit: Unit,
        /// One bucket earlier.
        exclude_current: bool,
    },
}

impl Range {
    /// The half-open span of instants it means.
    pub fn resolve(&self, calendar: &Calendar, as_of: Millis) -> Result<(Millis, Millis), QueryError> {
        match self {
            Range::Between { from, to } => {
                let start = edge(calendar, from, false)?;
                let end = edge(calendar, to, true)?;
                let days = !is_instant(from) && !is_instant(to);
                if end < start || (days && end == start) {
                    return Err(QueryError::Invalid(format!(
                        "the range ends ({to}) before it begins ({from})"
                    )));
                }
                Ok((start, end))
            }
            Range::Last { n, unit, exclude_current } => {
                let mut last = calendar.floor(*unit, as_of)?;
                if *exclude_current {
                    last = calendar.step(*unit, last, -1)?;
                }
                let end = calendar.next(*unit, last)?;
                Ok((calendar.step(*unit, last, 1 - i64::from(*n))?, end))
            }
        }
    }
}

fn edge(calendar: &Calendar, text: &str, is_end: bool) -> Result<Millis, QueryError> {
    if is_instant(text) {
        return parse_instant(text).ok_or_else(|| {
            QueryError::Invalid(format!(
                "{text:?} is not an instant; write it like 2025-03-01T00:00:00Z, or leave the time out for a local day"
            ))
        });
    }
    let date: Date = text.parse().map_err(|_| {
        QueryError::Invalid(format!(
            "{text:?} is not a date; write it like 2025-03-01, or with a time like 2025-03-01T00:00:00Z"
        ))
    })?;
    let date = if is_end { date.tomorrow().unwrap_or(date) } else { date };
    calendar.day_start(date)
}

fn is_instant(text: &str) -> bool {
    text.contains(['T', 't'])
}

/// An ISO-8601 instant in ms UTC; without a zone it is UTC.
pub fn parse_instant(text: &str) -> Option<Millis> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
