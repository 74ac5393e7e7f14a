//! Monitors: pure functions from facts to findings.
//!
//! Guarantees: no clock, no memory, no I/O: the same facts give the same findings. Titles name nobody and count
//! nothing (they may become public); details name everything. A fact that is missing is never taken for a good one:
//! it is either named in [`Facts::unavailable`] or not watched at all.
//! Deliberately not here: how long it lasts, who is told.

mod alert_delivery;
mod archive_lag;
mod auditor_findings;
mod backup_age;
mod blind_spot;
mod canary;
mod catch_up;
mod checkpoint_age;
mod commit_copy_lag;
mod dead_heartbeat;
mod disk_days_left;
mod error_rates;
mod finite_resources;
mod freshness;
mod hot_partition;
mod hot_project;
mod lag;
mod rehearsal_age;
mod retention_against_lag;
mod settings;
mod source_silent;
mod stuck_jobs;
#[cfg(test)]
mod tests;
mod vacuum;

pub use finite_resources::resources_of_disk;
pub use source_silent::{SourceState, collecting_since, state as source_state};

use crate::config::Thresholds;
use crate::facts::{Facts, ProjectFacts, ShardFacts};
use crate::status::{duration_text, time_text};
use crate::{Affected, Component, Finding, Impact, Monitor, Severity};
use tallymark_ledger::Interval;
use tallymark_model::{Lane, Millis, ProjectId};

/// A monitor's function.
pub type Check = fn(&Facts, &Thresholds) -> Vec<Finding>;

/// The function of a monitor.
pub fn function(monitor: Monitor) -> Check {
    match monitor {
        Monitor::Freshness => freshness::check,
        Monitor::Lag => lag::check,
        Monitor::RetentionAgainstLag => retention_against_lag::check,
        Monitor::DiskDaysLeft => disk_days_left::check,
        Monitor::HotPartition => hot_partition::check,
        Monitor::HotProject => hot_project::check,
        Monitor::SourceSilent => source_silent::check,
        Monitor::Vacuum => vacuum::check,
        Monitor::FiniteResources => finite_resources::check,
        Monitor::BackupAge => backup_age::check,
        Monitor::RehearsalAge => rehearsal_age::check,
        Monitor::ArchiveLag => archive_lag::check,
        Monitor::CommitCopyLag => commit_copy_lag::check,
        Monitor::CheckpointAge => checkpoint_age::check,
        Monitor::ErrorRates => error_rates::check,
        Monitor::DeadHeartbeat => dead_heartbeat::check,
        Monitor::AuditorFindings => auditor_findings::check,
        Monitor::CatchUp => catch_up::check,
        Monitor::StuckJobs => stuck_jobs::check,
        Monitor::Canary => canary::check,
        Monitor::Settings => settings::check,
        Monitor::BlindSpot => blind_spot::check,
        Monitor::AlertDelivery => alert_delivery::check,
    }
}

/// Everything that is not as it should be, the worst first.
pub fn check(facts: &Facts, thresholds: &Thresholds) -> Vec<Finding> {
    judge(facts, thresholds, &[])
}

/// The same, with what was found the round before: what cannot be observed any more has not ended.
pub fn judge(facts: &Facts, thresholds: &Thresholds, before: &[Finding]) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        Monitor::ALL.iter().flat_map(|monitor| function(*monitor)(facts, thresholds)).collect();
    let carried = blind_spot::carried(before, facts);
    let missing: Vec<Finding> =
        carried.into_iter().filter(|c| !found.iter().any(|f| f.id() == c.id())).collect();
    found.extend(missing);
    found.sort_by(|a, b| {
        (b.severity, b.impact).cmp(&(a.severity, a.impact)).then_with(|| a.id().cmp(&b.id()))
    });
    found
}

/// A finding without projects and places.
fn finding(
    monitor: Monitor,
    key: impl Into<String>,
    severity: Severity,
    component: Component,
    title: &str,
    detail: String,
    since: Millis,
) -> Finding {
    Finding {
        monitor,
        key: key.into(),
        severity,
        impact: Impact::None,
        title: title.to_owned(),
        detail,
        component,
        projects: Vec::new(),
        affected: Vec::new(),
        since,
    }
}

/// Critical or warning from these values on; `None` below both.
fn grade(value: f64, warning: f64, critical: f64) -> Option<Severity> {
    match value {
        _ if value >= critical => Some(Severity::Critical),
        _ if value >= warning => Some(Severity::Warning),
        _ => None,
    }
}

/// Critical or warning from these values down.
fn grade_down(value: f64, warning: f64, critical: f64) -> Option<Severity> {
    grade(-value, -warning, -critical)
}

fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1_000.0
}

/// Live data is in a hurry, other lanes are not.
fn patience(lane: Lane, thresholds: &Thresholds) -> f64 {
    if lane == Lane::Live { 1.0 } else { thresholds.lag_bulk_factor.max(1.0) }
}

/// Age of the oldest pending record of a shard, if something is pending and its age is known.
fn pending_age(shard: &ShardFacts, now: Millis) -> Option<Millis> {
    shard.oldest_pending.filter(|_| shard.pending() > 0).map(|at| (now - at).max(0))
}

/// What of a shard is pending, as a place.
fn pending_place(shard: &ShardFacts) -> Affected {
    let newest = shard.newest.or(shard.oldest_pending);
    Affected {
        interval: Some(Interval::new(shard.shard, shard.cursor, shard.log_end)),
        received: shard.oldest_pending.zip(newest),
        count: Some(shard.pending()),
    }
}

/// A place as text: `live/0[10,20) (10 events), received 2026-… to 2026-…`.
fn place_text(place: &Affected) -> String {
    let mut parts = Vec::new();
    if let Some(i) = &place.interval {
        parts.push(format!(
            "lane {}, partition {}, offsets {} to {}",
            i.shard.lane, i.shard.partition, i.from, i.to
        ));
    }
    if let Some((first, last)) = place.received {
        parts.push(format!("received {} to {}", time_text(first), time_text(last)));
    }
    if let Some(count) = place.count {
        parts.push(format!("{count} events"));
    }
    parts.join(", ")
}

fn age_text(since: Millis, now: Millis) -> String {
    format!("for {} (since {})", duration_text(now - since), time_text(since))
}

/// `shop (3)`, or `3` if it has no name here.
fn project_text(project: ProjectId, projects: &[ProjectFacts]) -> String {
    match projects.iter().find(|p| p.project == project) {
        Some(p) if !p.name.is_empty() => format!("{} ({})", p.name, p.project),
        _ if project == ProjectId::UNKNOWN => "events of unknown keys (0)".to_owned(),
        _ => project.to_string(),
    }
}

fn projects_text(projects: &[ProjectId], known: &[ProjectFacts]) -> String {
    const NAMED_MAX: usize = 10;
    let mut names: Vec<String> = projects.iter().take(NAMED_MAX).map(|p| project_text(*p, known)).collect();
    if projects.len() > NAMED_MAX {
        names.push(format!("{} more", projects.len() - NAMED_MAX));
    }
    match projects.len() {
        0 => "project not known".to_owned(),
        1 => format!("project {}", names[0]),
        _ => format!("projects {}", names.join(", ")),
    }
}
