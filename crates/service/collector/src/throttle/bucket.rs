//! One sender's account: a leaky bucket for the rate, hours of the last day for the quota, and what was sent.
//!
//! Guarantees: over any span of t seconds it lets pass at most burst + rate * t events (plus a single request that is
//! larger than the whole burst, if nothing else was sent); time that goes back changes nothing.

use super::rules::Rule;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const HOUR_MS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
/// Span over which the rate that is told to clients is measured.
const SPAN_MS: u64 = 30_000;
const RETRY_S_MAX: u32 = 30;

/// Two readings of "now": one that never jumps, for rates; one by the calendar, for days and for files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub mono_ms: u64,
    pub wall_ms: i64,
}

/// What one sender has used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    /// Events that have not leaked yet.
    level: f64,
    at_ms: u64,
    quota: Quota,
    /// Events offered in this span and the one before.
    offered: [u64; 2],
    span_at_ms: u64,
}

/// Events per hour of the last day; kept only for senders that were throttled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    flagged: bool,
    hours: VecDeque<(i64, u64)>,
}

impl Bucket {
    /// A bucket as it was saved, `elapsed_ms` ago.
    pub fn restored(level: f64, quota: Quota, rate: f64, elapsed_ms: u64, now: Now) -> Bucket {
        let level = if level.is_finite() { level.max(0.0) } else { 0.0 };
        let level = (level - rate * elapsed_ms as f64 / 1000.0).max(0.0);
        Bucket { level, at_ms: now.mono_ms, quota, ..Bucket::default() }
    }

    /// Lets leak what has leaked until now.
    pub fn settle(&mut self, rate: f64, now: Now) {
        let elapsed = now.mono_ms.saturating_sub(self.at_ms);
        self.level = (self.level - rate * elapsed as f64 / 1000.0).max(0.0);
        self.at_ms = self.at_ms.max(now.mono_ms);
        while self.quota.hours.front().is_some_and(|(hour, _)| *hour <= hour_of(now) - DAY_HOURS) {
            self.quota.hours.pop_front();
        }
    }

    /// Notes that `n` events were offered, whatever becomes of them.
    pub fn offer(&mut self, n: u64, now: Now) {
        let spans = now.mono_ms.saturating_sub(self.span_at_ms) / SPAN_MS;
        if spans > 0 {
            self.offered = [0, if spans == 1 { self.offered[0] } else { 0 }];
            self.span_at_ms += spans * SPAN_MS;
        }
        self.offered[0] += n;
    }

    /// How many events would pass now.
    pub fn room(&self, rule: &Rule) -> u64 {
        let by_rate = (rule.burst as f64 - self.level + 1e-6).max(0.0) as u64;
        self.quota_room(rule).map_or(by_rate, |by_quota| by_rate.min(by_quota))
    }

    /// True if `n` events would pass together.
    pub fn fits(&self, n: u64, rule: &Rule) -> bool {
        if self.quota_room(rule).is_some_and(|room| room < n) {
            return false;
        }
        // A request larger than the burst could never pass otherwise.
        self.level <= 0.0 || self.level + n as f64 <= rule.burst as f64 + 1e-6
    }

    /// Takes `n` events that were let pass.
    pub fn take(&mut self, n: u64, now: Now) {
        self.level += n as f64;
        if self.quota.flagged && n > 0 {
            let hour = hour_of(now);
            match self.quota.hours.back_mut() {
                Some((last, count)) if *last >= hour => *count += n,
                _ => self.quota.hours.push_back((hour, n)),
            }
        }
    }

    /// Gives back events that were let pass and could not be stored.
    pub fn give_back(&mut self, n: u64) {
        self.level = (self.level - n as f64).max(0.0);
        if let Some((_, count)) = self.quota.hours.back_mut() {
            *count = count.saturating_sub(n);
        }
    }

    /// From now on its events of a day are counted.
    pub fn flag(&mut self) {
        self.quota.flagged = true;
    }

    /// Events of the last 24 hours, if it is over its daily quota.
    pub fn over_quota(&self, rule: &Rule) -> Option<u64> {
        self.quota_room(rule).filter(|room| *room == 0).map(|_| self.day())
    }

    /// Seconds until `n` more events would pass.
    pub fn retry_after_s(&self, n: u64, rule: &Rule) -> u32 {
        let excess = self.level + (n.min(rule.burst)) as f64 - rule.burst as f64;
        let seconds = (excess / rule.events_per_second).ceil();
        if self.over_quota(rule).is_some() || seconds >= f64::from(RETRY_S_MAX) {
            RETRY_S_MAX
        } else {
            (seconds as u32).max(1)
        }
    }

    /// Events per second that were offered, as a mean over 30 s.
    pub fn offered_per_second(&self, now: Now) -> f64 {
        let into = (now.mono_ms.saturating_sub(self.span_at_ms)).min(SPAN_MS) as f64 / SPAN_MS as f64;
        (self.offered[0] as f64 + self.offered[1] as f64 * (1.0 - into)) * 1000.0 / SPAN_MS as f64
    }

