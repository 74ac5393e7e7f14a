//! Retention of any kind, with measures, rounding, and actors counted once.

use super::plain::{ALL, BACK, INSIDE, REST, START, scan};
use super::table::{Frame, Table, Writer};
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Scattered, by_actor, scatter};
use crate::analyses::groups::Groups;
use crate::analyses::records::Record;
use crate::analyses::sets::Sets;
use crate::operators::returns::{CellRules, Kind, Mode, Outcomes, Rules, Visit, counting_starts};
use crate::plan::Bound;
use crate::query::{RetentionKind, RetentionQuery};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use tallymark_model::Millis;
use tallymark_query::{Batch, Prepared, QueryError, Reservation, Scan};

/// What a query becomes when it meets a snapshot.
pub(super) struct General<'a> {
    pub query: &'a RetentionQuery,
    pub bound: &'a Bound<'a>,
    pub frame: Frame,
    pub scan: Scan,
    pub actors: Actors,
    pub groups: Groups<'a>,
    sets: Sets,
    rules: CellRules,
    /// Where the measured property is in a batch.
    measured: Option<usize>,
}

/// A start, a return, or both.
#[derive(Debug, Clone, Copy)]
struct Step {
    actor: u32,
    who: u32,
    mask: u32,
    set: u32,
    time: Millis,
    received: Millis,
    position: u64,
    /// Of the measured property; NaN = none.
    number: f64,
}

impl Record for Step {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & START != 0
    }
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

/// One actor in one cohort of one group.
pub(super) struct Member<'m> {
    pub group: u32,
    pub cohort: usize,
    pub who: u32,
    /// Per cell: whether it returned.
    pub returned: &'m [bool],
    /// (cell, number of a return's property).
    sums: &'m [(usize, f64)],
}

/// Buffers reused from actor to actor.
#[derive(Default)]
struct Work {
    visits: Vec<Visit>,
    starts: Vec<(u32, usize)>,
    groups: Vec<u32>,
    outcomes: Outcomes,
    sums: Vec<(usize, f64)>,
}

/// One thread's tables.
struct Part {
    held: Reservation,
    by_group: FxHashMap<u32, Table>,
    /// Of the actor at hand, per group: per cell whether it returned, and is a member, in a complete cohort.
    once: FxHashMap<u32, Vec<(bool, bool)>>,
}

impl<'a> General<'a> {
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<General<'a>, Error> {
        let frame = Frame::new(query, bound, query.kind == RetentionKind::OnOrAfter)?;
        let mut scan = scan(query, bound, &frame);
        let groups = Groups::new(&query.breakdown, scan.columns.len(), bound.context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        let measured = query.measure.as_ref().map(|_| scan.columns.len());
        scan.columns.extend(query.measure.iter().map(|m| m.property.clone()));
        let rules = CellRules {
            rolling: query.rolling.then(|| query.interval.millis()),
            round: if query.round_to_hour { 3_600_000 } else { 1 },
            cells: frame.cells.clone(),
            min_returns: query.min_returns as u64,
        };
        let actors = Actors::new(&query.common.count_by, bound.context);
        let sets = Sets::new(bound.context.budget.reservation());
        Ok(General { query, bound, frame, scan, actors, groups, sets, rules, measured })
    }

    pub fn answer(&self) -> Result<Map<String, Value>, Error> {
        let mut by_group = self.tables(None)?;
        let writer = self.writer();
        let empty = || self.frame.empty(self.query);
        if self.query.breakdown.is_empty() {
            return writer.table(&by_group.remove(&ALL).unwrap_or_else(empty));
        }
        writer.groups(by_group, &self.groups.labels(), |rest| {
            // Members of several groups of the rest count once, so the events are read again.
            Ok(self.tables(Some(&rest.iter().copied().collect()))?.remove(&REST).unwrap_or_else(empty))
        })
    }

