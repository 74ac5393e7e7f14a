//! "The k-th event ever": which rows of the whole history an `nth` selector means.
//!
//! Guarantees: an actor's events are counted in stream order, (time, place in the log), over everything up to the
//! scan's `as_of`, whatever its own span; an event of nobody is never a k-th one. Costs one more pass over the
//! selector's events, and memory for at most k places of each actor.

use super::{Prepared, Scan};
use crate::{Actor, Batch, Interner, QueryError, Reservation, Selector};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use tallymark_model::Millis;

/// Time and place in the log of a row.
type Place = (Millis, Millis, u64);

/// Rows of one selector, by their packed position; none for selectors without `nth`.
pub(super) type Places = Option<FxHashSet<u64>>;

/// What the first pass found, and the memory it holds.
pub(super) struct Found {
    /// Per selector of the scan.
    pub places: Vec<Places>,
    _held: Reservation,
}

/// The smallest places of every actor, per selector.
struct Part {
    first: Vec<FxHashMap<u32, BinaryHeap<Place>>>,
    held: Reservation,
}

/// Runs the first pass; `None` if no selector asks for it.
pub(super) fn find(prepared: &Prepared<'_>, threads: usize) -> Result<Option<Found>, QueryError> {
    let scan = prepared.scan;
    let asking: Vec<(usize, &Selector, usize)> = scan
        .selectors
        .iter()
        .enumerate()
        .filter_map(|(i, s)| s.nth.as_ref().map(|nth| (i, s, nth.k as usize)))
        .collect();
    if asking.is_empty() {
        return Ok(None);
    }
    let history = Scan {
        selectors: asking.iter().map(|(_, s, _)| s.counted()).collect(),
        from: Millis::MIN,
        to: scan.as_of.saturating_add(1),
        columns: scan.actor_text.iter().cloned().collect(),
        order: true,
        actor: scan.actor.clone(),
        actor_text: scan.actor_text.clone(),
        empty_is_value: scan.empty_is_value,
        folding: scan.folding,
        as_of: scan.as_of,
        ..Scan::default()
    };
    let context = prepared.context;
    context.reads.to_as_of();
    let texts = Interner::new(context.budget.reservation());
    let first = history.prepare(prepared.snapshot, context)?;
    let new = || Part { first: vec![FxHashMap::default(); asking.len()], held: context.budget.reservation() };
    let parts = first.run(threads, new, |part, batch| {
        let named = actors(&batch, &texts, scan)?;
        let actors = named.as_deref().unwrap_or(&batch.actors);
        for (row, mask) in batch.masks.iter().enumerate().filter(|(row, _)| actors[*row] != 0) {
            let place = (batch.times[row], batch.received[row], batch.positions[row]);
            for (bit, (_, _, k)) in asking.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0) {
                part.add(bit, actors[row], place, *k)?;
            }
        }
        Ok(())
    })?;
    let mut held = context.budget.reservation();
    let mut places: Vec<Places> = scan.selectors.iter().map(|_| None).collect();
    for (bit, (selector, _, k)) in asking.iter().enumerate() {
        places[*selector] = Some(chosen(&parts, bit, *k, &mut held)?);
    }
    Ok(Some(Found { places, _held: held }))
}

impl Part {
    /// Keeps the `k` smallest places of an actor.
    fn add(&mut self, bit: usize, actor: u32, place: Place, k: usize) -> Result<(), QueryError> {
        let held = &mut self.held;
        let kept = self.first[bit].entry(actor).or_insert_with(|| BinaryHeap::with_capacity(1));
        if kept.len() < k {
            // With the room that growing by doubling leaves, and the slot of the map.
            held.grow(if kept.is_empty() { 72 } else { 48 })?;
            kept.push(place);
        } else if let Some(mut last) = kept.peek_mut()
            && place.cmp(&last) == Ordering::Less
        {
            *last = place;
        }
        Ok(())
    }
}

/// The k-th place of every actor that has so many.
fn chosen(
    parts: &[Part],
    bit: usize,
    k: usize,
    held: &mut Reservation,
) -> Result<FxHashSet<u64>, QueryError> {
    let mut places = FxHashSet::default();
    let mut all: Vec<Place> = Vec::new();
    for (nth, part) in parts.iter().enumerate() {
        for actor in part.first[bit].keys() {
            // An actor that several threads met is done with the first of them.
            if parts[..nth].iter().any(|p| p.first[bit].contains_key(actor)) {
                continue;
            }
            all.clear();
            all.extend(parts[nth..].iter().filter_map(|p| p.first[bit].get(actor)).flatten());
            if all.len() >= k {
                let (_, kth, _) = all.select_nth_unstable(k - 1);
                held.grow(16)?;
                places.insert(kth.2);
            }
        }
    }
    Ok(places)
}

/// Actors that go by the canonical text of a value; `None` if the batch has them.
fn actors(batch: &Batch, texts: &Interner, scan: &Scan) -> Result<Option<Vec<u32>>, QueryError> {
    if scan.actor_text.is_none() {
        return Ok(None);
    }
    debug_assert_eq!(scan.actor, Actor::Person);
    let mut failure = None;
    let mut found = vec![0u32; batch.len()];
    batch.columns[0].each(
        |value| match value.with_text(|text| texts.number(text)) {
            None => 0,
            Some(Ok(number)) => number,
            Some(Err(error)) => {
                failure = Some(error);
                0
            }
        },
        |row, number| found[row] = number,
    );
    failure.map_or(Ok(Some(found)), Err)
}
