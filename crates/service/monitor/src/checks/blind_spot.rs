//! Something cannot be observed: not knowing is a finding of its own, never a good result.
//!
//! Guarantees: one finding per fact that could not be obtained.
//! Deliberately not here: why.

use super::finding;
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, _: &Thresholds) -> Vec<Finding> {
    facts
        .unavailable
        .iter()
        .map(|(name, error)| {
            let detail = format!("`{name}` cannot be observed: {error}");
            let title = "A part of the instance cannot be observed";
            finding(Monitor::BlindSpot, name, Severity::Warning, Component::Alerts, title, detail, facts.at)
        })
        .collect()
}
