//! Funnels in `this_order` (chapter 3): each actor's best attempt, counted and timed.

use super::Analysis;
use super::actors::Actors;
use super::gather::{Placed, Plain, Record, by_actor, scatter};
use super::groups::{Groups, OTHER};
use super::segmentation::breakdown_value;
use super::sets::Sets;
use crate::Error;
use crate::operators::attempt::{Attempt, Hit, Rules, Workspace, choose};
use crate::operators::cell::percentile;
use crate::plan::Bound;
use crate::query::{BreakdownSpec, FunnelQuery, NamesSpec};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};
use std::collections::hash_map::Entry;
use tallymark_model::Millis;
use tallymark_query::{Buckets, Reservation, Scan, json_number};

/// One time of a step, with a vector's spare room and the copy that is sorted.
const TIME_BYTES: u64 = 24;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Funnel<'a> {
    query: &'a FunnelQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
}

/// Counted and timed attempts.
#[derive(Debug, Clone, Default)]
struct Summary {
    counts: Vec<u64>,
    /// Per step from the second: ms since the step before.
    times: Vec<Vec<Millis>>,
    /// Of completed attempts: ms from the first step to the last.
    totals: Vec<Millis>,
}

/// One thread's attempts, by set of groups.
struct Part {
    workspace: Workspace,
    hits: Vec<Hit>,
    by_set: FxHashMap<u32, Summary>,
    held: Reservation,
}

impl Analysis for Funnel<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        self.answer()
    }
}

impl<'a> Funnel<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a FunnelQuery, bound: &'a Bound<'a>) -> Funnel<'a> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let segment = query.common.segment.as_ref();
        // The segment holds for step 1 only.
        let selectors =
            query.steps.iter().enumerate().map(|(i, s)| bound.selector(s, segment.filter(|_| i == 0)));
        let early = query.tolerance * (query.steps.len() as Millis - 1);
        let (from, to) = match query.confine {
            true => bound.range,
            false => (bound.range.0 - early, bound.range.1.saturating_add(query.window)),
        };
        let mut scan = bound.scan(selectors.collect(), from, to, &query.common.count_by);
        let dimensions: &[BreakdownSpec] = query.breakdown.as_slice();
        let groups = Groups::new(dimensions, scan.columns.len(), bound.context);
        scan.columns.extend(dimensions.iter().map(|d| d.property.clone()));
        scan.order = !dimensions.is_empty() || overlapping(query);
        Funnel { query, bound, scan, actors, groups }
    }

    fn answer(&self) -> Result<Map<String, Value>, Error> {
        let sets = Sets::new(self.bound.context.budget.reservation());
        let mut by_set: FxHashMap<u32, Summary> = FxHashMap::default();
        let parts =
            if self.scan.order { self.attempts::<Placed>(&sets)? } else { self.attempts::<Plain>(&sets)? };
        for (set, summary) in parts.into_iter().flat_map(|p| p.by_set) {
            by_set.entry(set).or_insert_with(|| self.empty()).merge(&summary);
        }
        let mut answer = Map::new();
        if self.query.breakdown.is_none() {
            let mut all = self.empty();
            by_set.values().for_each(|s| all.merge(s));
            all.write(&mut answer);
            return Ok(answer);
        }
        answer.insert("groups".to_owned(), Value::Array(self.grouped(&by_set, &sets.list())));
        Ok(answer)
    }

    fn attempts<R: FunnelRecord>(&self, sets: &Sets) -> Result<Vec<Part>, Error> {
        let rules = Rules {
            steps: self.query.steps.len(),
            window: self.query.window,
            tolerance: self.query.tolerance,
            strict: self.query.strict,
            choice: self.query.choice,
        };
        let (from, to) = self.bound.range;
        let context = self.bound.context;
        let prepared = self.scan.prepare(self.bound.snapshot, context)?;
        let collect = |scattered: &mut super::gather::Scattered<R>, batch: &tallymark_query::Batch| {
            let actors = self.actors.of(batch)?;
            let groups = match self.query.breakdown {
                Some(_) => Some(self.groups.of_batch(batch)?),
                None => None,
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
        };
        let fold = |part: &mut Part, events: &[R]| {
            part.hits.clear();
            part.hits.extend(events.iter().map(R::hit));
            if let Some(attempt) = choose(&part.hits, &rules, &mut part.workspace, &context.cancel)? {
                let set = events[attempt.entry].set();
                let summary = match part.by_set.entry(set) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        part.held.grow(256 + 32 * rules.steps as u64)?;
                        free.insert(self.empty())
                    }
                };
                part.held.grow(TIME_BYTES * attempt.depth as u64)?;
                summary.add(&attempt);
            }
            Ok(())
        };
        Ok(by_actor(scattered, context, self.bound.threads, new, fold)?)
    }

    /// Rows by group: ranked by entries, the rest pooled.
    fn grouped(&self, by_set: &FxHashMap<u32, Summary>, sets: &[Vec<u32>]) -> Vec<Value> {
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
        let mut ranked: Vec<(u32, Summary)> =
            by_group.iter().map(|(group, sets)| (*group, sum(&mut sets.iter().copied()))).collect();
        let label = |group: &u32| labels.get(group);
        ranked.sort_by(|a, b| b.1.counts[0].cmp(&a.1.counts[0]).then_with(|| label(&a.0).cmp(&label(&b.0))));
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        let mut rows: Vec<Value> =
            ranked.into_iter().map(|(group, summary)| summary.row(breakdown_value(label(&group)))).collect();
        if !rest.is_empty() && self.query.other {
            // An actor that is in several groups of the rest counts once.
            let of_rest: FxHashSet<u32> =
                rest.iter().flat_map(|(group, _)| by_group[group].iter().copied()).collect();
            rows.push(sum(&mut of_rest.into_iter()).row(json!(OTHER)));
        }
        rows
    }

    fn empty(&self) -> Summary {
        let steps = self.query.steps.len();
        Summary { counts: vec![0; steps], times: vec![Vec::new(); steps - 1], totals: Vec::new() }
    }
}

