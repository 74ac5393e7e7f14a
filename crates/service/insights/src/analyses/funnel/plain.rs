//! Funnels in `this_order` without further options: each actor's best attempt, counted and timed.

use super::tally::Tally;
use super::{label_value, other, row};
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Scattered, by_actor, scatter};
use crate::analyses::groups::Groups;
use crate::analyses::records::{Brief, Placed, Record, Timed};
use crate::analyses::sets::Sets;
use crate::operators::attempt::{Attempt, Hit, Rules, Workspace, choose, choose_apart, choose_deepest};
use crate::plan::Bound;
use crate::query::{BreakdownSpec, FunnelQuery, NamesSpec, SegmentScope};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use std::collections::hash_map::Entry;
use tallymark_model::Millis;
use tallymark_query::{Batch, Cancel, QueryError, Reservation, Scan};

/// Memory is counted in steps of this, because actors are many and what each adds is little.
const COUNTED_BYTES: u64 = 64 << 10;

/// What a query becomes when it meets a snapshot.
pub(super) struct Plain<'a> {
    query: &'a FunnelQuery,
    bound: &'a Bound<'a>,
    pub scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
}

/// One thread's attempts, by set of groups.
struct Part {
    space: Space,
    by_set: FxHashMap<u32, Tally>,
    held: Reservation,
    /// Bytes that `held` does not count yet.
    more: u64,
    /// Some actor's label depends on the order in the log.
    tied: bool,
}

