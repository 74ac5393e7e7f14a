//! What is remembered of every source of events, so that it is known what is usual for it.
//!
//! Guarantees: pure and bounded: 95 minutes and 8 days of hours per source, both counted back from its newest event, so
//! that silence, however long, does not become usual.
//! Deliberately not here: reading the log (`server`), judging (`checks`).

use crate::config::{HOUR, MINUTE};
use crate::facts::{OtherDays, Volume};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// What is usual is measured over so many minutes.
const USUAL: i64 = 60;
/// What is compared with it.
const RECENT: i64 = 5;
/// Between the two: a change is news for so long, and usual after that.
const NEWS: i64 = 30;
/// Less than this in front of it is too little to leave it out.
const USUAL_MIN: i64 = 15;
/// Hours that are kept: a week, and the hours around this one a week ago.
const HOURS_KEPT: i64 = 8 * 24;

/// Events of one source by minute and by hour of their receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    first: Millis,
    last: Millis,
    /// Since when it sends without a pause of [`USUAL`] minutes.
    since: Millis,
    minutes: BTreeMap<i64, u64>,
    hours: BTreeMap<i64, u64>,
}

impl Heard {
    /// Of a source that was not known.
    pub fn new(at: Millis) -> Heard {
        Heard { first: at, last: at, since: at, minutes: BTreeMap::new(), hours: BTreeMap::new() }
    }

    /// Counts events. Partitions are read one after the other, so what is heard may be older than what was.
    pub fn hear(&mut self, at: Millis, events: u64) {
        if at - self.last >= USUAL * MINUTE {
            // What it did before says nothing about how regular it is now.
            self.since = at;
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        *self.minutes.entry(at.div_euclid(MINUTE)).or_default() += events;
        *self.hours.entry(at.div_euclid(HOUR)).or_default() += events;
        keep(&mut self.minutes, self.last.div_euclid(MINUTE) - USUAL - NEWS - RECENT);
        keep(&mut self.hours, self.last.div_euclid(HOUR) - HOURS_KEPT);
    }

    /// When its newest event was received.
    pub fn last(&self) -> Millis {
        self.last
    }

    /// Events of each of the last whole minutes and of the one that has begun, oldest first.
    pub fn minutes(&self, now: Millis, count: usize) -> Vec<u64> {
        let end = now.div_euclid(MINUTE);
        let from = end - i64::try_from(count).unwrap_or(i64::MAX) + 1;
        (from..=end).map(|minute| self.minutes.get(&minute).copied().unwrap_or(0)).collect()
    }

    /// What it sends now, and what is usual.
    pub fn volume(&self, now: Millis) -> Volume {
        let (last, this) = (self.last.div_euclid(MINUTE), now.div_euclid(MINUTE));
        let since = self.since.div_euclid(MINUTE);
        // A source that has just begun has nothing but its last minutes.
        let ends = [(this - RECENT - NEWS, USUAL_MIN), (this - RECENT, 1)];
        let enough = |(end, least): (i64, i64)| Some(end.min(last + 1)).filter(|end| end - since >= least);
        let end = ends.into_iter().find_map(enough).unwrap_or(last + 1);
        let from = since.max(end - USUAL).min(end - 1);
        let events = self.sum(from, end);
        let pauses = self.minutes.range(from..).zip(self.minutes.range(from..).skip(1));
        let longest = pauses.map(|((a, _), (b, _))| b - a - 1).max().unwrap_or(0);
        Volume {
            first: self.first,
            last: self.last,
            observed_ms: self.last - self.since,
            usual_per_minute: events as f64 / (end - from) as f64,
            longest_pause_ms: longest * MINUTE,
            recent_ms: RECENT * MINUTE,
            recent: self.sum(this - RECENT, this),
            extremes: self.extremes(from, end),
            other_days: self.other_days(now.div_euclid(HOUR)),
        }
    }

    fn sum(&self, from: i64, to: i64) -> u64 {
        if from >= to { 0 } else { self.minutes.range(from..to).map(|(_, n)| n).sum() }
    }

    fn extremes(&self, from: i64, to: i64) -> Option<(u64, u64)> {
        let windows = (from..=to - RECENT).map(|start| self.sum(start, start + RECENT));
        windows.fold(None, |known, n| Some(known.map_or((n, n), |(a, b): (u64, u64)| (a.min(n), b.max(n)))))
    }

    /// Days on which it was there at this time, from the newest back. A day after its newest event says nothing.
    fn other_days(&self, hour: i64) -> Option<OtherDays> {
        let whole_from = self.first.div_euclid(HOUR) + 1;
        let last = self.last.div_euclid(HOUR);
        let rate = |hour: i64| self.hours.get(&hour).copied().unwrap_or(0) as f64 / (HOUR / MINUTE) as f64;
        let around = |days: i64| {
            let middle = hour - 24 * days;
            let known = middle > whole_from.max(last - HOURS_KEPT) && middle < last;
            known.then(|| [rate(middle - 1), rate(middle), rate(middle + 1)])
        };
        let least = |rates: [f64; 3]| rates.into_iter().fold(f64::INFINITY, f64::min);
        let most = |rates: [f64; 3]| rates.into_iter().fold(0.0, f64::max);
        let farthest = (hour - last).max(0) / 24 + 8;
        let days: Vec<[f64; 3]> = (1..=farthest).filter_map(around).take(7).collect();
        let week = (1..=farthest / 7 + 1).find_map(|weeks| around(7 * weeks));
        let (mut lows, mut highs): (Vec<f64>, Vec<f64>) =
            days.iter().map(|rates| (least(*rates), most(*rates))).unzip();
        lows.sort_by(f64::total_cmp);
        highs.sort_by(f64::total_cmp);
        let low = *lows.get(lows.len().checked_sub(1)? / 2)?;
        let high = *highs.get(highs.len() / 2)?;
        let (week_low, week_high) = week.map_or((low, high), |rates| (least(rates), most(rates)));
        Some(OtherDays { low: low.min(week_low), high: high.max(week_high) })
    }
}

/// Drops what is not later than this.
fn keep(counts: &mut BTreeMap<i64, u64>, after: i64) {
    if counts.first_key_value().is_some_and(|(first, _)| *first <= after) {
        *counts = counts.split_off(&(after + 1));
    }
}
