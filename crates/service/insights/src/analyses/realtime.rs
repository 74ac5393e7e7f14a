//! Real-time activity (chapter 10): the last half hour by receive time, the only view that does not go by `time`.
//!
//! Guarantees: an event is in the minute in which it was received, whenever it happened; files that were complete
//! before are not opened. Nothing that is received later can change a minute that is over, so nothing here is ever
//! restated by late events.

use super::actors::Actors;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::idset::IdSet;
use crate::plan::Bound;
use crate::query::RealtimeQuery;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, Prepared, QueryError, Reservation, Scan, Unit};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Realtime<'a> {
    query: &'a RealtimeQuery,
    bound: &'a Bound<'a>,
    minutes: Buckets,
    scan: Scan,
    actors: Actors,
}

#[derive(Default)]
struct Tally {
    totals: u64,
    actors: IdSet,
}

struct Part {
    minutes: Vec<Tally>,
    /// By code.
    names: FxHashMap<u32, Tally>,
    all: Tally,
    crowd: Vec<u32>,
    held: Reservation,
}

/// A number of the answer: of a minute, of an event name, of everything.
#[derive(Debug, Default)]
struct Spot {
    minute: Option<usize>,
    event: Option<String>,
}

impl Analysis for Realtime<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        // One that has not ended.
        Ok(Buckets::single(self.bound.range.0, self.bound.as_of().saturating_add(1)))
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let tallied = self.tally(&prepared, None)?;
        self.write(tallied, &prepared.event_names())
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let labels = self.minutes.labels(&self.bound.calendar, Unit::Minute)?;
        let spot =
            Spot { minute: point.bucket(&labels)?, event: point.reader.text("event")?.map(str::to_owned) };
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let tallied = self.tally(&prepared, Some(&spot))?;
        Ok(Crowd::of(&self.actors, &prepared, tallied.crowd))
    }
}

impl<'a> Realtime<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a RealtimeQuery, bound: &'a Bound<'a>) -> Result<Realtime<'a>, Error> {
        let selectors = vec![bound.selector(&query.selector, query.common.segment.as_ref())];
        let mut scan = bound.scan(selectors, Millis::MIN, Millis::MAX, &query.common.count_by);
        scan.received_from = Some(bound.range.0);
        scan.order = true;
        scan.named = true;
        let actors = Actors::new(&query.common.count_by, bound.context);
        Ok(Realtime { query, bound, minutes: bound.buckets(Some(Unit::Minute))?, scan, actors })
    }

    fn tally(&self, prepared: &Prepared<'_>, spot: Option<&Spot>) -> Result<Part, Error> {
        let minutes = self.minutes.len();
        let new = || Part::new(minutes, self.bound.context.budget.reservation());
        let received = self.bound.range.0..self.bound.until(self.bound.range.1);
        let each = |part: &mut Part, batch: Batch| {
            let actors = self.actors.of(&batch)?;
            let code = |event: &String| prepared.event_names().iter().position(|name| name == event);
            let named = spot.map(|spot| spot.event.as_ref().map(code));
            for (row, actor) in actors.iter().enumerate() {
                if !received.contains(&batch.received[row]) {
                    continue;
                }
                let minute = self.minutes.find_inside(batch.received[row]);
                let name = batch.names[row];
                part.add(minute, name, *actor);
                let of_name = named.is_some_and(|n| n.is_none_or(|n| n == Some(name as usize)));
                if *actor != 0 && of_name && spot.is_some_and(|s| s.minute.is_none_or(|m| m == minute)) {
                    part.crowd.push(*actor);
                }
            }
            part.count()
        };
        let mut all = new();
        for part in prepared.run(self.bound.threads, new, each)? {
            all.merge(part);
        }
        Ok(all)
    }

    fn write(&self, mut tallied: Part, names: &[String]) -> Result<Map<String, Value>, Error> {
        let mut answer = Map::new();
        let minutes = &self.minutes;
        let lacking = |i: usize| self.bound.lacking(minutes.start(i), minutes.end(i));
        answer.insert("buckets".to_owned(), json!(minutes.labels(&self.bound.calendar, Unit::Minute)?));
        answer.insert("incomplete".to_owned(), (0..minutes.len()).map(lacking).collect());
        answer.insert("totals".to_owned(), tallied.minutes.iter().map(|t| t.totals).collect());
        answer.insert("uniques".to_owned(), tallied.minutes.iter_mut().map(|t| t.actors.len()).collect());
        let all = &mut tallied.all;
        answer.insert("total".to_owned(), json!({"totals": all.totals, "uniques": all.actors.len()}));
        let mut listed: Vec<(&str, Tally)> =
            tallied.names.into_iter().map(|(code, tally)| (names[code as usize].as_str(), tally)).collect();
        listed.sort_by(|a, b| (b.1.totals, a.0).cmp(&(a.1.totals, b.0)));
        listed.truncate(self.query.limit);
        let row = |(name, tally): (&str, Tally)| {
            let Tally { totals, mut actors } = tally;
            json!({"event": name, "totals": totals, "uniques": actors.len()})
        };
        answer.insert("events".to_owned(), listed.into_iter().map(row).collect());
        Ok(answer)
    }
}

impl Tally {
    fn add(&mut self, actor: u32) {
        self.totals += 1;
        if actor != 0 {
            self.actors.insert(actor);
        }
    }
    fn merge(&mut self, other: &Tally) {
        self.totals += other.totals;
        self.actors.merge(&other.actors);
    }
}

impl Part {
    fn new(minutes: usize, held: Reservation) -> Part {
        let minutes = (0..minutes).map(|_| Tally::default()).collect();
        Part { minutes, names: FxHashMap::default(), all: Tally::default(), crowd: Vec::new(), held }
    }

    fn add(&mut self, minute: usize, name: u32, actor: u32) {
        self.minutes[minute].add(actor);
        self.names.entry(name).or_default().add(actor);
        self.all.add(actor);
    }

    fn count(&mut self) -> Result<(), QueryError> {
        let tallies = self.minutes.iter().chain(self.names.values()).chain([&self.all]);
        let bytes: usize = tallies.map(|tally| tally.actors.bytes() + 64).sum();
        self.held.grow_to((bytes + 4 * self.crowd.capacity()) as u64)
    }

    fn merge(&mut self, other: Part) {
        self.minutes.iter_mut().zip(&other.minutes).for_each(|(mine, theirs)| mine.merge(theirs));
        for (name, theirs) in &other.names {
            self.names.entry(*name).or_default().merge(theirs);
        }
        self.all.merge(&other.all);
        self.crowd.extend(other.crowd);
    }
}
