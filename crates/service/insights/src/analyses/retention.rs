//! Retention (chapter 4): cohorts by interval, who came back at which offset.

use super::Analysis;
use super::actors::Actors;
use super::gather::{Placed, Scattered, by_actor, scatter};
use super::groups::{Groups, OTHER};
use super::segmentation::breakdown_value;
use super::sets::Sets;
use crate::Error;
use crate::operators::returns::{CohortBy, Kind, Mode, Rules, Visit, counting_starts, returned};
use crate::plan::Bound;
use crate::query::RetentionQuery;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use std::collections::hash_map::Entry;
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, QueryError, Reservation, Scan, json_number};

const START: u32 = 1;
const BACK: u32 = 2;
const INSIDE: u32 = 4;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Retention<'a> {
    query: &'a RetentionQuery,
    bound: &'a Bound<'a>,
    /// Intervals of the range first, then those that returns and cells need.
    buckets: Buckets,
    cohorts: usize,
    scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
}

/// Per cohort its size, then one count per offset.
#[derive(Debug, Clone)]
struct Counts {
    width: usize,
    list: Vec<u64>,
}

/// The last group stands for what a limit cut off.
const REST: u32 = u32::MAX;
/// Group of everything where there is no breakdown.
const ALL: u32 = 0;

/// One thread's counts, and buffers reused from actor to actor.
struct Part {
    held: Reservation,
    visits: Vec<Visit>,
    starts: Vec<(u32, usize)>,
    chosen: Vec<(u32, usize)>,
    marks: Vec<bool>,
    groups: Vec<u32>,
    by_group: FxHashMap<u32, Counts>,
}

impl Analysis for Retention<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        self.answer()
    }
}

impl<'a> Retention<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<Retention<'a>, Error> {
        let (from, to) = bound.range;
        let calendar = &bound.calendar;
        let mut buckets = Buckets::covering(calendar, query.interval, from, to)?;
        let cohorts = buckets.len();
        let mut until = to;
        if let Some(last) = cohorts.checked_sub(1) {
            if query.rolling {
                until = buckets.end(last) + (query.periods as Millis + 1) * query.interval.millis();
            } else {
                let last_cell = calendar.step(query.interval, buckets.start(last), query.periods as i64)?;
                until = calendar.next(query.interval, last_cell)?;
            }
            if query.kind == Kind::OnOrAfter {
                until = until.max(bound.as_of.saturating_add(1));
            }
            if !query.rolling {
                buckets = Buckets::covering(calendar, query.interval, from, until)?;
            }
        }
        let selectors = vec![
            bound.selector(&query.start, query.common.segment.as_ref()),
            bound.selector(&query.back, None),
        ];
        let scan_from = if query.cohort_by == CohortBy::FirstTime { Millis::MIN } else { from };
        let mut scan = bound.scan(selectors, scan_from, until, &query.common.count_by);
        scan.order = true;
        let actors = Actors::new(&query.common.count_by, bound.context);
        let groups = Groups::new(query.breakdown.as_slice(), scan.columns.len(), bound.context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        Ok(Retention { query, bound, buckets, cohorts, scan, actors, groups })
    }

    fn answer(&self) -> Result<Map<String, Value>, Error> {
        let sets = Sets::new(self.bound.context.budget.reservation());
        let mut by_group = self.count(&sets, None)?;
        let mut answer = Map::new();
        if self.query.breakdown.is_none() {
            let all = by_group.remove(&ALL).unwrap_or_else(|| self.empty());
            self.write(&all, &mut answer)?;
            return Ok(answer);
        }
        let labels = self.groups.labels();
        let label = |group: &u32| labels.get(group);
        let mut ranked: Vec<(u32, Counts)> = by_group.into_iter().collect();
        ranked.sort_by(|a, b| {
            self.members(&b.1).cmp(&self.members(&a.1)).then_with(|| label(&a.0).cmp(&label(&b.0)))
        });
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        let mut rows = Vec::new();
        for (group, counts) in &ranked {
            rows.push(self.row(breakdown_value(label(group)), counts)?);
        }
        if !rest.is_empty() && self.query.other {
            // Members of several groups of the rest count once, so the events are read again.
            let rest: Vec<u32> = rest.iter().map(|(group, _)| *group).collect();
            let pooled = self.count(&sets, Some(&rest))?.remove(&REST).unwrap_or_else(|| self.empty());
            rows.push(self.row(json!(OTHER), &pooled)?);
        }
        answer.insert("groups".to_owned(), Value::Array(rows));
        Ok(answer)
    }

