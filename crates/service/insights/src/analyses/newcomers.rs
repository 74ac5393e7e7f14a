//! `new_users_only` (chapter 2): an event counts only in the bucket that holds its person's very first event.
//!
//! Guarantees: the first event is that of any name over the whole history up to `as_of`, whoever is counted; events
//! of nobody never count.

use crate::Error;
use crate::plan::Bound;
use crate::query::CountBy;
use rustc_hash::{FxHashMap, FxHashSet};
use tallymark_model::Millis;
use tallymark_query::{Actor, Batch, Names, QueryError, Reservation, Selector};

/// Which rows count.
pub(crate) enum Newcomers {
    /// By the person of the row: the bucket of the first event.
    ByPerson { first: FxHashMap<u32, usize>, _held: Vec<Reservation> },
    /// By the packed position of the row, where rows do not carry their person.
    ByPlace { places: FxHashSet<u64>, _held: Vec<Reservation> },
}

impl Newcomers {
    /// Looks for the first events of everybody, and where `actor` is no person for the rows of `counted` in
    /// `[from, to)` that lie in the same bucket as that of their person. `bucket` finds buckets.
    pub fn find(
        bound: &Bound<'_>,
        actor: &Actor,
        counted: Vec<Selector>,
        (from, to): (Millis, Millis),
        bucket: &(dyn Fn(Millis) -> Option<usize> + Sync),
    ) -> Result<Newcomers, Error> {
        let any = Selector { names: Names::Any, filter: None, nth: None };
        let history = bound.scan(vec![any], Millis::MIN, to, &CountBy::Person);
        let prepared = history.prepare(bound.snapshot, bound.context)?;
        let new = || (FxHashMap::<u32, Millis>::default(), bound.context.budget.reservation());
        let parts = prepared.run(bound.threads, new, |(first, held), batch| {
            for (person, time) in batch.actors.iter().zip(batch.times.iter()).filter(|(p, _)| **p != 0) {
                let known = first.entry(*person).or_insert(*time);
                *known = (*known).min(*time);
            }
            held.grow_to(first.capacity() as u64 * 24)
        })?;
        let mut first: FxHashMap<u32, Millis> = FxHashMap::default();
        let mut held = Vec::new();
        for (part, reservation) in parts {
            held.push(reservation);
            for (person, time) in part {
                let known = first.entry(person).or_insert(time);
                *known = (*known).min(time);
            }
        }
        let first = first.into_iter().filter_map(|(person, time)| Some((person, bucket(time)?)));
        let newcomers = Newcomers::ByPerson { first: first.collect(), _held: held };
        if *actor == Actor::Person {
            return Ok(newcomers);
        }
        // Whose k-th event a row is depends on who is counted, and that is no matter here.
        let counted = counted.into_iter().map(|s| Selector { nth: None, ..s }).collect();
        let mut scan = bound.scan(counted, from, to, &CountBy::Person);
        scan.order = true;
        let prepared = scan.prepare(bound.snapshot, bound.context)?;
        let new = || (FxHashSet::default(), bound.context.budget.reservation());
        let parts = prepared.run(bound.threads, new, |(places, held), batch| {
            let rows = (0..batch.len()).filter(|row| newcomers.counts(&batch, *row, bucket));
            places.extend(rows.map(|row| batch.positions[row]));
            held.grow_to(places.capacity() as u64 * 12)
        })?;
        let (mut places, mut held) = (FxHashSet::default(), Vec::new());
        for (part, reservation) in parts {
            places.extend(part);
            held.push(reservation);
        }
        Ok(Newcomers::ByPlace { places, _held: held })
    }

    /// Clears the masks of rows that do not count.
    pub fn keep(
        &self,
        batch: &mut Batch,
        bucket: &(dyn Fn(Millis) -> Option<usize> + Sync),
    ) -> Result<(), QueryError> {
        for row in 0..batch.len() {
            if !self.counts(batch, row, bucket) {
                batch.masks[row] = 0;
            }
        }
        Ok(())
    }

    fn counts(&self, batch: &Batch, row: usize, bucket: &(dyn Fn(Millis) -> Option<usize> + Sync)) -> bool {
        match self {
            Newcomers::ByPerson { first, .. } => {
                first.get(&batch.actors[row]).is_some_and(|first| Some(*first) == bucket(batch.times[row]))
            }
            Newcomers::ByPlace { places, .. } => places.contains(&batch.positions[row]),
        }
    }
}
