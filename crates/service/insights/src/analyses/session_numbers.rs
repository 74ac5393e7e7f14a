//! Which session each event of a segmentation is in (chapters 2 and 7).
//!
//! Guarantees: sessions are those of all active events that pass the chart's `segment`, whatever the series ask for;
//! an event that is inactive, out of session or of nobody is in none. Numbers are dense, for counting distinct ones,
//! and never reach an answer.

use super::actors::Actors;
use super::gather::{by_actor, scatter};
use super::owned::{Happening, Owned};
use crate::Error;
use crate::operators::sessionise::{NO_SESSION, Rules, Sessioniser, Visit};
use crate::plan::Bound;
use crate::query::{CountBy, NamesSpec, SelectorSpec};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use tallymark_model::Millis;
use tallymark_predicate::Expr;
use tallymark_query::{Batch, Reservation, Selector};

/// Sessions of events by packed position: their number and when they began.
pub(crate) struct SessionNumbers {
    by_position: FxHashMap<u64, (u32, Millis)>,
    _held: Vec<Reservation>,
}

/// An active event.
#[derive(Debug, Clone, Copy)]
struct Active {
    time: Millis,
    received: Millis,
    position: u64,
    id: u64,
    /// A series asks for its session.
    counted: bool,
}

impl Happening for Active {
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
    fn opens(&self) -> bool {
        self.counted
    }
}

impl SessionNumbers {
    /// Forms the sessions of all history up to `to` that hold an event of `counted`.
    pub fn find(
        bound: &Bound<'_>,
        count_by: &CountBy,
        segment: Option<&Expr>,
        counted: &[Selector],
        to: Millis,
    ) -> Result<SessionNumbers, Error> {
        let context = bound.context;
        let active = SelectorSpec { names: NamesSpec::Active, filter: None, nth: None };
        let mut selectors = vec![bound.selector(&active, segment)];
        selectors.extend(counted.iter().cloned());
        let mut scan = bound.scan(selectors, Millis::MIN, to, count_by);
        (scan.order, scan.sessions) = (true, true);
        let actors = Actors::new(count_by, context);
        let prepared = scan.prepare(bound.snapshot, context)?;
        let collect = |scattered: &mut super::gather::Scattered<Owned<Active>>, batch: &Batch| {
            let actors = actors.of(batch)?;
            for (row, mask) in batch.masks.iter().enumerate().filter(|(_, mask)| *mask & 1 != 0) {
                let event = Active {
                    time: batch.times[row],
                    received: batch.received[row],
                    position: batch.positions[row],
                    id: batch.sessions[row],
                    counted: mask & !1 != 0,
                };
                scattered.push(Owned::new(actors[row], event));
            }
            Ok(())
        };
        let scattered = scatter(&prepared, context, bound.threads, collect)?;
        let rules = Rules { timeout: bound.snapshot.project.session_timeout, only_started: false };
        let taken = AtomicU32::new(1);
        let new = || (Vec::new(), Sessioniser::default(), context.budget.reservation());
        let fold = |(found, sessioniser, held): &mut (Vec<_>, Sessioniser, Reservation),
                    events: &[Owned<Active>]| {
            let visit = |e: &Owned<Active>| Visit { time: e.what.time, id: e.what.id, ..Visit::default() };
            let numbers = sessioniser.number(events.iter().map(visit), &rules);
            let first = taken.fetch_add(events.len() as u32, Ordering::Relaxed);
            let mut began: Vec<Millis> = Vec::new();
            let before = found.len();
            for (event, number) in events.iter().zip(numbers).filter(|(_, number)| **number != NO_SESSION) {
                // Sessions are numbered by their first events.
                if *number as usize == began.len() {
                    began.push(event.what.time);
                }
                if event.what.counted {
                    found.push((event.what.position, (first + number, began[*number as usize])));
                }
            }
            held.grow((found.len() - before) as u64 * 64)
        };
        let (mut by_position, mut held) = (FxHashMap::default(), Vec::new());
        for (found, _, reservation) in by_actor(scattered, context, bound.threads, new, fold)? {
            by_position.extend(found);
            held.push(reservation);
        }
        Ok(SessionNumbers { by_position, _held: held })
    }

    /// The session of the event at a place: its number and when it began.
    #[inline]
    pub fn of(&self, position: u64) -> Option<(u32, Millis)> {
        self.by_position.get(&position).copied()
    }
}
