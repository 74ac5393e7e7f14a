//! Stickiness (chapter 6): actors by the number of buckets they were active in.

use super::actors::Actors;
use super::gather::{Scattered, by_actor, scatter};
use super::owned::{Moment, Owned};
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::plan::Bound;
use crate::query::StickinessQuery;
use serde_json::{Map, Value, json};
use std::ops::Range;
use tallymark_query::{Batch, Buckets, Calendar, Prepared, QueryError, Scan, Unit, json_number};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Stickiness<'a> {
    query: &'a StickinessQuery,
    bound: &'a Bound<'a>,
    buckets: Buckets,
    /// What is evaluated alone: label, and its buckets.
    periods: Vec<Period>,
    scan: Scan,
    actors: Actors,
}

/// Label and buckets of what is evaluated alone.
type Period = (String, Range<usize>);
/// Actors per number of buckets, and all of them.
type Bars = (Vec<u64>, u64);

struct Part {
    /// Per period, per number of buckets.
    counts: Vec<Vec<u64>>,
    crowd: Vec<u32>,
}

/// A bar: its period and the number of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bar {
    period: usize,
    n: usize,
}

impl Analysis for Stickiness<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let counts = self.fold(&prepared, None)?.0;
        Ok(self.write(counts))
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let bar = self.bar(point)?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (_, crowd) = self.fold(&prepared, Some(bar))?;
        Ok(Crowd::of(&self.actors, &prepared, crowd))
    }
}

