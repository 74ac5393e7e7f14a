//! Follows every lane: when a backlog begins, what is estimated, when it ends.
//!
//! Guarantees: pure apart from its own memory; what it must remember over a restart is in the store, and handed
//! back by [`EtaTracker::resume`].
//! Deliberately not here: storing.

use super::{BEGINS_AT_AGE, ENDS_AT_AGE, EtaAnswer, EtaNow, ShardEta, Window};
use crate::facts::{Facts, ShardFacts};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tallymark_model::{Lane, Millis, Shard};

#[derive(Debug, Clone, Copy)]
struct Run {
    started_at: Millis,
    shrinking_since: Option<Millis>,
}

/// What became of a lane's backlog in one observation.
#[derive(Debug, Clone, PartialEq)]
pub enum EtaStep {
    /// There is a backlog; `shrinking_since` tells from when on estimates are judged.
    Running {
        /// The estimate.
        now: EtaNow,
        /// When it began to shrink.
        shrinking_since: Option<Millis>,
    },
    /// It is over.
    Drained {
        /// Which lane.
        lane: Lane,
        /// When it began.
        started_at: Millis,
        /// When it began to shrink.
        shrinking_since: Option<Millis>,
    },
}

/// Follows every lane.
#[derive(Debug, Clone, Default)]
pub struct EtaTracker {
    windows: BTreeMap<Shard, Window>,
    lanes: BTreeMap<Lane, Window>,
    runs: BTreeMap<Lane, Run>,
}

impl EtaTracker {
    /// Goes on with a run that was not over when the process ended.
    pub fn resume(&mut self, lane: Lane, started_at: Millis, shrinking_since: Option<Millis>) {
        self.runs.insert(lane, Run { started_at, shrinking_since });
    }

    /// Takes in what is the case now, fills the measured rates into the facts, and says what follows.
    pub fn observe(&mut self, facts: &mut Facts) -> Vec<EtaStep> {
        let now = facts.at;
        for shard in &mut facts.shards {
            let window = self.windows.entry(shard.shard).or_default();
            window.observe(now, shard.cursor, shard.log_end);
            if let Some(rates) = window.rates() {
                shard.drain_per_s.get_or_insert(rates.drain_per_s);
                shard.arrival_per_s.get_or_insert(rates.arrival_per_s);
            }
        }
        for lane in Lane::ALL {
            let shards = facts.shards.iter().filter(|s| s.shard.lane == lane);
            let (cursors, ends) = shards.fold((0, 0), |sum, s| (sum.0 + s.cursor, sum.1 + s.log_end));
            self.lanes.entry(lane).or_default().observe(now, cursors, ends);
        }
        Lane::ALL.into_iter().filter_map(|lane| self.lane(lane, now, &facts.shards)).collect()
    }

    fn lane(&mut self, lane: Lane, now: Millis, shards: &[ShardFacts]) -> Option<EtaStep> {
        let shards: Vec<&ShardFacts> = shards.iter().filter(|s| s.shard.lane == lane).collect();
        if shards.is_empty() {
            // Not seen is not drained.
            return None;
        }
        let age = shards.iter().map(|s| age(s, now)).max().unwrap_or(0);
        let run = match self.runs.entry(lane) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if age < BEGINS_AT_AGE => return None,
            Entry::Vacant(new) => new.insert(Run { started_at: now, shrinking_since: None }),
        };
        if age < ENDS_AT_AGE {
            let Run { started_at, shrinking_since } = *run;
            self.runs.remove(&lane);
            return Some(EtaStep::Drained { lane, started_at, shrinking_since });
        }
        let windows = &self.windows;
        let estimates = shards
            .iter()
            .map(|s| ShardEta::of(s.shard, s.pending(), windows.get(&s.shard).and_then(Window::rates)));
        let together = self.lanes.get(&lane).and_then(Window::rates);
        let estimate = EtaNow::of(now, lane, run.started_at, estimates.collect(), together)?;
        let shrinking = matches!(estimate.worst.answer, EtaAnswer::Ends { .. });
        if shrinking && run.shrinking_since.is_none() {
            let moving = windows.get(&estimate.worst.shard).and_then(Window::moving_since);
            run.shrinking_since = Some(moving.unwrap_or(now));
        }
        Some(EtaStep::Running { now: estimate, shrinking_since: run.shrinking_since })
    }
}

fn age(shard: &ShardFacts, now: Millis) -> Millis {
    match shard.oldest_pending {
        Some(at) if shard.pending() > 0 => (now - at).max(0),
        _ => 0,
    }
}
