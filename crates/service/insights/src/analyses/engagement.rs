//! `type: "engagement"` (chapter 10): per event how large a share of the active actors does it, and how often or
//! on how many days those do it.

use super::actors::Actors;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::idset::IdSet;
use crate::operators::percentile::percentile;
use crate::operators::sum::ExactSum;
use crate::plan::Bound;
use crate::query::{EngagementQuery, NamesSpec, SelectorSpec};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_query::{Batch, Buckets, Prepared, QueryError, Reservation, Scan, Unit, json_number};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Engagement<'a> {
    query: &'a EngagementQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    days: Buckets,
}

/// What is known of one event, by its name's code.
#[derive(Default)]
struct Tally {
    events: u64,
    actors: IdSet,
    /// Actors by day, if days are asked for.
    by_day: FxHashMap<usize, IdSet>,
}

#[derive(Default)]
struct Part {
    active: IdSet,
    tallies: FxHashMap<u32, Tally>,
    held: Option<Reservation>,
}

struct Shown {
    event: String,
    tally: Tally,
    actors: usize,
    x: f64,
    y: f64,
}

impl<'a> Engagement<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a EngagementQuery, bound: &'a Bound<'a>) -> Result<Engagement<'a>, Error> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let segment = query.common.segment.as_ref();
        let active = SelectorSpec { names: NamesSpec::Active, filter: None, nth: None };
        let selectors = vec![bound.selector(&query.selector, segment), bound.selector(&active, segment)];
        let mut scan = bound.scan(selectors, bound.range.0, bound.range.1, &query.common.count_by);
        scan.named = true;
        let days = match query.days {
            true => bound.buckets(Some(Unit::Day))?,
            false => bound.buckets(None)?,
        };
        Ok(Engagement { query, bound, scan, actors, days })
    }

    fn take(&self, part: &mut Part, batch: &Batch) -> Result<(), QueryError> {
        let actors = self.actors.of(batch)?;
        for (row, actor) in actors.iter().enumerate().filter(|(_, actor)| **actor != 0) {
            if batch.masks[row] & 2 != 0 {
                part.active.insert(*actor);
            }
            if batch.masks[row] & 1 != 0 {
                let tally = part.tallies.entry(batch.names[row]).or_default();
                tally.events += 1;
                tally.actors.insert(*actor);
                if self.query.days {
                    let day = self.days.find_inside(batch.times[row]);
                    tally.by_day.entry(day).or_default().insert(*actor);
                }
            }
        }
        let sets =
            |t: &Tally| t.actors.bytes() + t.by_day.values().map(|s| s.bytes() + 64).sum::<usize>() + 128;
        let bytes = part.active.bytes() + part.tallies.values().map(sets).sum::<usize>();
        part.held.get_or_insert_with(|| self.bound.context.budget.reservation()).grow_to(bytes as u64)
    }

    /// Active actors, and the events shown in their order.
    fn shown(&self, prepared: &Prepared<'_>) -> Result<(usize, Vec<Shown>), Error> {
        let parts = prepared.run(self.bound.threads, Part::default, |part, batch| self.take(part, &batch))?;
        let mut all = Part::default();
        for part in parts {
            all.active.merge(&part.active);
            for (code, tally) in part.tallies {
                let into = all.tallies.entry(code).or_default();
                into.events += tally.events;
                into.actors.merge(&tally.actors);
                for (day, set) in tally.by_day {
                    into.by_day.entry(day).or_default().merge(&set);
                }
            }
        }
        let names = prepared.event_names();
        let active = all.active.len();
        let one = |(code, mut tally): (u32, Tally)| {
            let actors = tally.actors.len();
            let done = match self.query.days {
                true => tally.by_day.values_mut().map(|set| set.len() as u64).sum(),
                false => tally.events,
            };
            let (x, y) = (actors as f64 / active as f64, done as f64 / actors as f64);
            Shown { event: names[code as usize].clone(), tally, actors, x, y }
        };
        let mut shown: Vec<Shown> = all.tallies.into_iter().map(one).collect();
        shown.sort_unstable_by(|a, b| b.actors.cmp(&a.actors).then_with(|| a.event.cmp(&b.event)));
        shown.truncate(self.query.limit);
        Ok((active, shown))
    }

    fn cross(&self, mut values: Vec<f64>) -> Value {
        // Shares of nobody are no numbers.
        values.retain(|v| v.is_finite());
        let found = match self.query.mean {
            false => percentile(&[&values], 50.0),
            true => {
                let mut sum = ExactSum::default();
                values.iter().for_each(|v| sum.add(*v));
                sum.value().filter(|_| !values.is_empty()).map(|sum| sum / values.len() as f64)
            }
        };
        found.map_or(Value::Null, json_number)
    }
}

impl Analysis for Engagement<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (active, shown) = self.shown(&prepared)?;
        let number = |x: f64| if x.is_finite() { json_number(x) } else { Value::Null };
        let mut answer = Map::new();
        answer.insert("active".to_owned(), json!(active));
        let cross = json!({
            "x": self.cross(shown.iter().map(|s| s.x).collect()),
            "y": self.cross(shown.iter().map(|s| s.y).collect()),
        });
        answer.insert("cross".to_owned(), cross);
        let point =
            |s: &Shown| json!({"event": s.event, "actors": s.actors, "x": number(s.x), "y": number(s.y)});
        answer.insert("events".to_owned(), shown.iter().map(point).collect());
        Ok(answer)
    }

    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let event = point.reader.text("event")?;
        let event = event.ok_or_else(|| point.reader.missing("event", "the name of a shown event"))?;
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (_, mut shown) = self.shown(&prepared)?;
        let found = shown.iter_mut().find(|s| s.event == event);
        let actors = found.map(|s| s.tally.actors.ids()).unwrap_or_default();
        Ok(Crowd::of(&self.actors, &prepared, actors))
    }
}
