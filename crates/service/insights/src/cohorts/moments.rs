//! Windows as stretches of time before an instant.

use crate::Error;
use crate::plan::Bound;
use crate::query::Window;
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_query::{Calendar, Range, Unit};

/// Most calendar units that are computed beforehand.
const STARTS_MAX: Millis = 200_000;

/// A window, ready to be asked.
#[derive(Debug)]
pub(crate) enum Moments {
    Always,
    Between(Millis, Millis),
    Since(Millis),
    Rolling(Millis),
    /// Starts of local units; before the first nothing happened.
    Calendar {
        starts: Vec<Millis>,
        n: usize,
    },
    /// The same where there are too many to list.
    Computed {
        calendar: Calendar,
        unit: Unit,
        n: u32,
    },
    /// From each person's first event on.
    WithinFirst {
        first: Arc<Vec<Millis>>,
        length: Millis,
    },
}

impl Moments {
    /// Binds a window. `earliest` is the first event that can matter; `first` each person's first event.
    pub fn new(
        window: &Window,
        bound: &Bound<'_>,
        earliest: Millis,
        first: Option<&Arc<Vec<Millis>>>,
    ) -> Result<Moments, Error> {
        let date = |from: &str, to: &str| {
            let range = Range::Between { from: from.to_owned(), to: to.to_owned() };
            range.resolve(&bound.calendar, bound.as_of())
        };
        Ok(match window {
            Window::Always => Moments::Always,
            Window::Rolling(length) => Moments::Rolling(*length),
            Window::During(range) => {
                let (from, to) = range.resolve(&bound.calendar, bound.as_of())?;
                Moments::Between(from, to)
            }
            Window::Since(text) => Moments::Since(date(text, "9000-01-01T00:00:00Z")?.0),
            Window::WithinFirst(length) => {
                Moments::WithinFirst { first: first.cloned().unwrap_or_default(), length: *length }
            }
            Window::Calendar { n, unit } => {
                if earliest > bound.as_of() {
                    return Ok(Moments::Calendar { starts: Vec::new(), n: *n as usize });
                }
                if (bound.as_of() - earliest) / unit.millis() > STARTS_MAX {
                    return Ok(Moments::Computed { calendar: bound.calendar.clone(), unit: *unit, n: *n });
                }
                let mut starts = vec![bound.calendar.floor(*unit, earliest)?];
                while let Some(&last) = starts.last() {
                    let next = bound.calendar.next(*unit, last)?;
                    if next > bound.as_of() {
                        break;
                    }
                    starts.push(next);
                }
                Moments::Calendar { starts, n: *n as usize }
            }
        })
    }

    /// The half-open stretch before and at `at`, for a person.
    pub fn at(&self, person: u32, at: Millis) -> Result<(Millis, Millis), Error> {
        let end = at.saturating_add(1);
        Ok(match self {
            Moments::Always => (Millis::MIN, end),
            Moments::Between(from, to) => (*from, end.min(*to)),
            Moments::Since(from) => (*from, end),
            Moments::Rolling(length) => (end.saturating_sub(*length), end),
            Moments::Calendar { starts, n } => {
                let unit = starts.partition_point(|start| *start <= at);
                let from = unit.checked_sub(*n).and_then(|i| starts.get(i));
                (from.copied().unwrap_or(Millis::MIN), end)
            }
            Moments::Computed { calendar, unit, n } => {
                let current = calendar.floor(*unit, at)?;
                (calendar.step(*unit, current, 1 - i64::from(*n))?, end)
            }
            Moments::WithinFirst { first, length } => match first.get(person as usize) {
                Some(&from) if from <= at => (from, end.min(from.saturating_add(*length))),
                _ => (0, 0),
            },
        })
    }
}
