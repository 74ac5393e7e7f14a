//! A finite resource runs out: by how much is left, and by when it ends at the observed rate.
//!
//! Guarantees: what can never be given back (sequences, numbers, offsets) is told from half on; everything is told
//! more than 7 days before it ends at a steady rate, once it was observed for some hours.
//! Deliberately not here: disk space by time (`disk_days_left` says that).

use super::{finding, grade, grade_down};
use crate::config::Thresholds;
use crate::facts::{DiskFacts, Facts, ResourceFacts, ResourceKind};
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let disks: Vec<ResourceFacts> = facts
        .disks
        .iter()
        .flat_map(resources_of_disk)
        // The watch has added them already, with their growth.
        .filter(|d| !facts.resources.iter().any(|r| r.series() == d.series()))
        .collect();
    facts.resources.iter().chain(&disks).filter_map(|r| judge(r, facts, t)).collect()
}

fn judge(resource: &ResourceFacts, facts: &Facts, t: &Thresholds) -> Option<Finding> {
    let share = resource.share();
    let by_share = if resource.kind.is_counter() {
        grade(share, t.counter_share_warning, t.counter_share_critical)
            .or((share >= t.counter_share_info).then_some(Severity::Info))
    } else {
        grade(share, t.resource_share_warning, t.resource_share_critical)
    };
    let days = resource.days_left().filter(|_| {
        let observed = resource.growth.map_or(0.0, |g| g.observed_hours);
        let level = if resource.kind.is_counter() { 0.0 } else { t.level_observed_hours_min };
        observed >= t.resource_observed_hours_min.max(level) && resource.kind != ResourceKind::DiskBytes
    });
    let by_time = days.and_then(|d| grade_down(d, t.resource_days_warning, t.resource_days_critical));
    let severity = by_share.max(by_time)?;
    let forecast = match days {
        Some(days) if days < 10_000.0 => format!(", used up in {days:.1} days at the observed rate"),
        _ => String::new(),
    };
    let detail = format!(
        "{} of {}: {:.0} of {:.0} in use ({:.1} %){forecast}.",
        capital(resource.kind.name()),
        resource.scope,
        resource.used,
        resource.limit,
        share * 100.0
    );
    let component = match resource.kind {
        ResourceKind::DiskBytes | ResourceKind::Inodes | ResourceKind::Offsets => Component::Collection,
        ResourceKind::FileDescriptors | ResourceKind::MemoryBytes if resource.scope == "web" => {
            Component::Queries
        }
        ResourceKind::FileDescriptors | ResourceKind::MemoryBytes if resource.scope == "collect" => {
            Component::Collection
        }
        _ => Component::Processing,
    };
    let title = "A finite resource is running out";
    Some(finding(Monitor::FiniteResources, resource.series(), severity, component, title, detail, facts.at))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// What of a file system can run out.
pub fn resources_of_disk(disk: &DiskFacts) -> Vec<ResourceFacts> {
    let used = |total: u64, free: u64| total.saturating_sub(free) as f64;
    let bytes = used(disk.bytes_total, disk.bytes_free);
    let mut found =
        vec![ResourceFacts::new(ResourceKind::DiskBytes, &disk.name, bytes, disk.bytes_total as f64)];
    if disk.inodes_total > 0 {
        let inodes = used(disk.inodes_total, disk.inodes_free);
        found.push(ResourceFacts::new(ResourceKind::Inodes, &disk.name, inodes, disk.inodes_total as f64));
    }
    found
}