    /// Counts by group; with `rest`, only those groups, together as [`REST`].
    fn count(&self, sets: &Sets, rest: Option<&[u32]>) -> Result<FxHashMap<u32, Counts>, Error> {
        let rules = self.rules();
        let context = self.bound.context;
        let (from, to) = self.bound.range;
        let prepared = self.scan.prepare(self.bound.snapshot, context)?;
        let collect = |scattered: &mut Scattered<Placed>, batch: &Batch| {
            let actors = self.actors.of(batch)?;
            let groups = self.groups.of_batch(batch)?;
            let numbers = groups.numbered(sets)?;
            for row in 0..batch.len() {
                let inside = from <= batch.times[row] && batch.times[row] < to;
                let mask = batch.masks[row] | if inside { INSIDE } else { 0 };
                scattered.push(Placed::new(batch, row, actors[row], mask, numbers[groups.set_of(row)]));
            }
            Ok(())
        };
        let scattered = scatter(&prepared, context, self.bound.threads, collect)?;
        let sets = sets.list();
        let new = || Part {
            held: context.budget.reservation(),
            visits: Vec::new(),
            starts: Vec::new(),
            chosen: Vec::new(),
            marks: Vec::new(),
            groups: Vec::new(),
            by_group: FxHashMap::default(),
        };
        let fold = |part: &mut Part, events: &[Placed]| self.fold(part, events, &rules, &sets, rest);
        let mut all: FxHashMap<u32, Counts> = FxHashMap::default();
        let parts = by_actor(scattered, context, self.bound.threads, new, fold)?;
        for (group, counts) in parts.into_iter().flat_map(|p| p.by_group) {
            all.entry(group).or_insert_with(|| self.empty()).add(&counts);
        }
        Ok(all)
    }

