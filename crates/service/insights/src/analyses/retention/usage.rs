//! Usage intervals: how many days lie between the days on which an actor is active.

use super::plain::scan;
use super::table::Frame;
use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::gather::{Scattered, by_actor, scatter};
use crate::analyses::records::Record;
use crate::analyses::{Crowd, Point};
use crate::operators::percentile::percentile;
use crate::plan::Bound;
use crate::query::RetentionQuery;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tallymark_query::{Buckets, Prepared, QueryError, Scan, Unit, json_number};

/// What a query becomes when it meets a snapshot.
pub(super) struct Usage<'a> {
    query: &'a RetentionQuery,
    bound: &'a Bound<'a>,
    pub days: Buckets,
    pub scan: Scan,
    actors: Actors,
}

/// A day on which an actor was active.
#[derive(Debug, Clone, Copy)]
struct Active {
    actor: u32,
    who: u32,
    day: u32,
}

impl Record for Active {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        true
    }
    fn order(&self) -> impl Ord {
        self.day
    }
}

impl<'a> Usage<'a> {
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<Usage<'a>, Error> {
        let days = bound.buckets(Some(Unit::Day))?;
        let mut scan = scan(query, bound, &Frame::new(query, bound, false)?);
        (scan.from, scan.to) = (bound.range.0, bound.until(bound.range.1));
        scan.order = false;
        Ok(Usage { query, bound, days, scan, actors: Actors::new(&query.common.count_by, bound.context) })
    }

    pub fn answer(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        // Medians are whole or half days: twice the median, and its actors.
        let parts = self.each(&prepared, BTreeMap::<u32, u64>::new, |medians, _, twice| {
            *medians.entry(twice).or_default() += 1;
        })?;
        let mut medians: BTreeMap<u32, u64> = BTreeMap::new();
        for (twice, n) in parts.into_iter().flatten() {
            *medians.entry(twice).or_default() += n;
        }
        let actors: u64 = medians.values().sum();
        let at = |rank: u64| {
            let mut seen = 0;
            let found = medians.iter().find(|(_, n)| {
                seen += **n;
                seen > rank
            });
            found.map_or(0.0, |(twice, _)| f64::from(*twice) / 2.0)
        };
        let median = (actors > 0).then(|| (at((actors - 1) / 2) + at(actors / 2)) / 2.0);
        let count = |x: usize| medians.range(..=2 * x as u32).map(|(_, n)| n).sum::<u64>();
        let counts: Vec<u64> = (1..=self.query.periods).map(count).collect();
        let share = |n: &u64| match actors {
            0 if self.query.common.div_zero => json!(0),
            0 => Value::Null,
            _ => json_number(*n as f64 / actors as f64),
        };
        let mut answer = Map::new();
        answer.insert("actors".to_owned(), json!(actors));
        answer.insert("median_days".to_owned(), median.map_or(Value::Null, json_number));
        answer.insert("share".to_owned(), counts.iter().map(share).collect());
        answer.insert("counts".to_owned(), json!(counts));
        Ok(answer)
    }

    /// `{days: x}`: the actors whose median is at most x days.
    pub fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let days = point.reader.integer("days", 1, 100_000)?;
        let days = days.ok_or_else(|| point.reader.missing("days", "the most days of the median gap"))?;
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let parts = self.each(&prepared, Vec::new, |crowd: &mut Vec<u32>, who, twice| {
            if i64::from(twice) <= 2 * days {
                crowd.push(who);
            }
        })?;
        Ok(Crowd::of(&self.actors, &prepared, parts.into_iter().flatten()))
    }

    /// Gives twice the median gap of every actor with at least two days.
    fn each<S: Send>(
        &self,
        prepared: &Prepared<'_>,
        new: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, u32, u32) + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let (context, threads) = (self.bound.context, self.bound.threads);
        let scattered = scatter(prepared, context, threads, |into: &mut Scattered<Active>, batch| {
            let actors = self.actors.of(batch)?;
            let mut last = (0, 0);
            for (row, time) in batch.times.iter().enumerate() {
                let day = self.days.find(*time).unwrap_or_default() as u32;
                if last != (actors[row], day) {
                    last = (actors[row], day);
                    into.push(Active { actor: actors[row], who: actors[row], day });
                }
            }
            Ok(())
        })?;
        by_actor(scattered, context, threads, new, |state, days| {
            let gaps = days.windows(2).map(|w| w[1].day - w[0].day).filter(|gap| *gap > 0);
            let gaps: Vec<f64> = gaps.map(f64::from).collect();
            if let Some(median) = percentile(&[&gaps], 50.0) {
                take(state, days[0].who, (median * 2.0) as u32);
            }
            Ok(())
        })
    }
}
