//! Events of a project become queryable too late.
//!
//! Guarantees: judged by the oldest event that waits, so a project that sends nothing is fresh.
//! Deliberately not here: which partition is behind (`lag`).

use super::{age_text, finding, grade, project_text, seconds};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Affected, Component, Finding, Impact, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for project in &facts.projects {
        let Some(oldest) = project.oldest_pending else { continue };
        let age = seconds(facts.at - oldest);
        let Some(severity) = grade(age, t.freshness_warning_s, t.freshness_critical_s) else { continue };
        let waiting = project.pending.map_or(String::new(), |n| format!(" {n} events wait."));
        let detail = format!(
            "Project {}: events have been waiting to become queryable {}.{waiting}",
            project_text(project.project, &facts.projects),
            age_text(oldest, facts.at)
        );
        let key = project.project.to_string();
        let mut f =
            finding(Monitor::Freshness, key, severity, Component::Processing, "Data is late", detail, oldest);
        f.impact = if severity == Severity::Critical { Impact::Major } else { Impact::Minor };
        f.projects = vec![project.project];
        f.affected =
            vec![Affected { interval: None, received: Some((oldest, facts.at)), count: project.pending }];
        found.push(f);
    }
    found
}