impl<'a> Plain<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a FunnelQuery, bound: &'a Bound<'a>) -> Plain<'a> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let segment = query.common.segment.as_ref();
        // The segment holds for step 1 only, unless asked for otherwise.
        let everywhere = query.common.segment_scope == SegmentScope::All;
        let selectors = query
            .steps
            .iter()
            .enumerate()
            .map(|(i, s)| bound.selector(&s.selector, segment.filter(|_| i == 0 || everywhere)));
        let early = query.tolerance * (query.steps.len() as Millis - 1);
        let (from, to) = match query.confine {
            true => bound.range,
            false => (bound.range.0 - early, bound.range.1.saturating_add(query.window)),
        };
        let mut scan = bound.scan(selectors.collect(), from, to, &query.common.count_by);
        let dimensions: &'a [BreakdownSpec] = &query.breakdown;
        let groups = Groups::new(dimensions, scan.columns.len(), bound.context);
        scan.columns.extend(dimensions.iter().map(|d| d.property.clone()));
        scan.order = overlapping(query);
        Plain { query, bound, scan, actors, groups }
    }

    pub fn answer(&self) -> Result<Map<String, Value>, Error> {
        let sets = Sets::new(self.bound.context.budget.reservation());
        let mut by_set: FxHashMap<u32, Tally> = FxHashMap::default();
        let brief = self.scan.to.saturating_sub(self.scan.from) <= Brief::<()>::SPAN;
        let parts = match (self.scan.order, self.query.breakdown.is_empty()) {
            (true, _) => self.attempts::<Placed>(&self.scan, &sets)?,
            (false, true) if brief => self.attempts::<Brief<()>>(&self.scan, &sets)?,
            (false, true) => self.attempts::<Timed<()>>(&self.scan, &sets)?,
            (false, false) => {
                let parts = match brief {
                    true => self.attempts::<Brief<u32>>(&self.scan, &sets)?,
                    false => self.attempts::<Timed<u32>>(&self.scan, &sets)?,
                };
                // Somebody entered twice in one millisecond with different labels: only then does the order in the
                // log matter, which makes records half as large again.
                match parts.iter().any(|part| part.tied) {
                    true => {
                        let ordered = Scan { order: true, ..self.scan.clone() };
                        self.attempts::<Placed>(&ordered, &sets)?
                    }
                    false => parts,
                }
            }
        };
        for (set, summary) in parts.into_iter().flat_map(|p| p.by_set) {
            by_set.entry(set).or_insert_with(|| self.empty()).merge(&summary);
        }
        let mut answer = Map::new();
        if self.query.breakdown.is_empty() {
            let mut all = self.empty();
            by_set.values().for_each(|s| all.merge(s));
            all.write(self.query, &mut answer);
            return Ok(answer);
        }
        answer.insert("groups".to_owned(), Value::Array(self.grouped(&by_set, &sets.list())));
        Ok(answer)
    }

    fn attempts<R: FunnelRecord>(&self, scan: &Scan, sets: &Sets) -> Result<Vec<Part>, Error> {
        let rules = Rules {
            steps: self.query.steps.len(),
            window: self.query.window,
            tolerance: self.query.tolerance,
            strict: self.query.strict,
            choice: self.query.choice,
        };
        let (from, to) = self.bound.range;
        let context = self.bound.context;
        let prepared = scan.prepare(self.bound.snapshot, context)?;
        let collect = |scattered: &mut Scattered<R>, batch: &Batch| {
            let actors = self.actors.of(batch)?;
            let groups = match self.query.breakdown.is_empty() {
                false => Some(self.groups.of_batch(batch)?),
                true => None,
            };
            let numbers = match &groups {
                Some(groups) => groups.numbered(sets)?,
                None => Vec::new(),
            };
            for row in 0..batch.len() {
                let time = batch.times[row];
                let entry = from <= time && time < to;
                let mask = if entry { batch.masks[row] } else { batch.masks[row] & !1 };
                if mask != 0 {
                    let set = groups.as_ref().map_or(0, |g| numbers[g.set_of(row)]);
                    scattered.push_of(actors[row], R::of(batch, row, scan.from, mask, set));
                }
            }
            Ok(())
        };
        let scattered = scatter(&prepared, context, self.bound.threads, collect)?;
        let new = || Part {
            space: Space::default(),
            by_set: FxHashMap::default(),
            held: context.budget.reservation(),
            more: 0,
            tied: false,
        };
        let fold = |part: &mut Part, events: &[R]| {
            part.tied = part.tied || R::tied(events);
            if let Some(attempt) = R::attempt(events, &rules, &mut part.space, &context.cancel)? {
                let set = events[attempt.entry].label();
                let summary = match part.by_set.entry(set) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        part.more += Tally::bytes(self.query, 0);
                        free.insert(self.empty())
                    }
                };
                part.more += summary.add_plain(&attempt);
                if part.more >= COUNTED_BYTES {
                    part.held.grow(std::mem::take(&mut part.more))?;
                }
            }
            Ok(())
        };
        Ok(by_actor(scattered, context, self.bound.threads, new, fold)?)
    }

    /// Rows by group: ranked by entries, the rest pooled.
    fn grouped(&self, by_set: &FxHashMap<u32, Tally>, sets: &[Vec<u32>]) -> Vec<Value> {
        let labels = self.groups.labels();
        let mut by_group: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for set in by_set.keys() {
            for group in &sets[*set as usize] {
                by_group.entry(*group).or_default().push(*set);
            }
        }
        let sum = |sets: &mut dyn Iterator<Item = u32>| {
            let mut all = self.empty();
            sets.for_each(|set| all.merge(&by_set[&set]));
            all
        };
        let mut ranked: Vec<(u32, Tally)> =
            by_group.iter().map(|(group, sets)| (*group, sum(&mut sets.iter().copied()))).collect();
        let label = |group: &u32| labels.get(group);
        let value = |group: &u32| label(group).map_or(Value::Null, |texts| label_value(texts));
        ranked.sort_by(|a, b| b.1.counts[0].cmp(&a.1.counts[0]).then_with(|| label(&a.0).cmp(&label(&b.0))));
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        let mut rows: Vec<Value> =
            ranked.into_iter().map(|(group, tally)| row(self.query, value(&group), tally)).collect();
        if !rest.is_empty() && self.query.other {
            // An actor that is in several groups of the rest counts once.
            let of_rest: FxHashSet<u32> =
                rest.iter().flat_map(|(group, _)| by_group[group].iter().copied()).collect();
            rows.push(row(self.query, other(), sum(&mut of_rest.into_iter())));
        }
        rows
    }

    fn empty(&self) -> Tally {
        Tally::empty(self.query, 0)
    }
}

