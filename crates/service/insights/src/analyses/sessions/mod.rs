//! Sessions (chapter 7): how many, how long, what they hold.
//!
//! Guarantees: a session is in the bucket of its first event, whole, also where it goes on after the range;
//! filters run before sessions are formed. How far it reads before the range: see `read`.

mod cells;
mod read;

use super::actors::Actors;
use super::gather::by_actor;
use super::groups::{Groups, OTHER};
use super::owned::{Happening, Owned};
use super::segmentation::breakdown_value;
use super::sets::Sets;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::sessionise::{Days, NO_SESSION, Sessioniser, Visit};
use crate::plan::Bound;
use crate::query::{NamesSpec, SelectorSpec, SessionsQuery};
use cells::{Cells, Measured, Shape};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{Buckets, Interner, Prepared, QueryError, Scan};

/// Bits of the selectors.
const ACTIVE: u32 = 1;
const START: u32 = 2;
const END: u32 = 4;
const CONTAINED: u32 = 8;
/// What a limit of the breakdown cut off.
const REST: u32 = u32::MAX;
/// Group of everything where there is no breakdown.
const ALL: u32 = 0;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Sessions<'a> {
    query: &'a SessionsQuery,
    bound: &'a Bound<'a>,
    buckets: Buckets,
    scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
    /// Numbers of values that make sessions, and their column.
    by: Option<(Interner, usize)>,
    sets: Sets,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    time: Millis,
    received: Millis,
    position: u64,
    id: u64,
    /// Number of a set of groups.
    set: u32,
    mask: u32,
}

impl Happening for Event {
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

/// What is asked of the sessions.
#[derive(Default)]
struct Focus {
    /// Only these groups, together as [`REST`].
    rest: Option<Vec<u32>>,
    spot: Option<Spot>,
}

/// A number of the answer.
struct Spot {
    bucket: Option<usize>,
    bar: Option<i64>,
    bounced: bool,
}

/// One thread's state.
struct Part<'c> {
    cells: Cells,
    crowd: Vec<u32>,
    days: Days<'c>,
    sessioniser: Sessioniser,
    visits: Vec<Visit>,
    sessions: Vec<Session>,
}

/// Indices of its first and last event, how many it has, what they match.
#[derive(Debug, Clone, Copy)]
struct Session {
    first: usize,
    last: usize,
    events: u32,
    mask: u32,
}

impl Analysis for Sessions<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        self.answer()
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let reader = &point.reader;
        let labels = match self.query.interval {
            None => Vec::new(),
            Some(unit) => self.buckets.labels(&self.bound.calendar, unit)?,
        };
        let spot = Spot {
            bucket: point.bucket(&labels)?,
            bar: reader.integer("bar", 0, i64::MAX)?,
            bounced: reader.choice("state", &[("bounced", true)])?.unwrap_or(false),
        };
        if spot.bar.is_some() && self.query.histogram.is_none() {
            return Err(reader.wrong("bar", "the query asks for no histogram", "add `histogram`"));
        }
        let breakdown = reader.text("breakdown")?;
        if breakdown.is_some() != self.query.breakdown.is_some() {
            return Err(reader.wrong("breakdown", "must name a group, if there are groups", ""));
        }
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let rest = match breakdown {
            None => None,
            Some(label) => Some(self.groups_of(&prepared, label)?.ok_or_else(|| {
                reader.wrong("breakdown", format!("{label:?} is no group of this answer"), "")
            })?),
        };
        let (_, crowd) = self.count(&prepared, &Focus { rest, spot: Some(spot) })?;
        Ok(Crowd::of(&self.actors, &prepared, crowd))
    }
}

