//! A partition is far behind its log.
//!
//! Guarantees: judged by age, not by count: a thousand pending records are a lot for one instance and nothing for
//! another.
//! Deliberately not here: when it ends (`catch_up`).

use super::{age_text, finding, grade, patience, pending_age, pending_place, place_text, seconds};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Impact, Monitor, Severity};
use tallymark_model::Lane;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for shard in &facts.shards {
        let (Some(age), Some(oldest)) = (pending_age(shard, facts.at), shard.oldest_pending) else {
            continue;
        };
        let patience = patience(shard.shard.lane, t);
        let (warning, critical) = (t.lag_warning_s * patience, t.lag_critical_s * patience);
        let Some(severity) = grade(seconds(age), warning, critical) else { continue };
        let place = pending_place(shard);
        let detail = format!("Pending {}: {}.", age_text(oldest, facts.at), place_text(&place));
        let (key, lane) = (shard.shard.to_string(), shard.shard.lane);
        let title =
            if lane == Lane::Live { "Processing is behind" } else { "Processing of imports is behind" };
        let mut f = finding(Monitor::Lag, key, severity, Component::Lane(lane), title, detail, oldest);
        f.impact = if severity == Severity::Critical { Impact::Major } else { Impact::Minor };
        f.affected = vec![place];
        found.push(f);
    }
    found
}
