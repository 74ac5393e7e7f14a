//! Attribution of a breakdown (chapter 1.7): the value of the first or last touch event of the actor that an event
//! looks back to.
//!
//! Guarantees: touches lie in `[t - lookback, t]` and not after the event in stream order, may be the event itself,
//! and have a value; an event without one, or of nobody, is in `(none)`. One scan per attributed dimension, which
//! gives a set of groups for the place in the log of every event it found a touch for.

use super::actors::Actors;
use super::gather::{by_actor, scatter};
use super::groups::Groups;
use super::records::Placed;
use super::sets::Sets;
use crate::Error;
use crate::plan::Bound;
use crate::query::{AttributionSpec, CountBy};
use rustc_hash::FxHashMap;
use tallymark_model::Millis;
use tallymark_predicate::PropertyRef;
use tallymark_query::{Batch, QueryError, Reservation, Selector, ValueRef};

/// The event itself is counted.
const COUNTED: u32 = 1;
/// The event is a touch with a value.
const TOUCH: u32 = 2;

/// Sets of groups by packed position of the event.
pub(crate) struct Attributed {
    by_position: FxHashMap<u64, u32>,
    sets: Vec<Vec<u32>>,
    _held: Vec<Reservation>,
}

impl Attributed {
    /// The number of an event's set, if it has a touch.
    #[inline]
    pub fn set(&self, position: u64) -> Option<u32> {
        self.by_position.get(&position).copied()
    }
    /// The groups of a set.
    pub fn groups(&self, set: u32) -> &[u32] {
        &self.sets[set as usize]
    }
}

/// What is attributed: one dimension of a breakdown for the events of some selectors in `[from, to)`.
pub(crate) struct Attribution<'a> {
    pub bound: &'a Bound<'a>,
    pub count_by: &'a CountBy,
    pub spec: &'a AttributionSpec,
    pub property: &'a PropertyRef,
    pub counted: Vec<Selector>,
    pub from: Millis,
    pub to: Millis,
}

impl Attribution<'_> {
    /// Finds every counted event's touch; `groups` names the groups of dimension `nth` of their values.
    pub fn find(self, groups: &Groups<'_>, nth: usize) -> Result<Attributed, Error> {
        let context = self.bound.context;
        let mut selectors = vec![self.bound.selector(&self.spec.touch, None)];
        selectors.extend(self.counted.iter().cloned());
        let from = self.from.saturating_sub(self.spec.lookback);
        let mut scan = self.bound.scan(selectors, from, self.to, self.count_by);
        let column = scan.columns.len();
        scan.columns.push(self.property.clone());
        scan.order = true;
        let actors = Actors::new(self.count_by, context);
        let sets = Sets::new(context.budget.reservation());
        let prepared = scan.prepare(self.bound.snapshot, context)?;
        let collect = |scattered: &mut super::gather::Scattered<Placed>, batch: &Batch| {
            let actors = actors.of(batch)?;
            let values = groups.of_column(nth, &batch.columns[column])?;
            let numbers = values.numbered(&sets)?;
            let mut given = vec![false; batch.len()];
            batch.columns[column].each(|value| value != ValueRef::None, |row, is| given[row] = is);
            for (row, mask) in batch.masks.iter().enumerate() {
                let touch = mask & 1 != 0 && given[row];
                let counted = mask & !1 != 0 && batch.times[row] >= self.from;
                let mask = if touch { TOUCH } else { 0 } | if counted { COUNTED } else { 0 };
                if mask != 0 {
                    scattered.push(Placed::new(batch, row, actors[row], mask, numbers[values.set_of(row)]));
                }
            }
            Ok(())
        };
        let scattered = scatter(&prepared, context, self.bound.threads, collect)?;
        let new = || (Vec::new(), context.budget.reservation());
        let parts =
            by_actor(scattered, context, self.bound.threads, new, |(found, held), events: &[Placed]| {
                let before = found.len();
                self.touches(events, found);
                held.grow((found.len() - before) as u64 * 32)
            })?;
        let mut by_position = FxHashMap::default();
        let mut held = Vec::new();
        for (found, reservation) in parts {
            by_position.extend(found);
            held.push(reservation);
        }
        Ok(Attributed { by_position, sets: sets.list(), _held: held })
    }

    /// One actor's events in stream order: the set of every counted one that has a touch.
    fn touches(&self, events: &[Placed], found: &mut Vec<(u64, u32)>) {
        let is_touch = |event: &Placed| event.mask & TOUCH != 0;
        let (mut first, mut last) = (0, None);
        for (at, event) in events.iter().enumerate() {
            if is_touch(event) {
                last = Some(at);
            }
            if event.mask & COUNTED == 0 {
                continue;
            }
            let earliest = event.time.saturating_sub(self.spec.lookback);
            while first < at && !(is_touch(&events[first]) && events[first].time >= earliest) {
                first += 1;
            }
            let touch = match self.spec.last {
                true => last.filter(|at| events[*at].time >= earliest),
                false => Some(first).filter(|at| is_touch(&events[*at])),
            };
            found.extend(touch.map(|touch| (event.position, events[touch].set)));
        }
    }
}

/// Fails where a caller forgot to find the touches first: a defect.
pub(crate) fn missing() -> QueryError {
    QueryError::damaged("a breakdown", "its attribution was not looked for")
}
