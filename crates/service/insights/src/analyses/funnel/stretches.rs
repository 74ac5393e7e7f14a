//! Where each actor's attempt is between two of its steps, for paths through a funnel.

use super::general::General;
use crate::Error;
use crate::analyses::actors::Actors;
use crate::plan::Bound;
use crate::query::FunnelQuery;
use rustc_hash::FxHashMap;
use tallymark_model::Millis;

/// Time and log order.
type Place = (Millis, Millis, u64);

/// A funnel of which only places are wanted.
pub(crate) struct Stretches<'a>(General<'a>);

/// By actor; and names of the actors by number, if they are no persons.
pub(crate) type Found = (FxHashMap<u32, (Place, Place)>, Option<Vec<String>>);

impl<'a> Stretches<'a> {
    /// Prepares the funnel's scan.
    pub fn new(query: &'a FunnelQuery, bound: &'a Bound<'a>) -> Result<Stretches<'a>, Error> {
        Ok(Stretches(General::new(query, bound)?))
    }

    /// From one step (counted from 0) to another, of those who reached both; or of those who `dropped` after the
    /// first, until their window closes.
    pub fn find(&self, from: usize, to: usize, dropped: bool) -> Result<Found, Error> {
        let general = &self.0;
        let bound = general.bound;
        let prepared = general.scan.prepare(bound.snapshot, bound.context)?;
        let new = || (bound.context.budget.reservation(), FxHashMap::default());
        let (parts, _) = general.run(&prepared, None, new, |(held, stretches), _, found| {
            let place = |event: usize| {
                let event = &found.events[event];
                (event.time, event.received, event.position)
            };
            let (Some(begin), end) = (found.attempt.step(from).map(place), found.attempt.step(to)) else {
                return Ok(());
            };
            let stretch = match (end, dropped) {
                // With a tolerance, the later step may be the earlier event.
                (Some(end), false) => (begin.min(place(end)), begin.max(place(end))),
                (None, true) => {
                    let entry = found.events[found.attempt.entry as usize].time;
                    (begin, (entry.saturating_add(general.query.window), Millis::MAX, u64::MAX))
                }
                _ => return Ok(()),
            };
            held.grow(96)?;
            stretches.extend(found.events.first().map(|e| (e.who, stretch)));
            Ok(())
        })?;
        let found = parts.into_iter().flat_map(|(_, stretches)| stretches).collect();
        let names = match &general.actors {
            Actors::Resolved if prepared.counts_persons() => None,
            Actors::Resolved => Some(prepared.actor_names()),
            Actors::ByText(texts) => Some(texts.texts()),
        };
        Ok((found, names))
    }
}
