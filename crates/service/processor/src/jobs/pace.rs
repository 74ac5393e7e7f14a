//! How much a job may do now, so that live records stay fresh.
//!
//! Guarantees: while live processing is behind, nothing; otherwise a share of the time, as a ceiling while live
//! records come in and as a floor always.
//! Deliberately not here: clocks of the wall. Lag is measured by how long ago the log was seen to be longer than what
//! is processed, so wrong receive times cannot stall a job.

use crate::config::ProcessorConfig;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tallymark_log::ReadLimit;
use tallymark_model::Shard;
use tokio::time::Instant;

/// Between two looks at the ends of the log.
const SAMPLE: Duration = Duration::from_millis(200);
/// Records of the smallest chunk.
const RECORDS_MIN: usize = 500;
/// Live processing counts as idle so long after its last commit.
const LIVE_IDLE: Duration = Duration::from_secs(2);

/// What a job may do now.
pub(crate) struct Pace {
    records: usize,
    records_max: usize,
    bytes: usize,
    chunk_time: Duration,
    share: f64,
    lag_max: Duration,
    backlog_max: u64,
    next: Instant,
    speed: Speed,
    live: Option<Instant>,
    lag: Lag,
}

impl Pace {
    pub(crate) fn new(config: &ProcessorConfig) -> Pace {
        Pace {
            records: config.job_records_max.clamp(1, 5_000),
            records_max: config.job_records_max.max(1),
            bytes: config.job_bytes_max.max(1),
            chunk_time: config.job_chunk_time,
            share: f64::from(config.job_share_percent.clamp(1, 100)) / 100.0,
            lag_max: config.job_lag_max,
            backlog_max: config.job_backlog_max,
            next: Instant::now(),
            speed: Speed::new(config.test_pace),
            live: None,
            lag: Lag::default(),
        }
    }

    /// How much the next chunk may read.
    pub(crate) fn limit(&self) -> ReadLimit {
        ReadLimit { records: self.records, bytes: self.bytes }
    }

    /// When the next chunk may start, if live processing is not behind.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Live records were committed.
    pub(crate) fn live_committed(&mut self) {
        self.live = Some(Instant::now());
    }

    /// A chunk was done: the next one is shorter or longer, and waits for its share of the time.
    pub(crate) fn took(&mut self, elapsed: Duration, records: u64) {
        if elapsed > self.chunk_time {
            self.records = (self.records / 2).max(RECORDS_MIN.min(self.records_max));
        } else if elapsed * 2 < self.chunk_time {
            self.records = (self.records * 2).min(self.records_max);
        }
        let busy = self.live.is_some_and(|at| at.elapsed() < LIVE_IDLE);
        let rest = if busy { elapsed.mul_f64((1.0 - self.share) / self.share) } else { Duration::ZERO };
        self.next = Instant::now() + rest;
        self.next = self.speed.after(records).map_or(self.next, |at| at.max(self.next));
    }

    /// Notes how long the live shards are, if it is time to.
    pub(crate) fn wants_sample(&self) -> bool {
        self.lag.last.is_none_or(|at| at.elapsed() >= SAMPLE)
    }

    /// The ends of the live shards, and how far they are processed.
    pub(crate) fn sample(&mut self, shards: &[(Shard, u64, u64)]) -> (Duration, u64) {
        self.lag.sample(Instant::now(), shards);
        (self.lag.age(Instant::now()), self.lag.backlog)
    }

    /// True if live processing needs everything for itself.
    pub(crate) fn is_behind(&self) -> bool {
        self.lag.backlog > self.backlog_max || self.lag.age(Instant::now()) > self.lag_max
    }
}

/// Tests only: a speed that is not exceeded. What a slow moment lost is made good, as far as it was short.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    per_s: Option<u32>,
    next: Option<Instant>,
}

impl Speed {
    /// What may be made good.
    const BEHIND: Duration = Duration::from_secs(3);

    pub(crate) fn new(per_s: Option<u32>) -> Speed {
        Speed { per_s, next: None }
    }

    /// So many records were done: when the next may be begun. None: at once.
    pub(crate) fn after(&mut self, records: u64) -> Option<Instant> {
        let per_s = self.per_s?;
        let now = Instant::now();
        let earliest = now.checked_sub(Self::BEHIND).unwrap_or(now);
        let from = self.next.map_or(now, |next| next.max(earliest));
        let next = from + Duration::from_secs_f64(records as f64 / f64::from(per_s));
        self.next = Some(next);
        Some(next)
    }
}

/// For how long the oldest record that is not processed has been there.
#[derive(Debug, Default)]
struct Lag {
    last: Option<Instant>,
    /// Per shard: when its end was first seen to be beyond an offset, oldest first.
    seen: BTreeMap<Shard, VecDeque<(Instant, u64)>>,
    backlog: u64,
}

impl Lag {
    fn sample(&mut self, now: Instant, shards: &[(Shard, u64, u64)]) {
        self.last = Some(now);
        self.backlog = 0;
        for &(shard, end, cursor) in shards {
            self.backlog += end.saturating_sub(cursor);
            let seen = self.seen.entry(shard).or_default();
            while seen.front().is_some_and(|(_, end)| *end <= cursor) {
                seen.pop_front();
            }
            if end > cursor && seen.back().is_none_or(|(_, last)| *last < end) {
                seen.push_back((now, end));
            }
        }
    }

