//! The auditor found that the books are wrong.
//!
//! Guarantees: each finding is told by itself, with project, lane, partition, offsets, times and count.
//! Deliberately not here: finding it.

use super::{finding, place_text, projects_text};
use crate::config::Thresholds;
use crate::facts::{AuditKind, Facts};
use crate::{Affected, Component, Finding, Impact, Monitor, Severity};

pub fn check(facts: &Facts, _: &Thresholds) -> Vec<Finding> {
    facts
        .audit
        .iter()
        .map(|found| {
            let place = Affected { interval: found.interval, received: found.received, count: found.count };
            let where_text = place_text(&place);
            let parts = [projects_text(&found.projects, &facts.projects), where_text];
            let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
            let detail = format!("{} ({}).", found.evidence.trim_end_matches('.'), parts.join("; "));
            let component = found.interval.map_or(Component::Processing, |i| Component::Lane(i.shard.lane));
            let title = found.kind.title();
            let key = found.key.clone();
            let severity = Severity::Critical;
            let mut f =
                finding(Monitor::AuditorFindings, key, severity, component, title, detail, found.found);
            f.impact = match found.kind {
                AuditKind::Hole | AuditKind::Lost | AuditKind::Damaged => Impact::Major,
                AuditKind::WrongSum | AuditKind::MissingWitness | AuditKind::Violation => Impact::Minor,
            };
            f.projects.clone_from(&found.projects);
            f.affected = vec![place];
            f
        })
        .collect()
}
