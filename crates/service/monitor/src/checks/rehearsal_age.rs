//! No restore was rehearsed, or the last one failed.
//!
//! Guarantees: a failed rehearsal is told at once: the backups may be worth nothing.
//! Deliberately not here: rehearsing.

use super::{age_text, finding, grade};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(rehearsal) = &facts.rehearsal else { return Vec::new() };
    let since = rehearsal.newest.unwrap_or(rehearsal.due_since);
    if let Some(error) = &rehearsal.last_error {
        let detail = format!("The last rehearsal of a restore failed: {error}");
        let title = "A restore could not be rehearsed";
        let severity = Severity::Critical;
        return vec![finding(
            Monitor::RehearsalAge,
            "failed",
            severity,
            Component::Backups,
            title,
            detail,
            since,
        )];
    }
    let periods = (facts.at - since) as f64 / rehearsal.every_ms.max(1) as f64;
    // Never critical: late is not failed.
    let Some(severity) = grade(periods, t.rehearsal_periods_warning, f64::INFINITY) else {
        return Vec::new();
    };
    let detail = format!("No restore has been rehearsed {}.", age_text(since, facts.at));
    let title = "Rehearsals of a restore are late";
    vec![finding(Monitor::RehearsalAge, "late", severity, Component::Backups, title, detail, since)]
}