    pub fn writer(&self) -> Writer<'_> {
        Writer { query: self.query, bound: self.bound, frame: &self.frame }
    }

    /// Tables by group; with `rest`, only those groups, together as [`REST`].
    pub fn tables(&self, rest: Option<&FxHashSet<u32>>) -> Result<FxHashMap<u32, Table>, Error> {
        let context = self.bound.context;
        let prepared = self.scan.prepare(self.bound.snapshot, context)?;
        let new = || Part {
            held: context.budget.reservation(),
            by_group: FxHashMap::default(),
            once: FxHashMap::default(),
        };
        let parts =
            self.run(&prepared, rest, new, |part, member| self.add(part, member), |part| self.close(part))?;
        let mut all: FxHashMap<u32, Table> = FxHashMap::default();
        for (group, table) in parts.into_iter().flat_map(|p| p.by_group) {
            all.entry(group).or_insert_with(|| self.frame.empty(self.query)).merge(&table);
        }
        Ok(all)
    }

    /// Gives every member of every cohort and group to `take`, and says when an actor is over.
    pub fn run<S: Send>(
        &self,
        prepared: &Prepared<'_>,
        rest: Option<&FxHashSet<u32>>,
        new: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &Member<'_>) -> Result<(), QueryError> + Sync,
        over: impl Fn(&mut S) + Sync,
    ) -> Result<Vec<S>, Error> {
        let (context, threads) = (self.bound.context, self.bound.threads);
        let scattered = scatter(prepared, context, threads, |into, batch| self.collect(into, batch))?;
        let sets = self.sets.list();
        let fold = |(work, state): &mut (Work, S), events: &[Step]| {
            self.actor(work, events, &sets, rest, &mut |member| take(state, member))?;
            over(state);
            Ok(())
        };
        let parts = by_actor(scattered, context, threads, || (Work::default(), new()), fold)?;
        Ok(parts.into_iter().map(|(_, state)| state).collect())
    }

    fn collect(&self, into: &mut Scattered<Step>, batch: &Batch) -> Result<(), QueryError> {
        let actors = self.actors.of(batch)?;
        let groups = self.groups.of_batch(batch)?;
        let numbers = groups.numbered(&self.sets)?;
        let (from, to) = self.bound.range;
        let mut measured = vec![f64::NAN; if self.measured.is_some() { batch.len() } else { 0 }];
        if let Some(column) = self.measured {
            batch.columns[column].each(|v| v.number().unwrap_or(f64::NAN), |row, n| measured[row] = n);
        }
        for row in 0..batch.len() {
            let inside = from <= batch.times[row] && batch.times[row] < to;
            into.push(Step {
                actor: actors[row],
                who: actors[row],
                mask: batch.masks[row] | if inside { INSIDE } else { 0 },
                set: numbers[groups.set_of(row)],
                time: batch.times[row],
                received: batch.received[row],
                position: batch.positions[row],
                number: measured.get(row).copied().unwrap_or(f64::NAN),
            });
        }
        Ok(())
    }

    fn actor(
        &self,
        work: &mut Work,
        events: &[Step],
        sets: &[Vec<u32>],
        rest: Option<&FxHashSet<u32>>,
        take: &mut dyn FnMut(&Member<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let Work { visits, starts, groups, outcomes, sums } = work;
        visits.clear();
        visits.extend(events.iter().map(|e| Visit {
            time: e.time,
            bucket: self.frame.bucket(e.time),
            start: e.mask & START != 0,
            back: e.mask & BACK != 0,
            inside: e.mask & INSIDE != 0,
        }));
        counting_starts(visits, &self.starting(), starts);
        let of = |start: usize| sets[events[start].set as usize].as_slice();
        let listed = |group: &u32| rest.is_none_or(|rest| rest.contains(group));
        groups.clear();
        starts.iter().for_each(|(_, start)| groups.extend(of(*start).iter().filter(|g| listed(g))));
        groups.sort_unstable();
        groups.dedup();
        if rest.is_some() {
            groups.truncate(1);
        }
        for group in groups.iter().copied() {
            let belongs = |start: usize| match rest {
                Some(_) => of(start).iter().any(listed),
                None => of(start).contains(&group),
            };
            for cohort in starts.chunk_by(|a, b| a.0 == b.0) {
                let mut own = cohort.iter().map(|s| s.1).filter(|s| belongs(*s)).peekable();
                if own.peek().is_none() {
                    continue;
                }
                sums.clear();
                let give = |cell, visit: usize| {
                    if !events[visit].number.is_nan() {
                        sums.push((cell, events[visit].number));
                    }
                };
                self.rules.outcomes(visits, own, outcomes, &self.bound.context.cancel, give)?;
                take(&Member {
                    group: if rest.is_some() { REST } else { group },
                    cohort: cohort[0].0 as usize,
                    who: events[0].who,
                    returned: &outcomes.returned,
                    sums,
                })?;
            }
        }
        Ok(())
    }

    /// The rules by which starts count.
    fn starting(&self) -> Rules {
        Rules {
            mode: self.rules.rolling.map_or(Mode::Calendar, Mode::Rolling),
            kind: Kind::On,
            cohort_by: self.query.cohort_by,
            periods: self.query.periods,
            min_returns: self.query.min_returns,
        }
    }

    fn add(&self, part: &mut Part, member: &Member<'_>) -> Result<(), QueryError> {
        if !part.by_group.contains_key(&member.group) {
            part.held.grow(self.frame.bytes(self.query))?;
            part.by_group.insert(member.group, self.frame.empty(self.query));
        }
        let Some(table) = part.by_group.get_mut(&member.group) else { return Ok(()) };
        let columns = self.frame.cells.len();
        let at = member.cohort * columns;
        table.size[member.cohort] += 1;
        let row = table.returned[at..at + columns].iter_mut();
        row.zip(member.returned).for_each(|(n, returned)| *n += u64::from(*returned));
        for (cell, number) in member.sums {
            table.sums[at + cell].add(*number);
        }
        if self.query.dedup {
            let once = part.once.entry(member.group).or_insert_with(|| vec![(false, false); columns]);
            for (cell, once) in once.iter_mut().enumerate() {
                if self.frame.state(member.cohort, cell).1 {
                    *once = (once.0 || member.returned[cell], true);
                }
            }
        }
        Ok(())
    }

    /// Counts the actor at hand once per group.
    fn close(&self, part: &mut Part) {
        for (group, cells) in part.once.drain() {
            let Some(table) = part.by_group.get_mut(&group) else { continue };
            for (n, (returned, member)) in table.distinct.iter_mut().zip(cells) {
                *n = (n.0 + u64::from(returned), n.1 + u64::from(member));
            }
        }
    }
}
