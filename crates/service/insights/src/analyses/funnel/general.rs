//! Funnels with any option: scan, units, attempts, groups.

use super::attributed::Tested;
use super::marks::{Key, Marks, Resolved};
use super::tally::{Tally, required};
use super::units::{Found, REST, Unitary, Wide, Work};
use super::{label_value, other, row};
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Scattered, by_actor, scatter};
use crate::operators::attempt::Choice;
use crate::operators::attempts::{Exclusion, Order, Rules};
use crate::plan::Bound;
use crate::query::{FunnelOrder, FunnelQuery, NamesSpec, SegmentScope, SelectorSpec};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, Prepared, QueryError, Reservation, Scan};

/// Bytes that an event needs while its actor is looked at.
const EVENT_BYTES: u64 = 96;

/// A funnel bound to a snapshot.
pub(super) struct General<'a> {
    pub query: &'a FunnelQuery,
    pub bound: &'a Bound<'a>,
    pub scan: Scan,
    pub actors: Actors,
    marks: Marks<'a>,
    /// The segment, if attempts must pass it.
    tested: Option<Tested<'a>>,
    /// Where the property that is summed between steps is in a batch.
    summed: Option<usize>,
    pub shared: Unitary<'a>,
    /// Bit of what is looked for between steps.
    between: u32,
}

/// One thread's groups.
struct Part {
    held: Reservation,
    by_key: FxHashMap<Key, Tally>,
}

impl<'a> General<'a> {
    pub fn new(query: &'a FunnelQuery, bound: &'a Bound<'a>) -> Result<General<'a>, Error> {
        let steps = query.steps.len();
        let segment = query.common.segment.as_ref();
        let here = |i: usize| match query.common.segment_scope {
            SegmentScope::First => i == 0,
            SegmentScope::All => true,
            SegmentScope::Attempt => false,
        };
        let of_step = |i: usize| bound.selector(&query.steps[i].selector, segment.filter(|_| here(i)));
        let mut selectors: Vec<_> = (0..steps).map(of_step).collect();
        selectors.extend(query.exclusions.iter().map(|e| bound.selector(&e.selector, None)));
        let active = selectors.len() as u32;
        if query.order == FunnelOrder::Exact {
            let names = NamesSpec::Active;
            selectors.push(bound.selector(&SelectorSpec { names, filter: None, nth: None }, None));
        }
        let between = selectors.len() as u32;
        selectors.extend(query.between.iter().map(|b| bound.selector(&b.selector, None)));
        let early = query.tolerance * (steps as Millis - 1);
        let to = bound.range.1.saturating_add(query.window);
        let mut scan = bound.scan(selectors, bound.range.0 - early, to, &query.common.count_by);
        scan.order = true;
        let tested = Tested::new(query, bound)?;
        let of_segment = tested.as_ref().map_or(&[][..], |t| &t.properties);
        let marks = Marks::new(&query.breakdown, &query.hold, of_segment, &mut scan.columns, bound.context);
        let property = query.between.as_ref().and_then(|b| b.property.clone());
        let summed = property.as_ref().map(|_| scan.columns.len());
        scan.columns.extend(property);
        let buckets = match query.over_time {
            Some(over_time) => Some(bound.buckets(Some(over_time.interval))?),
            None => None,
        };
        let shared = Unitary {
            rules: rules(query, active),
            at: &query.at,
            totals: query.totals,
            held: !query.hold.is_empty(),
            hold_actor: query.hold_actor,
            buckets,
        };
        let actors = Actors::new(&query.common.count_by, bound.context);
        Ok(General { query, bound, scan, actors, marks, tested, summed, shared, between })
    }

    pub fn answer(&self) -> Result<Map<String, Value>, Error> {
        let (mut by_key, resolved) = self.tally(None)?;
        let mut answer = Map::new();
        if self.query.breakdown.is_empty() {
            by_key.remove(&Key::new()).unwrap_or_else(|| self.empty()).write(self.query, &mut answer);
        } else {
            let (ranked, rest) = self.ranked(by_key, &resolved);
            let mut rows: Vec<Value> = ranked
                .into_iter()
                .map(|(key, tally)| row(self.query, label_value(&resolved.label(&key)), tally))
                .collect();
            if !rest.is_empty() && self.query.other {
                let pooled = self.tally(Some(&rest))?.0.remove(REST.as_slice());
                rows.push(row(self.query, other(), pooled.unwrap_or_else(|| self.empty())));
            }
            answer.insert("groups".to_owned(), Value::Array(rows));
        }
        if let (Some(over_time), Some(buckets)) = (self.query.over_time, &self.shared.buckets) {
            self.write_buckets(
                buckets,
                buckets.labels(&self.bound.calendar, over_time.interval)?,
                &mut answer,
            );
        }
        Ok(answer)
    }

    fn write_buckets(&self, buckets: &Buckets, labels: Vec<String>, answer: &mut Map<String, Value>) {
        let all = || 0..buckets.len();
        let open = |i| self.bound.open(buckets.end(i).saturating_add(self.query.window));
        let incomplete = |i| self.bound.lacking(buckets.start(i), buckets.end(i));
        answer.insert("buckets".to_owned(), labels.into());
        answer.insert("open".to_owned(), all().map(open).collect());
        answer.insert("incomplete".to_owned(), all().map(incomplete).collect());
    }

    /// Groups in ranking order up to the limit, and the rest.
    pub fn ranked(
        &self,
        by_key: FxHashMap<Key, Tally>,
        resolved: &Resolved,
    ) -> (Vec<(Key, Tally)>, FxHashSet<Key>) {
        let mut ranked: Vec<(Vec<String>, Key, Tally)> =
            by_key.into_iter().map(|(key, tally)| (resolved.label(&key), key, tally)).collect();
        ranked.sort_by(|a, b| b.2.rank().cmp(&a.2.rank()).then_with(|| a.0.cmp(&b.0)));
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        let rest = rest.into_iter().map(|(_, key, _)| key).collect();
        (ranked.into_iter().map(|(_, key, tally)| (key, tally)).collect(), rest)
    }

    /// Tallies by group; with `rest`, only those groups, pooled.
    pub fn tally(&self, rest: Option<&FxHashSet<Key>>) -> Result<(FxHashMap<Key, Tally>, Resolved), Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let new = || Part { held: self.bound.context.budget.reservation(), by_key: FxHashMap::default() };
        let (parts, resolved) =
            self.run(&prepared, rest, new, |part, key, found| self.add(part, key, found))?;
        let mut by_key: FxHashMap<Key, Tally> = FxHashMap::default();
        for (key, tally) in parts.into_iter().flat_map(|p| p.by_key) {
            by_key.entry(key).or_insert_with(|| self.empty()).merge(&tally);
        }
        Ok((by_key, resolved))
    }