impl<'a> Stickiness<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a StickinessQuery, bound: &'a Bound<'a>) -> Result<Stickiness<'a>, Error> {
        let (from, to) = bound.range;
        let selectors = vec![bound.selector(&query.selector, query.common.segment.as_ref())];
        let scan = bound.scan(selectors, from, to, &query.common.count_by);
        let actors = Actors::new(&query.common.count_by, bound.context);
        let (buckets, periods) = match query.period {
            None => {
                let buckets = bound.buckets(Some(query.interval))?;
                let all = (String::new(), 0..buckets.len());
                (buckets, vec![all])
            }
            Some(unit) => periods(&bound.calendar, unit, from, to)?,
        };
        Ok(Stickiness { query, bound, buckets, periods, scan, actors })
    }

    fn bar(&self, point: &Point<'_>) -> Result<Bar, Error> {
        let reader = &point.reader;
        let period = match (reader.text("period")?, self.query.period) {
            (None, None) => 0,
            (None, Some(_)) => {
                let hint = "the label of one of `periods`: the headline is a mean, and counts no actors";
                return Err(reader.missing("period", hint));
            }
            (Some(label), _) => {
                let at = self.periods.iter().position(|(l, _)| l == label && self.query.period.is_some());
                at.ok_or_else(|| {
                    reader.wrong("period", format!("{label:?} is no period of this answer"), "")
                })?
            }
        };
        let most = self.periods.get(period).map_or(0, |(_, buckets)| buckets.len());
        let n = reader.integer("n", 1, most.max(1) as i64)?;
        let n = n.ok_or_else(|| reader.missing("n", "the number of buckets, from 1"))?;
        point.finish()?;
        Ok(Bar { period, n: n as usize })
    }

    /// Actors with exactly as many buckets, per period; and who is in one bar.
    fn fold(&self, prepared: &Prepared<'_>, bar: Option<Bar>) -> Result<(Vec<Vec<u64>>, Vec<u32>), Error> {
        let context = self.bound.context;
        let collect = |scattered: &mut Scattered<Owned<Moment>>, batch: &Batch| {
            let actors = self.actors.of(batch)?;
            for (row, actor) in actors.iter().enumerate() {
                scattered.push(Owned::new(*actor, Moment { time: batch.times[row], mask: 1 }));
            }
            Ok(())
        };
        let scattered = scatter(prepared, context, self.bound.threads, collect)?;
        let empty = || -> Vec<Vec<u64>> { self.periods.iter().map(|(_, b)| vec![0; b.len()]).collect() };
        let new = || Part { counts: empty(), crowd: Vec::new() };
        let fold = |part: &mut Part, events: &[Owned<Moment>]| -> Result<(), QueryError> {
            let (mut period, mut n) = (0, 0);
            let mut close = |period: usize, n: usize| {
                if n == 0 {
                    return;
                }
                part.counts[period][n - 1] += 1;
                let in_bar = |bar: Bar| bar.period == period && self.reaches(n, bar.n);
                if bar.is_some_and(in_bar) {
                    part.crowd.push(events[0].actor);
                }
            };
            let bucket = |e: &Owned<Moment>| self.buckets.find_inside(e.what.time);
            for run in events.chunk_by(|a, b| bucket(a) == bucket(b)) {
                let bucket = bucket(&run[0]);
                while bucket >= self.periods[period].1.end {
                    close(period, n);
                    (period, n) = (period + 1, 0);
                }
                n += usize::from(run.len() >= self.query.min_per_interval);
            }
            close(period, n);
            Ok(())
        };
        let (mut counts, mut crowd) = (empty(), Vec::new());
        for part in by_actor(scattered, context, self.bound.threads, new, fold)? {
            let pairs = counts.iter_mut().flatten().zip(part.counts.iter().flatten());
            pairs.for_each(|(sum, more)| *sum += more);
            crowd.extend(part.crowd);
        }
        Ok((counts, crowd))
    }

    fn reaches(&self, n: usize, bar: usize) -> bool {
        if self.query.cumulative { n >= bar } else { n == bar }
    }

    fn write(&self, counts: Vec<Vec<u64>>) -> Map<String, Value> {
        let zero = if self.query.common.div_zero { json!(0) } else { Value::Null };
        let mut answer = Map::new();
        let mut all: Vec<Bars> = Vec::new();
        for mut counts in counts {
            let base = counts.iter().sum();
            if self.query.cumulative {
                (1..counts.len()).rev().for_each(|n| counts[n - 1] += counts[n]);
            }
            all.push((counts, base));
        }
        let share = |(counts, base): &(Vec<u64>, u64)| -> Value {
            let of = |n: &u64| if *base == 0 { zero.clone() } else { json_number(*n as f64 / *base as f64) };
            counts.iter().map(of).collect()
        };
        if self.query.period.is_none() {
            let only = all.first().cloned().unwrap_or_default();
            let (from, to) = self.bound.range;
            answer.insert("share".to_owned(), share(&only));
            answer.insert("counts".to_owned(), json!(only.0));
            answer.insert("incomplete".to_owned(), json!(self.bound.lacking(from, to)));
            return answer;
        }
        let row = |((label, buckets), bars): (&Period, &Bars)| {
            let (start, end) = (self.buckets.start(buckets.start), self.buckets.end(buckets.end - 1));
            let incomplete = self.bound.lacking(start, end);
            json!({"period": label, "counts": bars.0, "share": share(bars), "incomplete": incomplete})
        };
        answer.insert("periods".to_owned(), self.periods.iter().zip(&all).map(row).collect());
        // The headline: each bar's mean over the periods; of shares over those in which anybody came.
        let bars = all.iter().map(|(counts, _)| counts.len()).max().unwrap_or(0);
        let came = all.iter().filter(|(_, base)| *base > 0).count();
        let mean = |n: usize| all.iter().map(|(c, _)| c.get(n).copied().unwrap_or(0)).sum::<u64>() as f64;
        let shares = |n: usize| {
            let share =
                |(c, base): &(Vec<u64>, u64)| c.get(n).copied().unwrap_or(0) as f64 / (*base).max(1) as f64;
            all.iter().map(share).sum::<f64>()
        };
        let counts = (0..bars).map(|n| json_number(mean(n) / all.len() as f64)).collect();
        let share =
            (0..bars).map(|n| if came == 0 { zero.clone() } else { json_number(shares(n) / came as f64) });
        answer.insert("counts".to_owned(), counts);
        answer.insert("share".to_owned(), share.collect());
        answer
    }
}

/// All days of the weeks or months that a range touches, and which are whose.
fn periods(calendar: &Calendar, unit: Unit, from: i64, to: i64) -> Result<(Buckets, Vec<Period>), Error> {
    let periods = Buckets::covering(calendar, unit, from, to)?;
    if periods.is_empty() {
        return Ok((periods, Vec::new()));
    }
    let days = Buckets::covering(calendar, Unit::Day, periods.start(0), periods.end(periods.len() - 1))?;
    let day = |t| days.find(t).unwrap_or(days.len());
    let labels = periods.labels(calendar, unit)?;
    let of = |(i, label)| (label, day(periods.start(i))..day(periods.end(i)));
    Ok((days.clone(), labels.into_iter().enumerate().map(of).collect()))
}
