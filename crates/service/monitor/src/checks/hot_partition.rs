//! One partition carries far more of the backlog than the others.
//!
//! Guarantees: compared with the median of its lane, so one hot partition does not hide itself in a mean.
//! Deliberately not here: who causes it (`hot_project`).

use super::{finding, patience, pending_age, pending_place, place_text, seconds};
use crate::config::Thresholds;
use crate::facts::{Facts, ShardFacts};
use crate::{Component, Finding, Monitor, Severity};
use tallymark_model::Lane;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    Lane::ALL.into_iter().flat_map(|lane| of_lane(lane, facts, t)).collect()
}

fn of_lane(lane: Lane, facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let shards: Vec<&ShardFacts> = facts.shards.iter().filter(|s| s.shard.lane == lane).collect();
    if shards.len() < 2 {
        return Vec::new();
    }
    let mut pending: Vec<u64> = shards.iter().map(|s| s.pending()).collect();
    pending.sort_unstable();
    // The lower median: of two partitions, the other one.
    let median = pending[(pending.len() - 1) / 2];
    let limit = (median as f64 * t.hot_partition_factor).max(t.hot_partition_records_min as f64);
    let hot = shards.into_iter().filter(|s| s.pending() as f64 >= limit && s.pending() > median);
    hot.map(|s| {
        let late =
            pending_age(s, facts.at).is_some_and(|age| seconds(age) >= t.lag_warning_s * patience(lane, t));
        let severity = if late { Severity::Warning } else { Severity::Info };
        let place = pending_place(s);
        let rates = match s.drain_per_s.zip(s.arrival_per_s) {
            Some((drain, arrival)) => format!(" {drain:.0} events/s are worked off, {arrival:.0} arrive."),
            None => String::new(),
        };
        let detail = format!("{}; the median of the lane is {median}.{rates}", place_text(&place));
        let title = "One partition is far behind the others";
        let since = s.oldest_pending.unwrap_or(facts.at);
        let key = s.shard.to_string();
        let mut f =
            finding(Monitor::HotPartition, key, severity, Component::Lane(lane), title, detail, since);
        f.affected = vec![place];
        f
    })
    .collect()
}