    /// Gives everything that counts to `take`.
    pub fn run<S: Send>(
        &self,
        prepared: &Prepared<'_>,
        rest: Option<&FxHashSet<Key>>,
        new: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &[u32], &Found<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<(Vec<S>, Resolved), Error> {
        let (context, threads) = (self.bound.context, self.bound.threads);
        let scattered = scatter(prepared, context, threads, |into, batch| self.collect(into, batch))?;
        let resolved = self.marks.resolve();
        let fold = |(work, state): &mut (Work, S), events: &[Wide]| {
            let _held = context.budget.reserve(events.len() as u64 * EVENT_BYTES)?;
            let mut emit = |key: &[u32], found: &Found<'_>| match &self.tested {
                Some(tested) if !tested.passes(found, &resolved)? => Ok(()),
                _ => take(state, key, found),
            };
            self.shared.actor(work, events, &resolved, rest, &context.cancel, &mut emit)
        };
        let parts = by_actor(scattered, context, threads, || (Work::default(), new()), fold)?;
        Ok((parts.into_iter().map(|(_, state)| state).collect(), resolved))
    }

    fn collect(&self, into: &mut Scattered<Wide>, batch: &Batch) -> Result<(), QueryError> {
        let actors = self.actors.of(batch)?;
        let marks = self.marks.of_batch(batch)?;
        let mut numbers = vec![f64::NAN; if self.summed.is_some() { batch.len() } else { 0 }];
        if let Some(column) = self.summed {
            batch.columns[column].each(|v| v.number().unwrap_or(f64::NAN), |row, n| numbers[row] = n);
        }
        let (from, to) = self.bound.range;
        let step_bits = self.shared.rules.step_bits();
        for row in 0..batch.len() {
            let time = batch.times[row];
            let inside = from <= time && time < to;
            let dropped = if self.query.confine && !inside { step_bits } else { 0 };
            let mask = batch.masks[row] & !dropped;
            if mask != 0 {
                into.push(Wide {
                    actor: actors[row],
                    who: actors[row],
                    mask,
                    mark: marks[row],
                    time,
                    received: batch.received[row],
                    position: batch.positions[row],
                    number: numbers.get(row).copied().unwrap_or(f64::NAN),
                    entry: inside && mask & self.shared.rules.entry_bits() != 0,
                });
            }
        }
        Ok(())
    }