impl<'a> Sessions<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a SessionsQuery, bound: &'a Bound<'a>) -> Result<Sessions<'a>, Error> {
        let active = SelectorSpec { names: NamesSpec::Active, filter: None, nth: None };
        // A selector that is not asked for must match nothing, so that the bits of the others stay where they are.
        let nothing = SelectorSpec { names: NamesSpec::Of(Default::default()), filter: None, nth: None };
        let rules = &query.rules;
        let asked = [Some(&active), rules.start.as_ref(), rules.end.as_ref(), query.contains.as_ref()];
        let segment = query.common.segment.as_ref();
        let selectors = asked.map(|s| bound.selector(s.unwrap_or(&nothing), segment)).into();
        let mut scan = bound.scan(selectors, Millis::MIN, Millis::MAX, &query.common.count_by);
        scan.order = true;
        scan.sessions = rules.by_ids();
        let context = bound.context;
        let by = rules.by.as_ref().map(|property| {
            scan.columns.push(property.clone());
            (Interner::new(context.budget.reservation()), scan.columns.len() - 1)
        });
        let groups = Groups::new(query.breakdown.as_slice(), scan.columns.len(), context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        let actors = Actors::new(&query.common.count_by, context);
        let (buckets, sets) = (bound.buckets(query.interval)?, Sets::new(context.budget.reservation()));
        Ok(Sessions { query, bound, buckets, scan, actors, groups, by, sets })
    }

    fn answer(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let cells = self.count(&prepared, &Focus::default())?.0;
        let mut answer = Map::new();
        match self.query.interval {
            None => {
                answer.insert("buckets".to_owned(), json!([]));
                answer.insert("incomplete".to_owned(), json!([]));
            }
            Some(unit) => {
                let buckets = &self.buckets;
                let lacking = |i: usize| self.bound.lacking(buckets.start(i), buckets.end(i));
                answer.insert("buckets".to_owned(), json!(buckets.labels(&self.bound.calendar, unit)?));
                answer.insert("incomplete".to_owned(), (0..buckets.len()).map(lacking).collect());
            }
        }
        if self.query.breakdown.is_none() {
            answer.extend(self.row(&cells, ALL)?);
            return Ok(answer);
        }
        let (top, rest) = self.ranked(&cells);
        let mut rows = Vec::new();
        for (group, label) in &top {
            let mut row = self.row(&cells, *group)?;
            row.insert("breakdown".to_owned(), breakdown_value(Some(label)));
            rows.push(Value::Object(row));
        }
        if !rest.is_empty() && self.query.other {
            // A session may be in several groups of the rest, so the events are read again.
            let pooled = self.count(&prepared, &Focus { rest: Some(rest), spot: None })?.0;
            let mut row = self.row(&pooled, REST)?;
            row.insert("breakdown".to_owned(), json!(OTHER));
            rows.push(Value::Object(row));
        }
        answer.insert("groups".to_owned(), Value::Array(rows));
        Ok(answer)
    }

    fn row(&self, cells: &Cells, group: u32) -> Result<Map<String, Value>, Error> {
        let zero = if self.query.common.div_zero { json!(0) } else { Value::Null };
        let shape = Shape {
            buckets: self.buckets.len(),
            listed: self.query.interval.is_some(),
            bars: self.query.histogram.as_ref(),
            zero: &zero,
        };
        let _held = self.bound.context.budget.reserve(shape.buckets as u64 * 9 * 64)?;
        Ok(cells.write(group, &shape))
    }

    /// Groups in ranking order with their labels, and those that the limit cuts off.
    fn ranked(&self, cells: &Cells) -> (Vec<(u32, Vec<String>)>, Vec<u32>) {
        let mut labels: FxHashMap<u32, Vec<String>> = self.groups.labels();
        let mut ranked: Vec<(usize, Vec<String>, u32)> = cells
            .groups()
            .into_iter()
            .map(|(group, sessions)| (sessions, labels.remove(&group).unwrap_or_default(), group))
            .collect();
        ranked.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        let top = ranked.into_iter().map(|(_, label, group)| (group, label)).collect();
        (top, rest.into_iter().map(|(.., group)| group).collect())
    }

