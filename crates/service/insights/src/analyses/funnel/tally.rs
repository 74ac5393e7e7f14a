//! What is counted and timed of attempts (3.9, 3.10), and how it is written.

use super::between::Between;
use crate::operators::attempt;
use crate::operators::attempts::Attempt;
use crate::operators::percentile::percentile;
use crate::query::{FunnelQuery, HistogramSpec};
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::json_number;

/// One time of a step, with a vector's spare room and the copy that is sorted.
const TIME_BYTES: u64 = 24;

/// Counted and timed attempts of one group.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// Per step: attempts that reached it.
    pub counts: Vec<u64>,
    /// Per step: ms since the step reached before.
    times: Vec<Vec<Millis>>,
    /// Of completed attempts: ms from the first step to the last.
    totals: Vec<Millis>,
    /// Per bucket of entry: entered, converted.
    pub buckets: Vec<(u64, u64)>,
    pub between: Vec<Between>,
}

impl Tally {
    /// Of nobody.
    pub fn empty(query: &FunnelQuery, buckets: usize) -> Tally {
        let steps = query.steps.len();
        let pairs = if query.between.is_some() { required(query).len() - 1 } else { 0 };
        Tally {
            counts: vec![0; steps],
            times: vec![Vec::new(); steps],
            totals: Vec::new(),
            buckets: vec![(0, 0); buckets],
            between: vec![Between::default(); pairs],
        }
    }

    /// Bytes that an empty one holds.
    pub fn bytes(query: &FunnelQuery, buckets: usize) -> u64 {
        (256 + 64 * query.steps.len() + 16 * buckets) as u64
    }

    /// Adds a plain attempt; the bytes it needs.
    pub fn add_plain(&mut self, attempt: &attempt::Attempt) -> u64 {
        let steps = self.counts.len();
        self.counts[..attempt.depth].iter_mut().for_each(|c| *c += 1);
        for step in 1..attempt.depth {
            self.times[step].push((attempt.times[step] - attempt.times[step - 1]).max(0));
        }
        if attempt.depth == steps {
            self.totals.push((attempt.times[steps - 1] - attempt.times[0]).max(0));
        }
        TIME_BYTES * attempt.depth as u64
    }

    /// Adds an attempt; the bytes it needs.
    pub fn add(&mut self, attempt: &Attempt, time: impl Fn(usize) -> Millis) -> u64 {
        let mut before: Option<Millis> = None;
        for step in 0..self.counts.len() {
            let Some(at) = attempt.step(step).map(&time) else { continue };
            self.counts[step] += 1;
            if let Some(before) = before {
                self.times[step].push((at - before).max(0));
            }
            before = Some(at);
        }
        if let (Some(first), Some(last)) = (attempt.step(0), attempt.step(self.counts.len() - 1)) {
            self.totals.push((time(last) - time(first)).max(0));
        }
        TIME_BYTES * attempt.depth as u64
    }

    /// Adds an attempt of a bucket.
    pub fn add_over_time(&mut self, bucket: usize, entered: bool, converted: bool) {
        self.buckets[bucket].0 += u64::from(entered);
        self.buckets[bucket].1 += u64::from(converted);
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Tally) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.times.iter_mut().zip(&other.times).for_each(|(a, b)| a.extend_from_slice(b));
        self.totals.extend_from_slice(&other.totals);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(a, b)| *a = (a.0 + b.0, a.1 + b.1));
        self.between.iter_mut().zip(&other.between).for_each(|(a, b)| a.merge(b));
    }

    /// What groups rank by: those who entered.
    pub fn rank(&self) -> u64 {
        self.counts[0] + self.buckets.iter().map(|b| b.0).sum::<u64>()
    }

    /// Writes the keys of an answer or of one group.
    pub fn write(self, query: &FunnelQuery, row: &mut Map<String, Value>) {
        let mut put = |key: &str, value| row.insert(key.to_owned(), value);
        if query.over_time.is_some() {
            let rate = |(entered, converted): &(u64, u64)| match entered {
                0 if query.common.div_zero => json!(0),
                0 => Value::Null,
                _ => json_number(*converted as f64 / *entered as f64),
            };
            put("rate", self.buckets.iter().map(rate).collect());
            put("entered", self.buckets.iter().map(|b| b.0).collect());
            put("converted", self.buckets.iter().map(|b| b.1).collect());
            return;
        }
        let required = required(query);
        // Who reached an optional step reached the next one.
        let dropped = |k: usize| match required.iter().find(|r| **r > k) {
            Some(next) if required.contains(&k) => self.counts[k] - self.counts[*next],
            _ => 0,
        };
        put("dropped", (0..self.counts.len()).map(dropped).collect());
        put("reached", json!(self.counts));
        put("counts", json!(self.counts));
        let mut step_times = vec![Value::Null];
        step_times.extend(self.times.into_iter().skip(1).map(|t| times(t, &[])));
        put("step_times", Value::Array(step_times));
        if let Some(histogram) = query.histogram {
            put("histogram", bars(&self.totals, histogram));
        }
        put("total_time", times(self.totals, &query.percentiles));
        if let Some(between) = &query.between {
            let pairs = required.windows(2).zip(&self.between);
            let write =
                |(pair, b): (&[usize], &Between)| b.write(pair[0], pair[1], between.property.is_some());
            put("between", pairs.map(write).collect());
        }
    }
}

/// Steps that attempts need.
pub(super) fn required(query: &FunnelQuery) -> Vec<usize> {
    (0..query.steps.len()).filter(|k| !query.steps[*k].optional).collect()
}

/// The bar of a total time; none below the first.
pub(super) fn bar(ms: Millis, histogram: HistogramSpec) -> Option<usize> {
    (ms >= histogram.min).then(|| ((ms - histogram.min) / histogram.width) as usize)
}

/// Bars up to the last that is not empty.
fn bars(times: &[Millis], histogram: HistogramSpec) -> Value {
    let mut counts: Vec<u64> = Vec::new();
    for i in times.iter().filter_map(|t| bar(*t, histogram)) {
        if counts.len() <= i {
            counts.resize(i + 1, 0);
        }
        counts[i] += 1;
    }
    let edge = |i: usize| json_number((histogram.min + i as Millis * histogram.width) as f64 / 1000.0);
    let row = |(i, count)| json!({"from_s": edge(i), "to_s": edge(i + 1), "count": count});
    counts.into_iter().enumerate().map(row).collect()
}

/// Mean, median and percentiles in seconds; null of nobody.
fn times(times_ms: Vec<Millis>, percentiles: &[f64]) -> Value {
    let number = |n: Option<f64>| n.map_or(Value::Null, |ms| json_number(ms / 1000.0));
    let sum: i128 = times_ms.iter().map(|t| i128::from(*t)).sum();
    let mean = (!times_ms.is_empty()).then(|| sum as f64 / times_ms.len() as f64);
    let values: Vec<f64> = times_ms.into_iter().map(|t| t as f64).collect();
    let at = |p: f64| number(percentile(&[&values], p));
    let mut row = json!({"avg_s": number(mean), "median_s": at(50.0)});
    for p in percentiles {
        row[format!("p{p}_s")] = at(*p);
    }
    row
}
