//! The disk fills up.
//!
//! Guarantees: by what the disk really gained if that was observed for a day, else by what the log writes.
//! Deliberately not here: how full it is (`finite_resources`).

use super::{finding, grade_down};
use crate::config::Thresholds;
use crate::facts::{DiskFacts, Facts, ResourceKind};
use crate::{Component, Finding, Monitor};

const OBSERVED_HOURS_MIN: f64 = 24.0;
const DAY_S: f64 = 86_400.0;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for disk in &facts.disks {
        let Some((days, how)) = days_left(disk, facts, t) else { continue };
        let Some(severity) = grade_down(days, t.disk_days_warning, t.disk_days_critical) else { continue };
        let detail = format!(
            "The {} disk is full in {days:.1} days: {:.1} GB free, {how}. When it is full, new events are refused \
             (503 with Retry-After); nothing accepted is lost.",
            disk.name,
            disk.bytes_free as f64 / 1e9
        );
        let component = if disk.name == "backups" { Component::Backups } else { Component::Collection };
        let title = "A disk will be full soon";
        found.push(finding(Monitor::DiskDaysLeft, &disk.name, severity, component, title, detail, facts.at));
    }
    found
}

fn days_left(disk: &DiskFacts, facts: &Facts, t: &Thresholds) -> Option<(f64, String)> {
    let of_disk =
        |r: &&crate::facts::ResourceFacts| r.kind == ResourceKind::DiskBytes && r.scope == disk.name;
    let growth = facts.resources.iter().find(of_disk).and_then(|r| r.growth);
    let per_day = |bytes: f64| format!("{:.2} GB a day", bytes / 1e9);
    match (growth, disk.log_bytes_per_s) {
        (Some(g), _) if g.observed_hours >= OBSERVED_HOURS_MIN => (g.per_day > 0.0).then(|| {
            (
                disk.bytes_free as f64 / g.per_day,
                format!("it gains {} (observed {:.0} h)", per_day(g.per_day), g.observed_hours),
            )
        }),
        (_, Some(rate)) if rate > 0.0 => {
            let gained = rate * DAY_S;
            Some((disk.bytes_free as f64 / gained, format!("the log writes {}", per_day(gained))))
        }
        (Some(g), _) if g.observed_hours >= t.resource_observed_hours_min && g.per_day > 0.0 => Some((
            disk.bytes_free as f64 / g.per_day,
            format!("it gains {} (observed {:.1} h)", per_day(g.per_day), g.observed_hours),
        )),
        _ => None,
    }
}