    fn fold(
        &self,
        part: &mut Part,
        events: &[Placed],
        rules: &Rules,
        sets: &[Vec<u32>],
        rest: Option<&[u32]>,
    ) -> Result<(), QueryError> {
        let Part { held, visits, starts, chosen, marks, groups, by_group } = part;
        visits.clear();
        visits.extend(events.iter().map(|e| Visit {
            time: e.time,
            bucket: self.buckets.find(e.time).unwrap_or(if e.time < self.bound.range.0 {
                0
            } else {
                self.cohorts
            }) as u32,
            start: e.mask & START != 0,
            back: e.mask & BACK != 0,
            inside: e.mask & INSIDE != 0,
        }));
        counting_starts(visits, rules, starts);
        groups.clear();
        for (_, start) in starts.iter() {
            groups.extend_from_slice(&sets[events[*start].set as usize]);
        }
        groups.sort_unstable();
        groups.dedup();
        let listed = |group: &u32| rest.is_none_or(|rest| rest.contains(group));
        groups.retain(listed);
        if rest.is_some() && !groups.is_empty() {
            *groups = vec![REST];
        }
        for group in groups.iter() {
            let belongs = |start: usize| {
                let set = &sets[events[start].set as usize];
                if *group == REST { set.iter().any(listed) } else { set.contains(group) }
            };
            chosen.clear();
            chosen.extend(starts.iter().copied().filter(|(_, start)| belongs(*start)));
            let counts = match by_group.entry(*group) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    held.grow(64 + 8 * (self.cohorts * (self.query.periods + 2)) as u64)?;
                    free.insert(self.empty())
                }
            };
            for cohort in chosen.chunk_by(|a, b| a.0 == b.0) {
                returned(visits, cohort.iter().map(|s| s.1), rules, marks);
                counts.count(cohort[0].0 as usize, marks);
            }
        }
        Ok(())
    }

    fn rules(&self) -> Rules {
        Rules {
            mode: if self.query.rolling {
                Mode::Rolling(self.query.interval.millis())
            } else {
                Mode::Calendar
            },
            kind: self.query.kind,
            cohort_by: self.query.cohort_by,
            periods: self.query.periods,
            min_returns: self.query.min_returns,
        }
    }

    fn empty(&self) -> Counts {
        Counts { width: self.query.periods + 2, list: vec![0; self.cohorts * (self.query.periods + 2)] }
    }

    fn row(&self, breakdown: Value, counts: &Counts) -> Result<Value, Error> {
        let mut row = Map::new();
        row.insert("breakdown".to_owned(), breakdown);
        self.write(counts, &mut row)?;
        Ok(Value::Object(row))
    }

    /// Cohorts with the states of their cells (4.5), and the overall line (4.6).
    fn write(&self, counts: &Counts, row: &mut Map<String, Value>) -> Result<(), Error> {
        let columns = self.query.periods + 1;
        // Cells become JSON values.
        let _held = self.bound.context.budget.reserve((self.cohorts * columns * 128) as u64)?;
        let mut overall = vec![(0u64, 0u64); columns];
        let mut cohorts = Vec::with_capacity(self.cohorts);
        for cohort in 0..self.cohorts {
            let size = counts.size(cohort);
            let (mut values, mut complete) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
            for (k, overall) in overall.iter_mut().enumerate() {
                let by_size = k == 0 && !self.query.day0_returned;
                let count = if by_size { size } else { counts.returned(cohort, k) };
                let (begins, ends) = self.cell(cohort, k);
                let begun = begins <= self.bound.as_of;
                let cohort_whole = !self.bound.gap_in(self.buckets.start(cohort), self.buckets.end(cohort));
                let whole = begun && cohort_whole && !self.bound.lacking(begins, ends);
                values.push(if begun { json!(count) } else { Value::Null });
                complete.push(whole);
                if whole {
                    overall.0 += count;
                    overall.1 += size;
                }
            }
            let label = self.bound.calendar.label(self.query.interval, self.buckets.start(cohort))?;
            cohorts.push(json!({"cohort": label, "size": size, "values": values, "complete": complete}));
        }
        let rate =
            |(n, of): (u64, u64)| if of == 0 { Value::Null } else { json_number(n as f64 / of as f64) };
        row.insert("cohorts".to_owned(), Value::Array(cohorts));
        row.insert("overall".to_owned(), Value::Array(overall.into_iter().map(rate).collect()));
        Ok(())
    }

    /// When a cell begins and ends.
    fn cell(&self, cohort: usize, k: usize) -> (Millis, Millis) {
        if self.query.rolling {
            let unit = self.query.interval.millis();
            let k = k as Millis;
            (self.buckets.start(cohort) + k * unit, self.buckets.end(cohort) + (k + 1) * unit)
        } else {
            (self.buckets.start(cohort + k), self.buckets.end(cohort + k))
        }
    }

    fn members(&self, counts: &Counts) -> u64 {
        (0..self.cohorts).map(|c| counts.size(c)).sum()
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.list.iter_mut().zip(&other.list).for_each(|(a, b)| *a += b);
    }
    fn count(&mut self, cohort: usize, marks: &[bool]) {
        let row = &mut self.list[cohort * self.width..][..self.width];
        row[0] += 1;
        row[1..].iter_mut().zip(marks).for_each(|(n, mark)| *n += u64::from(*mark));
    }
    fn size(&self, cohort: usize) -> u64 {
        self.list[cohort * self.width]
    }
    fn returned(&self, cohort: usize, k: usize) -> u64 {
        self.list[cohort * self.width + 1 + k]
    }
}
