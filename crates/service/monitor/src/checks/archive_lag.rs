//! Sealed log files are not archived.
//!
//! Guarantees: judged by the oldest file that waits.
//! Deliberately not here: trimming (which waits for the archive by permit).

use super::{age_text, finding, grade};
use crate::config::{MINUTE, Thresholds};
use crate::facts::Facts;
use crate::{Component, Finding, Monitor};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(archive) = &facts.archive else { return Vec::new() };
    let Some(oldest) = archive.oldest_waiting else { return Vec::new() };
    let minutes = (facts.at - oldest) as f64 / MINUTE as f64;
    let Some(severity) = grade(minutes, t.archive_lag_warning_minutes, t.archive_lag_critical_minutes) else {
        return Vec::new();
    };
    let mut detail = format!(
        "{} log files wait to be archived, the oldest {}. The log is not trimmed before.",
        archive.waiting,
        age_text(oldest, facts.at)
    );
    if let Some(error) = &archive.last_error {
        detail = format!("{detail} The last attempt failed: {error}");
    }
    let title = "The archive is behind";
    vec![finding(Monitor::ArchiveLag, "archive", severity, Component::Backups, title, detail, oldest)]
}