    fn age(&self, now: Instant) -> Duration {
        let oldest = self.seen.values().filter_map(|s| s.front()).map(|(at, _)| *at).min();
        oldest.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }
}

/// How fast the work that is left shrinks, over the last while.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    began: Option<Instant>,
    seen: VecDeque<(Instant, u64)>,
}

impl Drain {
    /// The rate is measured over half of the time since the job began: a job starts with small chunks, and what it does
    /// in its first moments says little. But over at least this…
    const WINDOW_MIN: Duration = Duration::from_secs(2);
    /// … and at most this.
    const WINDOW_MAX: Duration = Duration::from_secs(60);

    /// Notes what is left, over all shards.
    pub(crate) fn note(&mut self, now: Instant, left: u64) {
        let began = *self.began.get_or_insert(now);
        let window = ((now - began) / 2).clamp(Self::WINDOW_MIN, Self::WINDOW_MAX);
        self.seen.push_back((now, left));
        // One observation at or before the window's start stays, so that the window is covered.
        while self.seen.len() > 2 && self.seen.get(1).is_some_and(|(at, _)| now - *at >= window) {
            self.seen.pop_front();
        }
    }

    /// Records per second over all shards.
    pub(crate) fn rate(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.seen.front()?, self.seen.back()?);
        let seconds = (*to - *from).as_secs_f64();
        (seconds > 0.0 && before > after).then(|| (before - after) as f64 / seconds)
    }

    /// Until everything is done, at the measured rate. One worker does all shards of a job, chunk by chunk, so no shard
    /// has a rate of its own: the one that is behind gets the whole rate when the others are done.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let left = self.seen.back()?.1;
        Duration::try_from_secs_f64(left as f64 / self.rate()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::Lane;

    fn shard(partition: u16) -> Shard {
        Shard { lane: Lane::Live, partition }
    }

    #[tokio::test(start_paused = true)]
    async fn lag_is_the_age_of_the_oldest_record_that_waits() {
        let mut lag = Lag::default();
        let second = Duration::from_secs(1);
        let start = Instant::now();
        lag.sample(start, &[(shard(0), 10, 0), (shard(1), 5, 5)]);
        lag.sample(start + second, &[(shard(0), 20, 0), (shard(1), 7, 5)]);
        assert_eq!((lag.age(start + 3 * second), lag.backlog), (3 * second, 22));
        // The first ten are done: the oldest that waits was first seen a second later.
        lag.sample(start + 4 * second, &[(shard(0), 20, 10), (shard(1), 7, 7)]);
        assert_eq!((lag.age(start + 4 * second), lag.backlog), (3 * second, 10));
        lag.sample(start + 5 * second, &[(shard(0), 20, 20), (shard(1), 7, 7)]);
        assert_eq!((lag.age(start + 9 * second), lag.backlog), (Duration::ZERO, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_shrink_and_rest_while_live_records_come_in() {
        let config = ProcessorConfig { job_records_max: 8_000, ..ProcessorConfig::new("unused") };
        let mut pace = Pace::new(&config);
        let first = pace.limit().records;
        pace.took(Duration::from_secs(2), 1);
        assert!(pace.limit().records < first);
        assert!(pace.next() <= Instant::now(), "nobody else needs the time");
        pace.live_committed();
        pace.took(Duration::from_millis(300), 1);
        assert_eq!(pace.next() - Instant::now(), Duration::from_millis(100), "75 % of the time");
        (0..9).for_each(|_| pace.took(Duration::from_millis(10), 1));
        assert_eq!(pace.limit().records, 8_000);
        pace.sample(&[(shard(0), config.job_backlog_max + 1, 0)]);
        assert!(pace.is_behind());
        pace.sample(&[(shard(0), 1, 0)]);
        assert!(!pace.is_behind());
    }

    #[tokio::test(start_paused = true)]
    async fn a_speed_is_kept_over_slow_moments_and_not_made_good_without_end() {
        let (second, mut speed) = (Duration::from_secs(1), Speed::new(Some(100)));
        let start = Instant::now();
        assert_eq!(speed.after(50), Some(start + second / 2));
        tokio::time::advance(2 * second).await;
        assert_eq!(speed.after(100), Some(start + second * 3 / 2), "late: at once");
        tokio::time::advance(60 * second).await;
        assert_eq!(speed.after(100), Some(start + 60 * second));
        assert_eq!(Speed::new(None).after(100), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_ends_at_the_rate_of_lately() {
        let mut drain = Drain::default();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        drain.note(start, 2_000);
        assert_eq!(drain.remaining(), None);
        drain.note(start + 10 * second, 1_400);
        assert_eq!(drain.rate(), Some(60.0));
        // Faster since: the slow start is forgotten, as far as half of the time is longer ago.
        for n in 11..=20 {
            drain.note(start + n * second, 1_400 - (n as u64 - 10) * 100);
        }
        assert_eq!(drain.rate(), Some(100.0));
        assert_eq!(drain.remaining(), Some(4 * second));
        drain.note(start + 24 * second, 0);
        assert_eq!(drain.remaining(), Some(Duration::ZERO));
    }
}
