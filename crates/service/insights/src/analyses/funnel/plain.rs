//! Funnels in `this_order` without further options: each actor's best attempt, counted and timed.

use super::tally::Tally;
use super::{label_value, other, row};
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Marked, Placed, Plain as Unplaced, Record, Scattered, by_actor, scatter};
use crate::analyses::groups::Groups;
use crate::analyses::sets::Sets;
use crate::operators::attempt::{Hit, Rules, Workspace, choose};
use crate::plan::Bound;
use crate::query::{BreakdownSpec, FunnelQuery, NamesSpec, SegmentScope};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use std::collections::hash_map::Entry;
use tallymark_model::Millis;
use tallymark_query::{Reservation, Scan};

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
    workspace: Workspace,
    hits: Vec<Hit>,
    by_set: FxHashMap<u32, Tally>,
    held: Reservation,
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
        let parts = match (self.scan.order, self.query.breakdown.is_empty()) {
            (true, _) => self.attempts::<Placed>(&self.scan, &sets)?,
            (false, true) => self.attempts::<Unplaced>(&self.scan, &sets)?,
            (false, false) => {
                let parts = self.attempts::<Marked>(&self.scan, &sets)?;
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
        let collect = |scattered: &mut Scattered<R>, batch: &tallymark_query::Batch| {
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
                    scattered.push(R::of(batch, row, actors[row], mask, set));
                }
            }
            Ok(())
        };
        let scattered = scatter(&prepared, context, self.bound.threads, collect)?;
        let new = || Part {
            workspace: Workspace::default(),
            hits: Vec::new(),
            by_set: FxHashMap::default(),
            held: context.budget.reservation(),
            tied: false,
        };
        let fold = |part: &mut Part, events: &[R]| {
            part.tied = part.tied || R::tied(events);
            part.hits.clear();
            part.hits.extend(events.iter().map(R::hit));
            if let Some(attempt) = choose(&part.hits, &rules, &mut part.workspace, &context.cancel)? {
                let set = events[attempt.entry].set();
                let summary = match part.by_set.entry(set) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        part.held.grow(Tally::bytes(self.query, 0))?;
                        free.insert(self.empty())
                    }
                };
                let bytes = summary.add_plain(&attempt);
                part.held.grow(bytes)?;
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

/// What a funnel needs of a record.
trait FunnelRecord: Record {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, set: u32) -> Self;
    fn hit(&self) -> Hit;
    fn set(&self) -> u32;
    /// True if these events of an actor, sorted, are in an order that is not known but matters.
    fn tied(_events: &[Self]) -> bool {
        false
    }
}

impl FunnelRecord for Marked {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, set: u32) -> Marked {
        Marked { actor, mask, time: batch.times[row], set }
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time, mask: self.mask }
    }
    fn set(&self) -> u32 {
        self.set
    }
    fn tied(events: &[Marked]) -> bool {
        let mut last: Option<&Marked> = None;
        events.iter().filter(|e| e.mask & 1 != 0).any(|entry| {
            let before = last.replace(entry);
            before.is_some_and(|before| before.time == entry.time && before.set != entry.set)
        })
    }
}

impl FunnelRecord for Unplaced {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, _: u32) -> Unplaced {
        Unplaced { actor, mask, time: batch.times[row] }
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time, mask: self.mask }
    }
    fn set(&self) -> u32 {
        0
    }
}

impl FunnelRecord for Placed {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, set: u32) -> Placed {
        Placed::new(batch, row, actor, mask, set)
    }
    fn hit(&self) -> Hit {
        Hit { time: self.time, mask: self.mask }
    }
    fn set(&self) -> u32 {
        self.set
    }
}
