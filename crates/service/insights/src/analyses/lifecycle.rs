//! Lifecycle (chapter 5): new, returning, resurrecting and dormant actors per bucket.

use super::actors::Actors;
use super::gather::{Scattered, by_actor, gather};
use super::owned::{Bits, Moment, Owned};
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::states::{Marks, State, Windows};
use crate::plan::Bound;
use crate::query::{LifecycleQuery, NamesSpec, SelectorSpec};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::ops::Range;
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, Prepared, QueryError, Reservation, Scan, json_number};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Lifecycle<'a> {
    query: &'a LifecycleQuery,
    bound: &'a Bound<'a>,
    buckets: Buckets,
    windows: Windows,
    scan: Scan,
    actors: Actors,
    /// The selector whose first event makes an actor new.
    makes_new: u32,
}

/// One thread's events within the windows, and who was there before them.
struct Read {
    events: Scattered<Owned<Moment>>,
    earlier: Bits,
    held: Reservation,
}

struct Part {
    marks: Marks,
    counts: Vec<[u64; 4]>,
    crowd: Vec<u32>,
}

impl Analysis for Lifecycle<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (counts, _) = self.fold(&prepared, None)?;
        self.write(&counts)
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let reader = &point.reader;
        let labels = self.buckets.labels(&self.bound.calendar, self.query.interval)?;
        let bucket = point.bucket(&labels)?;
        let bucket = bucket.ok_or_else(|| reader.missing("bucket", "a label of `buckets`"))?;
        let state = reader
            .choice("state", &State::ALL)?
            .ok_or_else(|| reader.missing("state", "new, returning, resurrecting or dormant"))?;
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (_, crowd) = self.fold(&prepared, Some((bucket, state)))?;
        Ok(Crowd::of(&self.actors, &prepared, crowd))
    }
}

impl<'a> Lifecycle<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a LifecycleQuery, bound: &'a Bound<'a>) -> Result<Lifecycle<'a>, Error> {
        let buckets = bound.buckets(Some(query.interval))?;
        let windows = windows(query, bound, &buckets)?;
        let segment = query.common.segment.as_ref();
        let mut selectors = vec![bound.selector(&query.selector, segment)];
        if query.new_by_person {
            let anything = SelectorSpec { names: NamesSpec::Any, filter: None, nth: None };
            selectors.push(bound.selector(&anything, None));
        }
        let makes_new = if query.new_by_person { 2 } else { 1 };
        let scan = bound.scan(selectors, Millis::MIN, bound.range.1, &query.common.count_by);
        let actors = Actors::new(&query.common.count_by, bound.context);
        Ok(Lifecycle { query, bound, buckets, windows, scan, actors, makes_new })
    }

    /// Counts per bucket and state, and who is at one point.
    fn fold(
        &self,
        prepared: &Prepared<'_>,
        point: Option<(usize, State)>,
    ) -> Result<(Vec<[u64; 4]>, Vec<u32>), Error> {
        let context = self.bound.context;
        let from = self.windows.from().unwrap_or(Millis::MAX);
        let collect = |read: &mut Read, batch: Batch| {
            let actors = self.actors.of(&batch)?;
            for (row, actor) in actors.iter().enumerate().filter(|(_, actor)| **actor != 0) {
                let (time, mask) = (batch.times[row], batch.masks[row]);
                if time >= from {
                    read.events.push(Owned::new(*actor, Moment { time, mask }));
                } else if mask & self.makes_new != 0 {
                    read.earlier.insert(*actor);
                }
            }
            read.events.count()?;
            read.held.grow_to(read.earlier.bytes())
        };
        // Who was there before is known of everybody after the first pass, whoever's events it keeps.
        let before = RefCell::new((Bits::default(), Vec::new()));
        let scan = |here: &Range<usize>| {
            let new = || Read {
                events: Scattered::new(prepared, context, here.clone()),
                earlier: Bits::default(),
                held: context.budget.reservation(),
            };
            let mut events = Vec::new();
            let (earlier, held) = &mut *before.borrow_mut();
            held.clear();
            for read in prepared.run(self.bound.threads, new, collect)? {
                events.push(read.events);
                held.push(read.held);
                earlier.merge(&read.earlier);
            }
            Ok(events)
        };
        let events = gather(context, self.bound.threads, scan)?;
        let earlier = before.borrow().0.clone();
        let new =
            || Part { marks: Marks::default(), counts: vec![[0; 4]; self.windows.len()], crowd: Vec::new() };
        let earlier = &earlier;
        let fold = |part: &mut Part, events: &[Owned<Moment>]| -> Result<(), QueryError> {
            let Part { marks, counts, crowd } = part;
            let actor = events[0].actor;
            let first = events.iter().find(|e| e.what.mask & self.makes_new != 0).map(|e| e.what.time);
            let first = first.filter(|_| !earlier.contains(actor));
            let times = events.iter().filter(|e| e.what.mask & 1 != 0).map(|e| e.what.time);
            marks.each(&self.windows, times, first, |bucket, state| {
                counts[bucket][state.index()] += 1;
                if point == Some((bucket, state)) {
                    crowd.push(actor);
                }
            });
            Ok(())
        };
        let parts = by_actor(events, context, self.bound.threads, new, fold)?;
        let (mut counts, mut crowd) = (vec![[0; 4]; self.windows.len()], Vec::new());
        for part in parts {
            for (sum, more) in counts.iter_mut().zip(&part.counts) {
                sum.iter_mut().zip(more).for_each(|(a, b)| *a += b);
            }
            crowd.extend(part.crowd);
        }
        Ok((counts, crowd))
    }

    fn write(&self, counts: &[[u64; 4]]) -> Result<Map<String, Value>, Error> {
        let zero = if self.query.common.div_zero { json!(0) } else { Value::Null };
        let pulse = |[new, _, resurrecting, dormant]: &[u64; 4]| match dormant {
            0 => zero.clone(),
            _ => json_number((new + resurrecting) as f64 / *dormant as f64),
        };
        let mut answer = Map::new();
        let buckets = &self.buckets;
        let lacking = |i: usize| self.bound.lacking(buckets.start(i), buckets.end(i));
        answer
            .insert("buckets".to_owned(), json!(buckets.labels(&self.bound.calendar, self.query.interval)?));
        answer.insert("incomplete".to_owned(), (0..buckets.len()).map(lacking).collect());
        for (name, state) in State::ALL {
            answer.insert(name.to_owned(), counts.iter().map(|c| c[state.index()]).collect());
        }
        answer.insert("pulse".to_owned(), counts.iter().map(pulse).collect());
        Ok(answer)
    }
}

/// Buckets clipped to the range, each with the one before; or windows that end where they do.
fn windows(query: &LifecycleQuery, bound: &Bound<'_>, buckets: &Buckets) -> Result<Windows, Error> {
    let mut windows = Windows::default();
    let clip = |i: usize| (buckets.start(i).max(bound.range.0), buckets.end(i).min(bound.range.1));
    for i in 0..buckets.len() {
        let (now, before) = match (query.usage_interval, i) {
            (Some(length), _) => {
                let end = clip(i).1;
                ((end - length, end), (end - 2 * length, end - length))
            }
            (None, 0) => {
                let start = buckets.start(0);
                (clip(0), (bound.calendar.floor(query.interval, start - 1)?, start))
            }
            (None, _) => (clip(i), clip(i - 1)),
        };
        windows.push(now, before);
    }
    Ok(windows)
}
