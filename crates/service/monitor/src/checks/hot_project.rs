//! One project or key carries most of a backlog.
//!
//! Guarantees: in an instance with one project only keys can be hot.
//! Deliberately not here: throttling it.

use super::{finding, patience, pending_age, project_text, seconds};
use crate::config::Thresholds;
use crate::facts::{Facts, ShardFacts, Share};
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for shard in facts.shards.iter().filter(|s| s.pending() >= t.hot_project_records_min) {
        let hot = shard.backlog_shares.iter().filter(|s| s.share >= t.hot_project_share);
        found.extend(
            hot.filter(|s| s.key.is_some() || facts.projects.len() > 1).map(|s| one(shard, s, facts, t)),
        );
    }
    found
}

fn one(shard: &ShardFacts, share: &Share, facts: &Facts, t: &Thresholds) -> Finding {
    let lane = shard.shard.lane;
    let late =
        pending_age(shard, facts.at).is_some_and(|age| seconds(age) >= t.lag_warning_s * patience(lane, t));
    let severity = if late { Severity::Warning } else { Severity::Info };
    let project = share.project.map(|p| project_text(p, &facts.projects));
    let who = match (&share.key, project) {
        (Some(key), Some(project)) => format!("Key {key} of project {project}"),
        (Some(key), None) => format!("Key {key}"),
        (None, Some(project)) => format!("Project {project}"),
        (None, None) => "An unknown sender".to_owned(),
    };
    let detail = format!(
        "{who} has {:.0} % of the {} events that wait in lane {lane}, partition {}.",
        share.share * 100.0,
        shard.pending(),
        shard.shard.partition
    );
    let key = format!(
        "{} {}",
        shard.shard,
        share.key.clone().or(share.project.map(|p| p.to_string())).unwrap_or_default()
    );
    let since = shard.oldest_pending.unwrap_or(facts.at);
    let title = "One sender carries most of a backlog";
    let mut f = finding(Monitor::HotProject, key, severity, Component::Lane(lane), title, detail, since);
    f.projects = share.project.into_iter().collect();
    f
}
