//! What must be read to know the sessions that begin in a range.
//!
//! Events of the range, of the two days before and of the day after suffice for most actors: where somebody paused
//! for longer than the timeout, sessions begin anew whatever came before. Only of actors who did not pause in two
//! days, and of ids that occur in the range, older and later events are kept as well. The older past is not even
//! opened if there are neither.

use super::{ACTIVE, Event, Sessions};
use crate::Error;
use crate::analyses::actors::text_numbers;
use crate::analyses::gather::{Gathered, Scattered, by_actor, gather, scatter_between};
use crate::analyses::owned::{Bits, Moment, Owned};
use crate::operators::sessionise::{LONGEST, OUT};
use rustc_hash::FxHashSet;
use std::ops::Range;
use tallymark_model::Millis;
use tallymark_query::{Batch, Prepared, QueryError, Reservation};

/// How far to look back at first; at least four timeouts.
const BACK: Millis = 2 * 86_400_000;

/// Sessions by an id that may begin in the range.
#[derive(Default)]
struct Candidates(FxHashSet<(u32, u64)>);

struct Near {
    events: Scattered<Owned<Event>>,
    ids: Candidates,
    held: Reservation,
}

impl Sessions<'_> {
    /// Every event that belongs to a session of the range, and enough others to know where they begin.
    pub(super) fn read<'f>(
        &'f self,
        prepared: &'f Prepared<'_>,
    ) -> Result<Gathered<'f, Owned<Event>>, Error> {
        let (from, to) = self.bound.range;
        let near = from.saturating_sub(BACK.max(4 * self.query.rules.timeout(&self.bound.snapshot.project)));
        let far = to.saturating_add(LONGEST);
        let (unsure, held) = self.unsure(prepared, near)?;
        let scan = move |here: &Range<usize>| {
            let _held = &held;
            self.pass(prepared, here, (near, from, to, far), &unsure)
        };
        Ok(gather(self.bound.context, self.bound.threads, scan)?)
    }

    /// The events of some partitions.
    fn pass(
        &self,
        prepared: &Prepared<'_>,
        here: &Range<usize>,
        (near, from, to, far): (Millis, Millis, Millis, Millis),
        unsure: &Bits,
    ) -> Result<Vec<Scattered<Owned<Event>>>, QueryError> {
        let context = self.bound.context;
        let new = || Near {
            events: Scattered::new(prepared, context, here.clone()),
            ids: Candidates::default(),
            held: context.budget.reservation(),
        };
        let each = |part: &mut Near, batch: Batch| {
            self.each(&batch, (near, far), |event| {
                let id = event.what.id;
                if id != 0 && id != OUT && event.actor != 0 && from <= event.what.time && event.what.time < to
                {
                    part.ids.0.insert((event.actor, id));
                }
                part.events.push(event);
            })?;
            part.held.grow_to(32 * part.ids.0.len() as u64)?;
            part.events.count()
        };
        let (mut events, mut ids, mut held) = (Vec::new(), FxHashSet::default(), Vec::new());
        for part in prepared.run_between(self.bound.threads, (near, far), new, each)? {
            events.push(part.events);
            ids.extend(part.ids.0);
            held.push(part.held);
        }
        for span in [(Millis::MIN, near), (far, Millis::MAX)] {
            if ids.is_empty() && (unsure.is_empty() || span.0 == far) {
                continue;
            }
            let belongs = |event: &Owned<Event>| match event.what.id {
                0 => event.what.time < near && unsure.contains(event.actor),
                id => ids.contains(&(event.actor, id)),
            };
            let each = |part: &mut Scattered<Owned<Event>>, batch: Batch| {
                self.each(&batch, span, |event| {
                    if belongs(&event) {
                        part.push(event);
                    }
                })?;
                part.count()
            };
            events.extend(prepared.run_between(
                self.bound.threads,
                span,
                || Scattered::new(prepared, context, here.clone()),
                each,
            )?);
        }
        Ok(events)
    }

    /// Actors who did not pause between `near` and the range, going by events without an id.
    fn unsure(&self, prepared: &Prepared<'_>, near: Millis) -> Result<(Bits, Reservation), Error> {
        let from = self.bound.range.0;
        let context = self.bound.context;
        let pause = self.query.rules.timeout(&self.bound.snapshot.project);
        let collect = |part: &mut Scattered<Owned<Moment>>, batch: &Batch| {
            self.each(batch, (near, from), |event| {
                if event.what.id == 0 {
                    part.push(Owned::new(event.actor, Moment { time: event.what.time, mask: 1 }));
                }
            })
        };
        let events = scatter_between(prepared, (near, from), context, self.bound.threads, collect)?;
        let fold = |unsure: &mut Bits, events: &[Owned<Moment>]| -> Result<(), QueryError> {
            let time = |i: usize| events.get(i).map_or(from, |event| event.what.time);
            let paused = (0..=events.len()).any(|i| {
                let before = if i == 0 { near } else { time(i - 1) };
                time(i) - before > pause
            });
            if !paused {
                unsure.insert(events[0].actor);
            }
            Ok(())
        };
        let mut unsure = Bits::default();
        for part in by_actor(events, context, self.bound.threads, Bits::default, fold)? {
            unsure.merge(&part);
        }
        let held = context.budget.reserve(unsure.bytes())?;
        Ok((unsure, held))
    }

    /// Calls `with` with every event of a stretch of time that may be part of a session.
    fn each(
        &self,
        batch: &Batch,
        (from, to): (Millis, Millis),
        mut with: impl FnMut(Owned<Event>),
    ) -> Result<(), QueryError> {
        let actors = self.actors.of(batch)?;
        let groups = self.groups.of_batch(batch)?;
        let numbers = groups.numbered(&self.sets)?;
        let values = match &self.by {
            None => None,
            Some((texts, column)) => Some(text_numbers(&batch.columns[*column], texts)?),
        };
        let wanted = |row: &usize| {
            batch.masks[*row] & ACTIVE != 0 && from <= batch.times[*row] && batch.times[*row] < to
        };
        for row in (0..batch.len()).filter(wanted) {
            let id = match &values {
                Some(values) => u64::from(values[row]),
                None => batch.sessions.get(row).copied().unwrap_or(0),
            };
            let event = Event {
                time: batch.times[row],
                received: batch.received[row],
                position: batch.positions[row],
                id,
                set: numbers[groups.set_of(row)],
                mask: batch.masks[row],
            };
            with(Owned::new(actors[row], event));
        }
        Ok(())
    }
}
