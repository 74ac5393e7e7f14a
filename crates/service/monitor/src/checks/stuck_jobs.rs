//! A job makes no progress, waits too long, or failed.
//!
//! Guarantees: a job that somebody paused is left in peace.
//! Deliberately not here: doing anything about it.

use super::{age_text, finding};
use crate::config::{MINUTE, Thresholds};
use crate::facts::{Facts, JobFacts};
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    facts.jobs.iter().filter_map(|job| one(job, facts, t)).collect()
}

fn one(job: &JobFacts, facts: &Facts, t: &Thresholds) -> Option<Finding> {
    let minutes = |since| (facts.at - since) as f64 / MINUTE as f64;
    let (title, what, since) = match job.state.as_str() {
        "failed" => {
            let why = job.error.as_deref().unwrap_or("no reason was given");
            ("A job failed", format!("failed: {why}"), job.progressed)
        }
        "running" if minutes(job.progressed) >= t.job_still_minutes => (
            "A job stands still",
            format!("has stood still {}", age_text(job.progressed, facts.at)),
            job.progressed,
        ),
        "queued" if minutes(job.created) >= t.job_queued_minutes => (
            "A job is not being started",
            format!("has waited {}", age_text(job.created, facts.at)),
            job.created,
        ),
        _ => return None,
    };
    let progress = job.progress.map_or(String::new(), |p| format!(" It is at {:.0} %.", p * 100.0));
    let detail = format!("Job {} ({}) {what}.{progress}", job.id, job.kind);
    let component = match job.kind.as_str() {
        "backup" | "rehearsal" | "archive" => Component::Backups,
        _ => Component::Processing,
    };
    let mut f = finding(Monitor::StuckJobs, &job.id, Severity::Warning, component, title, detail, since);
    f.projects = job.project.into_iter().collect();
    Some(f)
}
