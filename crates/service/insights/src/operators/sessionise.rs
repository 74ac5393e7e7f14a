//! Sessions (chapter 7): which events of one actor belong together.
//!
//! Guarantees: pure; sessions are numbered by their first events; an id makes one session of all its events, other
//! events form sessions among themselves. An event without an id stays in the current session if neither the
//! pause before it exceeds the timeout nor the session would exceed 24 hours, both ends included.
//! Deliberately not here: inactive events, which neither open nor extend sessions: leave them out before.

use rustc_hash::FxHashMap;
use tallymark_model::Millis;
use tallymark_query::{Calendar, QueryError, Unit};

/// The number of an event that is in no session.
pub(crate) const NO_SESSION: u32 = u32::MAX;
/// Longest session of events without an id.
pub(crate) const LONGEST: Millis = 86_400_000;

/// An event, as far as sessions go by it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visit {
    pub time: Millis,
    /// What makes a session of all events that share it; 0 = nothing, [`OUT`] = this event is in none.
    pub id: u64,
    /// Start of its local day if sessions end at midnight, else the same for all.
    pub day: Millis,
    /// Begins a session, whatever came before.
    pub starts: bool,
    /// Ends its session.
    pub ends: bool,
}

/// The id of events out of any session.
pub(crate) const OUT: u64 = u64::MAX;

/// What sessions of events without an id are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Longest pause within a session.
    pub timeout: Millis,
    /// Only events that start one open sessions.
    pub only_started: bool,
}

/// Buffers for one actor after another.
#[derive(Debug, Default)]
pub(crate) struct Sessioniser {
    by_id: FxHashMap<(u64, Millis), u32>,
    numbers: Vec<u32>,
}

struct Current {
    number: u32,
    day: Millis,
    first: Millis,
    last: Millis,
    ended: bool,
}

impl Sessioniser {
    /// The number of each event's session from 0, or [`NO_SESSION`]; `visits` is one actor's stream in order.
    pub fn number(&mut self, visits: impl IntoIterator<Item = Visit>, rules: &Rules) -> &[u32] {
        self.by_id.clear();
        self.numbers.clear();
        let mut next = 0;
        let mut take = || {
            next += 1;
            next - 1
        };
        let mut current: Option<Current> = None;
        for visit in visits {
            let number = match visit.id {
                OUT => NO_SESSION,
                0 => {
                    if visit.starts || !current.as_ref().is_some_and(|c| c.keeps(&visit, rules)) {
                        let opens = visit.starts || !rules.only_started;
                        current = opens.then(|| Current::new(take(), &visit));
                    }
                    match &mut current {
                        None => NO_SESSION,
                        Some(current) => {
                            current.last = visit.time;
                            current.ended = visit.ends;
                            current.number
                        }
                    }
                }
                id => *self.by_id.entry((id, visit.day)).or_insert_with(&mut take),
            };
            self.numbers.push(number);
        }
        &self.numbers
    }
}

impl Current {
    fn new(number: u32, visit: &Visit) -> Current {
        Current { number, day: visit.day, first: visit.time, last: visit.time, ended: false }
    }

    fn keeps(&self, visit: &Visit, rules: &Rules) -> bool {
        !self.ended
            && visit.time - self.last <= rules.timeout
            && visit.time - self.first <= LONGEST
            && visit.day == self.day
    }
}

/// Local days of one ascending stream after another.
pub(crate) struct Days<'a> {
    calendar: &'a Calendar,
    day: (Millis, Millis),
}

impl<'a> Days<'a> {
    pub fn new(calendar: &'a Calendar) -> Days<'a> {
        Days { calendar, day: (0, 0) }
    }

    /// Start of the local day of an instant.
    pub fn start(&mut self, time: Millis) -> Result<Millis, QueryError> {
        if !(self.day.0 <= time && time < self.day.1) {
            let start = self.calendar.floor(Unit::Day, time)?;
            self.day = (start, self.calendar.next(Unit::Day, start)?);
        }
        Ok(self.day.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;
    const RULES: Rules = Rules { timeout: 30 * MINUTE, only_started: false };

    fn at(minute: Millis) -> Visit {
        Visit { time: minute * MINUTE, ..Visit::default() }
    }

    fn numbers(visits: &[Visit], rules: &Rules) -> Vec<u32> {
        Sessioniser::default().number(visits.iter().copied(), rules).to_vec()
    }

    #[test]
    fn a_pause_of_exactly_the_timeout_does_not_end_a_session() {
        let just_after = Visit { time: 60 * MINUTE + 1, ..Visit::default() };
        assert_eq!(numbers(&[at(0), at(30), just_after], &RULES), [0, 0, 1]);
    }

    #[test]
    fn a_session_lasts_at_most_a_day() {
        // An event every 30 minutes: the 49th is 24 hours after the first and still inside, the 50th is not.
        let visits: Vec<Visit> = (0..50).map(|i| at(30 * i)).collect();
        let numbers = numbers(&visits, &RULES);
        assert_eq!((numbers[48], numbers[49]), (0, 1));
    }

    #[test]
    fn ids_make_sessions_whatever_lies_between() {
        let id = |minute, id| Visit { id, ..at(minute) };
        // 7 is one session across days; the events without an id are their own; OUT is in none.
        assert_eq!(
            numbers(&[id(0, 7), at(1), id(2, OUT), id(5000, 7), at(5001)], &RULES),
            [0, 1, NO_SESSION, 0, 2]
        );
    }

    #[test]
    fn start_and_end_events_cut() {
        let starts = |minute| Visit { starts: true, ..at(minute) };
        let ends = |minute| Visit { ends: true, ..at(minute) };
        assert_eq!(numbers(&[at(0), ends(1), at(2), starts(3), at(4)], &RULES), [0, 0, 1, 2, 2]);
        let only = Rules { only_started: true, ..RULES };
        let none = NO_SESSION;
        assert_eq!(
            numbers(&[at(0), starts(1), ends(2), at(3), starts(4), at(40)], &only),
            [none, 0, 0, none, 1, none]
        );
    }

    #[test]
    fn midnight_cuts_where_days_differ() {
        let on = |minute, day, id| Visit { day, id, ..at(minute) };
        assert_eq!(numbers(&[on(0, 1, 0), on(1, 2, 0), on(2, 2, 9), on(3, 3, 9)], &RULES), [0, 1, 2, 3]);
    }
}
