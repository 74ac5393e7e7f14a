//! The newest state checkpoint is too old.
//!
//! Guarantees: an instance without new commits needs no new checkpoint.
//! Deliberately not here: rebuilding state.

use super::{age_text, finding, grade};
use crate::config::{MINUTE, Thresholds};
use crate::facts::Facts;
use crate::{Component, Finding, Monitor};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(checkpoint) = facts.checkpoint.as_ref().filter(|c| c.behind > 0) else { return Vec::new() };
    let since = checkpoint.newest.unwrap_or(checkpoint.due_since);
    let minutes = (facts.at - since) as f64 / MINUTE as f64;
    let Some(severity) = grade(minutes, t.checkpoint_age_warning_minutes, f64::INFINITY) else {
        return Vec::new();
    };
    let detail = format!(
        "There has been no checkpoint of the state {}, and there are {} commits since. A restart has to fold them \
         again, and the log is not trimmed before.",
        age_text(since, facts.at),
        checkpoint.behind
    );
    let title = "State checkpoints are late";
    vec![finding(Monitor::CheckpointAge, "state", severity, Component::Processing, title, detail, since)]
}