/// True if one event may match two steps; then ties depend on the order of the log.
fn overlapping(query: &FunnelQuery) -> bool {
    let disjoint = |a: &NamesSpec, b: &NamesSpec| match (a, b) {
        (NamesSpec::Of(a), NamesSpec::Of(b)) => a.is_disjoint(b),
        _ => false,
    };
    let pairs = (0..query.steps.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.into_iter().any(|(i, j)| !disjoint(&query.steps[i].selector.names, &query.steps[j].selector.names))
}

/// Buffers reused from actor to actor.
#[derive(Default)]
struct Space {
    attempts: Workspace,
    hits: Vec<Hit>,
}

/// What a funnel needs of a record.
trait FunnelRecord: Record {
    /// A row that matches the steps of `mask`; whose, is said later.
    fn of(batch: &Batch, row: usize, begin: Millis, mask: u32, set: u32) -> Self;
    /// When, and which steps it matches.
    fn hit(&self) -> Hit;
    /// Number of its set of groups.
    fn label(&self) -> u32;
    /// The attempt that counts, of an actor's events in their order.
    fn attempt(
        events: &[Self],
        rules: &Rules,
        space: &mut Space,
        cancel: &Cancel,
    ) -> Result<Option<Attempt>, QueryError> {
        space.hits.clear();
        space.hits.extend(events.iter().map(Self::hit));
        choose(&space.hits, rules, &mut space.attempts, cancel)
    }
    /// True if these events of an actor, sorted, are in an order that is not known but matters.
    fn tied(events: &[Self]) -> bool {
        let mut last: Option<(Millis, u32)> = None;
        events.iter().filter(|e| e.opens()).any(|entry| {
            let now = (entry.hit().time, entry.label());
            last.replace(now).is_some_and(|before| before.0 == now.0 && before.1 != now.1)
        })
    }
}

/// What is kept of the number of a set of groups.
trait Label: Copy + Send + Sync {
    fn of(set: u32) -> Self;
    fn number(self) -> u32;
}

impl Label for () {
    fn of(_: u32) {}
    fn number(self) -> u32 {
        0
    }
}

impl Label for u32 {
    fn of(set: u32) -> u32 {
        set
    }
    fn number(self) -> u32 {
        self
    }
}

impl<S: Label> FunnelRecord for Brief<S> {
    #[inline]
    fn of(batch: &Batch, row: usize, begin: Millis, mask: u32, set: u32) -> Brief<S> {
        Brief::new(batch.times[row] - begin, mask.trailing_zeros(), S::of(set))
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time(), mask: 1 << self.bit() }
    }
    fn label(&self) -> u32 {
        self.set.number()
    }
    fn attempt(
        events: &[Brief<S>],
        rules: &Rules,
        space: &mut Space,
        _: &Cancel,
    ) -> Result<Option<Attempt>, QueryError> {
        let hits = events.iter().map(|e| (e.time(), e.bit()));
        Ok(match rules.is_plain() {
            true => choose_deepest(hits, rules),
            false => choose_apart(hits, rules, &mut space.attempts),
        })
    }
}

impl<S: Label> FunnelRecord for Timed<S> {
    fn of(batch: &Batch, row: usize, _: Millis, mask: u32, set: u32) -> Timed<S> {
        Timed { actor: 0, mask, time: batch.times[row], set: S::of(set) }
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time, mask: self.mask }
    }
    fn label(&self) -> u32 {
        self.set.number()
    }
}

impl FunnelRecord for Placed {
    fn of(batch: &Batch, row: usize, _: Millis, mask: u32, set: u32) -> Placed {
        Placed::new(batch, row, 0, mask, set)
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time, mask: self.mask }
    }
    fn label(&self) -> u32 {
        self.set
    }
    fn tied(_: &[Placed]) -> bool {
        false
    }
}
