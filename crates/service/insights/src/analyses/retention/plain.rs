//! Retention on an offset, or on it and after (chapter 4): who came back.

use super::days;
use super::table::{Frame, Table, Writer};
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Scattered, by_actor, scatter};
use crate::analyses::groups::Groups;
use crate::analyses::records::Placed;
use crate::analyses::sets::Sets;
use crate::operators::returns::{Kind, Mode, Rules, Visit, counting_starts, returned};
use crate::plan::Bound;
use crate::query::{RetentionKind, RetentionQuery, SegmentScope};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use std::collections::hash_map::Entry;
use tallymark_model::Millis;
use tallymark_query::{Batch, QueryError, Reservation, Scan};

pub(super) const START: u32 = 1;
pub(super) const BACK: u32 = 2;
pub(super) const INSIDE: u32 = 4;

/// What a query becomes when it meets a snapshot.
pub(super) struct Plain<'a> {
    query: &'a RetentionQuery,
    bound: &'a Bound<'a>,
    pub frame: Frame,
    pub scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
    /// Only intervals matter, see [`super::days`].
    by_days: bool,
}

/// Per cohort its size, then one count per offset.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    width: usize,
    list: Vec<u64>,
}

/// The last group stands for what a limit cut off.
pub(super) const REST: u32 = u32::MAX;
/// Group of everything where there is no breakdown.
pub(super) const ALL: u32 = 0;

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

impl<'a> Plain<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<Plain<'a>, Error> {
        let frame = Frame::new(query, bound, query.kind == RetentionKind::OnOrAfter)?;
        let mut scan = scan(query, bound, &frame);
        let actors = Actors::new(&query.common.count_by, bound.context);
        let groups = Groups::new(&query.breakdown, scan.columns.len(), bound.context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        let by_days = days::fits(query, bound, &frame);
        if by_days {
            days::narrow(&mut scan, bound, &frame);
        }
        Ok(Plain { query, bound, frame, scan, actors, groups, by_days })
    }

    pub fn answer(&self) -> Result<Map<String, Value>, Error> {
        let sets = Sets::new(self.bound.context.budget.reservation());
        let mut by_group = self.tables(&sets, None)?;
        let writer = Writer { query: self.query, bound: self.bound, frame: &self.frame };
        let empty = || self.frame.empty(self.query);
        if self.query.breakdown.is_empty() {
            return writer.table(&by_group.remove(&ALL).unwrap_or_else(empty));
        }
        writer.groups(by_group, &self.groups.labels(), |rest| {
            // Members of several groups of the rest count once, so the events are read again.
            Ok(self.tables(&sets, Some(rest))?.remove(&REST).unwrap_or_else(empty))
        })
    }

    fn tables(&self, sets: &Sets, rest: Option<&[u32]>) -> Result<FxHashMap<u32, Table>, Error> {
        let by_size = !self.query.day0_returned;
        let table = |counts: Counts| {
            let mut table = self.frame.empty(self.query);
            for (cohort, row) in counts.list.chunks(counts.width).enumerate() {
                table.size[cohort] = row[0];
                let cells = &mut table.returned[cohort * (counts.width - 1)..][..counts.width - 1];
                cells.copy_from_slice(&row[1..]);
                if by_size {
                    cells[0] = row[0];
                }
            }
            table
        };
        Ok(self.count(sets, rest)?.into_iter().map(|(group, counts)| (group, table(counts))).collect())
    }

    /// Counts by group; with `rest`, only those groups, together as [`REST`].
    fn count(&self, sets: &Sets, rest: Option<&[u32]>) -> Result<FxHashMap<u32, Counts>, Error> {
        let rules = self.rules();
        let context = self.bound.context;
        let (from, to) = self.bound.range;
        let prepared = self.scan.prepare(self.bound.snapshot, context)?;
        if self.by_days {
            let counts = days::count(&prepared, self.query, self.bound, &self.frame)?;
            return Ok(counts.into_iter().map(|counts| (ALL, counts)).collect());
        }
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
            bucket: self.frame.bucket(e.time),
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
                    held.grow(64 + 8 * (self.frame.cohorts * (self.query.periods + 2)) as u64)?;
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
            kind: if self.query.kind == RetentionKind::OnOrAfter { Kind::OnOrAfter } else { Kind::On },
            cohort_by: self.query.cohort_by,
            periods: self.query.periods,
            min_returns: self.query.min_returns,
        }
    }

    fn empty(&self) -> Counts {
        Counts::new(self.frame.cohorts, self.query.periods)
    }
}

impl Counts {
    /// Of nobody.
    pub fn new(cohorts: usize, periods: usize) -> Counts {
        Counts { width: periods + 2, list: vec![0; cohorts * (periods + 2)] }
    }
    /// Counts a member of a cohort.
    pub fn member(&mut self, cohort: usize) {
        self.list[cohort * self.width] += 1;
    }
    /// Counts a return at an offset.
    pub fn returned(&mut self, cohort: usize, offset: usize) {
        self.list[cohort * self.width + 1 + offset] += 1;
    }
    fn add(&mut self, other: &Counts) {
        self.list.iter_mut().zip(&other.list).for_each(|(a, b)| *a += b);
    }
    fn count(&mut self, cohort: usize, marks: &[bool]) {
        let row = &mut self.list[cohort * self.width..][..self.width];
        row[0] += 1;
        row[1..].iter_mut().zip(marks).for_each(|(n, mark)| *n += u64::from(*mark));
    }
}

/// The scan of starts and returns; whatever comes after is the caller's.
pub(super) fn scan(query: &RetentionQuery, bound: &Bound<'_>, frame: &Frame) -> Scan {
    use crate::operators::returns::CohortBy;
    let segment = query.common.segment.as_ref();
    let everywhere = query.common.segment_scope == SegmentScope::All;
    let mut selectors = vec![bound.selector(&query.start, segment)];
    selectors.extend(query.back.iter().map(|back| bound.selector(back, segment.filter(|_| everywhere))));
    let from = if query.cohort_by == CohortBy::FirstTime { Millis::MIN } else { bound.range.0 };
    let mut scan = bound.scan(selectors, from, frame.until, &query.common.count_by);
    scan.order = true;
    scan
}