    /// The groups that a label of the answer stands for.
    fn groups_of(&self, prepared: &Prepared<'_>, label: &str) -> Result<Option<Vec<u32>>, Error> {
        let (top, rest) = self.ranked(&self.count(prepared, &Focus::default())?.0);
        let named = top.iter().find(|(_, l)| l.len() == 1 && l[0] == label);
        Ok(match named {
            Some((group, _)) => Some(vec![*group]),
            None => (label == OTHER && self.query.other && !rest.is_empty()).then_some(rest),
        })
    }

    fn count(&self, prepared: &Prepared<'_>, focus: &Focus) -> Result<(Cells, Vec<u32>), Error> {
        let context = self.bound.context;
        let scattered = self.read(prepared)?;
        let sets = self.sets.list();
        let new = || Part {
            cells: Cells::new(context.budget.reservation()),
            crowd: Vec::new(),
            days: Days::new(&self.bound.calendar),
            sessioniser: Sessioniser::default(),
            visits: Vec::new(),
            sessions: Vec::new(),
        };
        let fold = |part: &mut Part<'_>, events: &[Owned<Event>]| self.fold(part, events, &sets, focus);
        let (mut cells, mut crowd) = (Cells::new(context.budget.reservation()), Vec::new());
        for part in by_actor(scattered, context, self.bound.threads, new, fold)? {
            cells.merge(part.cells);
            crowd.extend(part.crowd);
        }
        Ok((cells, crowd))
    }

    fn fold(
        &self,
        part: &mut Part<'_>,
        events: &[Owned<Event>],
        sets: &[Vec<u32>],
        focus: &Focus,
    ) -> Result<(), QueryError> {
        let Part { cells, crowd, days, sessioniser, visits, sessions } = part;
        visits.clear();
        for event in events.iter().map(|e| &e.what) {
            let day = if self.query.rules.reset_at_midnight { days.start(event.time)? } else { 0 };
            let (starts, ends) = (event.mask & START != 0, event.mask & END != 0);
            visits.push(Visit { time: event.time, id: event.id, day, starts, ends });
        }
        sessions.clear();
        let numbers = sessioniser
            .number(visits.iter().copied(), &self.query.rules.operator(&self.bound.snapshot.project));
        for (i, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NO_SESSION) {
            let mask = events[i].what.mask;
            match sessions.get_mut(*number as usize) {
                Some(session) => {
                    session.last = i;
                    session.events += 1;
                    session.mask |= mask;
                }
                None => sessions.push(Session { first: i, last: i, events: 1, mask }),
            }
        }
        let bars = self.query.histogram.as_ref();
        for session in sessions.iter() {
            let (first, last) = (&events[session.first], &events[session.last]);
            let inside = self.bound.range.0 <= first.what.time && first.what.time < self.bound.range.1;
            if !inside || (self.query.contains.is_some() && session.mask & CONTAINED == 0) {
                continue;
            }
            let of = if self.query.at_exit { last } else { first };
            let set = &sets[of.what.set as usize];
            let bucket = self.buckets.find_inside(first.what.time);
            let length = last.what.time - first.what.time;
            let measured = Measured { actor: first.actor, length, events: session.events };
            let listed = focus.rest.as_ref().is_none_or(|rest| set.iter().any(|group| rest.contains(group)));
            if let Some(spot) = &focus.spot {
                let here = spot.bucket.is_none_or(|b| b == bucket)
                    && (!spot.bounced || session.events == 1)
                    && spot.bar.is_none_or(|bar| bars.and_then(|bars| bars.of(length)) == Some(bar));
                if here && listed && crowd.last() != Some(&first.actor) {
                    crowd.push(first.actor);
                }
            } else if focus.rest.is_some() {
                if listed {
                    cells.add(REST, bucket as u32, measured, bars)?;
                }
            } else {
                for group in set {
                    cells.add(*group, bucket as u32, measured, bars)?;
                }
            }
        }
        Ok(())
    }
}
