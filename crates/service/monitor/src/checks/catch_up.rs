//! A backlog is not being worked off, or will take very long.
//!
//! Guarantees: from measured rates only; the slowest partition decides.
//! Deliberately not here: the estimate that is shown (`eta`).

use super::{finding, patience, pending_age, pending_place, place_text, seconds};
use crate::config::{HOUR, Thresholds};
use crate::facts::{Facts, ShardFacts};
use crate::status::duration_text;
use crate::{Component, Finding, Impact, Monitor, Severity};
use tallymark_model::{Lane, Millis};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    facts.shards.iter().filter_map(|s| one(s, facts, t)).collect()
}

fn one(shard: &ShardFacts, facts: &Facts, t: &Thresholds) -> Option<Finding> {
    let lane = shard.shard.lane;
    let age = pending_age(shard, facts.at)?;
    if seconds(age) < t.catch_up_after_s * patience(lane, t) {
        return None;
    }
    // Just begun to look: nothing is known about rates yet.
    let (drain, arrival) = shard.drain_per_s.zip(shard.arrival_per_s)?;
    let net = drain - arrival;
    let rates = format!("{drain:.0} events/s are worked off, {arrival:.0} arrive");
    let (severity, title, what) = if drain <= 0.0 {
        (Severity::Critical, "A backlog is not being worked off", "nothing is worked off".to_owned())
    } else if net <= 0.0 {
        (Severity::Critical, "A backlog does not shrink", rates)
    } else {
        let ms = shard.pending() as f64 / net * 1_000.0;
        if ms < t.catch_up_critical_h * HOUR as f64 {
            return None;
        }
        let takes = format!("{rates}; at this rate it takes {}", duration_text(ms.min(1e15) as Millis));
        (Severity::Warning, "A backlog will take very long", takes)
    };
    let place = pending_place(shard);
    let detail = format!("{}: {what}.", place_text(&place));
    let since = facts.at - age;
    let key = shard.shard.to_string();
    let mut f = finding(Monitor::CatchUp, key, severity, Component::Lane(lane), title, detail, since);
    f.impact = if lane == Lane::Live { Impact::Major } else { Impact::Minor };
    f.affected = vec![place];
    Some(f)
}
