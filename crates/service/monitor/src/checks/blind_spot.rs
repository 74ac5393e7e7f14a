//! Something cannot be observed: not knowing is a finding of its own, never a good result.
//!
//! Guarantees: one finding per fact that could not be obtained; what was wrong before the light went out is taken to
//! be wrong still ([`carried`]), because nobody saw it end.
//! Deliberately not here: why.

use super::finding;
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Impact, Monitor, Severity};

/// Without these nobody knows how far processing is, so the page must not say that it is well.
const ESSENTIAL: [&str; 5] = ["facts", "log", "catalog", "cursors", "flow"];

pub fn check(facts: &Facts, _: &Thresholds) -> Vec<Finding> {
    facts
        .unavailable
        .iter()
        .map(|(name, error)| {
            let detail = format!("`{name}` cannot be observed: {error}");
            let title = "A part of the instance cannot be observed";
            let essential = ESSENTIAL.contains(&name.as_str());
            let component = if essential { Component::Processing } else { Component::Alerts };
            let mut f =
                finding(Monitor::BlindSpot, name, Severity::Warning, component, title, detail, facts.at);
            f.impact = if essential { Impact::Minor } else { Impact::None };
            f
        })
        .collect()
}

/// Findings of the round before that cannot be said to have ended, since what they are made from is missing.
pub fn carried(before: &[Finding], facts: &Facts) -> Vec<Finding> {
    let unseen = |names: &[&str]| facts.unavailable.iter().any(|(name, _)| names.contains(&name.as_str()));
    if !unseen(&ESSENTIAL) {
        let deaf = unseen(&["sources"]);
        return before.iter().filter(|f| deaf && f.monitor == Monitor::SourceSilent).cloned().collect();
    }
    // These have sources of their own.
    let independent = |monitor| {
        matches!(
            monitor,
            Monitor::AuditorFindings | Monitor::AlertDelivery | Monitor::BlindSpot | Monitor::Settings
        )
    };
    let seen = |f: &Finding| f.monitor == Monitor::DeadHeartbeat && !facts.roles.is_empty();
    before.iter().filter(|f| !independent(f.monitor) && !seen(f)).cloned().collect()
}