    /// True if a new bucket would be the same.
    pub fn is_idle(&self) -> bool {
        self.level <= 0.0 && self.quota.hours.is_empty()
    }

    pub fn level(&self) -> f64 {
        self.level
    }
    pub fn quota(&self) -> &Quota {
        &self.quota
    }
    /// Events of the last 24 hours since it was first throttled.
    pub fn day(&self) -> u64 {
        self.quota.hours.iter().map(|(_, n)| n).sum()
    }

    fn quota_room(&self, rule: &Rule) -> Option<u64> {
        rule.daily.filter(|_| self.quota.flagged).map(|daily| daily.saturating_sub(self.day()))
    }
}

fn hour_of(now: Now) -> i64 {
    now.wall_ms.div_euclid(HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::rules::Rules;
    use proptest::prelude::*;

    fn rule(rate: f64, burst: u64, daily: Option<u64>) -> Rule {
        Rule { events_per_second: rate, burst, daily, ..Rules::default().rules[0].clone() }
    }

    fn at(ms: u64) -> Now {
        Now { mono_ms: ms, wall_ms: ms as i64 }
    }

    proptest! {
        /// The definition, checked against every span of what was let pass.
        #[test]
        fn no_span_lets_more_pass_than_burst_and_rate(
            rate in 1u64..50, burst in 1u64..200,
            sends in prop::collection::vec((0u64..3000, 1u64..60), 1..60),
        ) {
            let rule = rule(rate as f64, burst, None);
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, Vec::new());
            for (pause, n) in sends {
                now += pause;
                bucket.settle(rule.events_per_second, at(now));
                let n = n.min(bucket.room(&rule));
                bucket.take(n, at(now));
                passed.push((now, n));
            }
            for (i, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (to, n) in &passed[i..] {
                    sum += n;
                    let allowed = burst as f64 + rate as f64 * (to - from) as f64 / 1000.0;
                    prop_assert!(sum as f64 <= allowed + 0.01, "{sum} > {allowed} from {from} to {to}");
                }
            }
        }

        /// Who stays within its rate is never refused.
        #[test]
        fn who_keeps_to_the_rate_always_passes(rate in 1u64..100, burst in 1u64..100, seconds in 1u64..500) {
            let rule = rule(rate as f64, burst, None);
            let mut bucket = Bucket::default();
            let n = burst.min(rate);
            for second in 0..seconds {
                bucket.settle(rule.events_per_second, at(second * 1000));
                prop_assert!(bucket.fits(n, &rule) && bucket.room(&rule) >= n);
                bucket.take(n, at(second * 1000));
            }
        }
    }

    #[test]
    fn a_request_larger_than_the_burst_passes_when_nothing_else_was_sent() {
        let rule = rule(10.0, 5, None);
        let mut bucket = Bucket::default();
        assert!(bucket.fits(50, &rule));
        bucket.take(50, at(0));
        bucket.settle(10.0, at(4_900));
        assert!(!bucket.fits(50, &rule));
        assert_eq!(bucket.retry_after_s(50, &rule), 1);
        bucket.settle(10.0, at(5_000));
        assert!(bucket.fits(50, &rule));
    }

    #[test]
    fn the_quota_counts_a_rolling_day_from_the_first_time_it_was_throttled() {
        let rule = rule(1000.0, 1000, Some(100));
        let hour = 3_600_000;
        let mut bucket = Bucket::default();
        bucket.take(500, at(0));
        bucket.settle(1000.0, at(hour));
        assert_eq!(bucket.room(&rule), 1000, "not flagged: no quota");
        bucket.flag();
        bucket.take(60, at(hour));
        bucket.settle(1000.0, at(5 * hour));
        assert_eq!((bucket.room(&rule), bucket.over_quota(&rule)), (40, None));
        bucket.take(40, at(5 * hour));
        bucket.settle(1000.0, at(24 * hour));
        assert_eq!((bucket.over_quota(&rule), bucket.retry_after_s(1, &rule)), (Some(100), 30));
        bucket.settle(1000.0, at(25 * hour));
        assert_eq!(bucket.room(&rule), 60, "the first hour is a day old");
    }

    #[test]
    fn time_that_goes_back_changes_nothing() {
        let rule = rule(1.0, 10, None);
        let mut bucket = Bucket::default();
        bucket.settle(1.0, at(10_000));
        bucket.take(10, at(10_000));
        bucket.settle(1.0, at(3_000));
        bucket.settle(1.0, at(10_000));
        assert_eq!(bucket.room(&rule), 0);
    }

    #[test]
    fn the_rate_offered_is_a_mean_over_thirty_seconds() {
        let mut bucket = Bucket::default();
        for second in 0..90 {
            bucket.offer(40, at(second * 1000));
        }
        let rate = bucket.offered_per_second(at(90_000));
        assert!((38.0..42.0).contains(&rate), "{rate}");
    }
}