    fn add(&self, part: &mut Part, key: &[u32], found: &Found<'_>) -> Result<(), QueryError> {
        if !part.by_key.contains_key(key) {
            part.held.grow(Tally::bytes(self.query, self.bucket_count()) + 4 * key.len() as u64)?;
            part.by_key.insert(key.to_vec(), self.empty());
        }
        let Some(tally) = part.by_key.get_mut(key) else { return Ok(()) };
        if let Some(over_time) = self.query.over_time {
            let reached = |k: usize| found.attempt.step(k).is_some();
            tally.add_over_time(found.bucket, reached(over_time.from_step), reached(over_time.to_step));
            return Ok(());
        }
        let mut bytes = tally.add(&found.attempt, |e| found.events[e].time);
        if self.query.between.is_some() {
            let before: usize = tally.between.iter().map(|b| b.converted.len() + b.dropped.len()).sum();
            self.add_between(tally, found);
            let after: usize = tally.between.iter().map(|b| b.converted.len() + b.dropped.len()).sum();
            bytes += 64 * (after - before) as u64;
        }
        part.held.grow(bytes)
    }

    /// Events between each two required steps, or after the last one reached until the window closes.
    fn add_between(&self, tally: &mut Tally, found: &Found<'_>) {
        let Found { attempt, events, members, .. } = found;
        let required = &self.shared.rules.required;
        for (pair, between) in required.windows(2).zip(&mut tally.between) {
            let Some(from) = attempt.step(pair[0]) else { continue };
            let to = attempt.step(pair[1]);
            let closes = events[attempt.entry as usize].time + self.query.window;
            let until = to.map_or(closes, |to| events[to].time - 1);
            let begin = members.partition_point(|m| events[*m as usize].time <= events[from].time);
            let end = members.partition_point(|m| events[*m as usize].time <= until).max(begin);
            let meant =
                |m: &&u32| events[**m as usize].mask & (1 << self.between) != 0 && !attempt.steps.contains(m);
            let numbers = members[begin..end].iter().filter(meant).map(|m| events[*m as usize].number);
            if to.is_some() { &mut between.converted } else { &mut between.dropped }.add(numbers);
        }
    }

    fn bucket_count(&self) -> usize {
        self.shared.buckets.as_ref().map_or(0, Buckets::len)
    }

    pub fn empty(&self) -> Tally {
        Tally::empty(self.query, self.bucket_count())
    }
}

/// The rules of attempts; `active` is the bit of active events.
fn rules(query: &FunnelQuery, active: u32) -> Rules {
    let required = required(query);
    let place = |step: usize| required.partition_point(|k| *k < step);
    let exclusion = |(i, e): (usize, &crate::query::ExclusionSpec)| Exclusion {
        bit: (query.steps.len() + i) as u32,
        from: place(e.from),
        to: place(e.to),
    };
    let mut blocks: Vec<u32> = Vec::new();
    for (k, step) in query.steps.iter().enumerate() {
        if k == 0 || step.anchor || query.steps[k - 1].anchor {
            blocks.push(0);
        }
        let last = blocks.len() - 1;
        blocks[last] |= 1 << k;
    }
    Rules {
        order: match query.order {
            FunnelOrder::This => Order::This,
            FunnelOrder::Exact => Order::Exact,
            FunnelOrder::Any => Order::Any,
        },
        steps: query.steps.len(),
        window: query.window,
        within: query.steps.iter().map(|s| s.within).collect(),
        tolerance: query.tolerance,
        strict: query.strict,
        exclusions: query.exclusions.iter().enumerate().map(exclusion).collect(),
        required,
        blocks,
        first_listed: query.first_listed,
        allow_repeats: query.allow_repeats,
        remove: query.remove,
        active,
        choice: match query.choice {
            // Over time it is enough that some entry of the bucket gets there.
            Choice::FirstEntry if query.over_time.is_some() => Choice::Best,
            choice => choice,
        },
    }
}