/// True if one event may match two steps; then ties depend on the order of the log.
fn overlapping(query: &FunnelQuery) -> bool {
    let disjoint = |a: &NamesSpec, b: &NamesSpec| match (a, b) {
        (NamesSpec::Of(a), NamesSpec::Of(b)) => a.is_disjoint(b),
        _ => false,
    };
    let pairs = (0..query.steps.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.into_iter().any(|(i, j)| !disjoint(&query.steps[i].names, &query.steps[j].names))
}

impl Summary {
    fn add(&mut self, attempt: &Attempt) {
        let steps = self.counts.len();
        self.counts[..attempt.depth].iter_mut().for_each(|c| *c += 1);
        for step in 1..attempt.depth {
            self.times[step - 1].push((attempt.times[step] - attempt.times[step - 1]).max(0));
        }
        if attempt.depth == steps {
            self.totals.push((attempt.times[steps - 1] - attempt.times[0]).max(0));
        }
    }

    fn merge(&mut self, other: &Summary) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.times.iter_mut().zip(&other.times).for_each(|(a, b)| a.extend_from_slice(b));
        self.totals.extend_from_slice(&other.totals);
    }

    fn row(self, breakdown: Value) -> Value {
        let mut row = Map::new();
        row.insert("breakdown".to_owned(), breakdown);
        self.write(&mut row);
        Value::Object(row)
    }

    fn write(self, row: &mut Map<String, Value>) {
        let mut step_times = vec![Value::Null];
        step_times.extend(self.times.into_iter().map(times));
        row.insert("counts".to_owned(), json!(self.counts));
        row.insert("step_times".to_owned(), Value::Array(step_times));
        row.insert("total_time".to_owned(), times(self.totals));
    }
}

/// Mean and median in seconds; null of nobody.
fn times(times_ms: Vec<Millis>) -> Value {
    let number = |n: Option<f64>| n.map_or(Value::Null, |ms| json_number(ms / 1000.0));
    let sum: i128 = times_ms.iter().map(|t| i128::from(*t)).sum();
    let mean = (!times_ms.is_empty()).then(|| sum as f64 / times_ms.len() as f64);
    let mut values: Vec<f64> = times_ms.into_iter().map(|t| t as f64).collect();
    json!({"avg_s": number(mean), "median_s": number(percentile(&mut values, 50.0))})
}

/// What a funnel needs of a record.
trait FunnelRecord: Record {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, set: u32) -> Self;
    fn hit(&self) -> Hit;
    fn set(&self) -> u32;
}

impl FunnelRecord for Plain {
    fn of(batch: &tallymark_query::Batch, row: usize, actor: u32, mask: u32, _: u32) -> Plain {
        Plain { actor, mask, time: batch.times[row] }
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
