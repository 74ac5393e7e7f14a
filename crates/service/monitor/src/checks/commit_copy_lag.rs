//! Commits are not copied to the object store.
//!
//! Guarantees: judged by the oldest commit that waits: without its copy it could not be rebuilt if the catalog
//! were lost now.
//! Deliberately not here: copying.

use super::{age_text, finding, grade, seconds};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Monitor};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(copy) = &facts.commit_copy else { return Vec::new() };
    let Some(oldest) = copy.oldest_waiting else { return Vec::new() };
    let age = seconds(facts.at - oldest);
    let Some(severity) = grade(age, t.commit_copy_lag_warning_s, t.commit_copy_lag_critical_s) else {
        return Vec::new();
    };
    let mut detail = format!(
        "{} commits have no copy in the object store, the oldest {}.",
        copy.waiting,
        age_text(oldest, facts.at)
    );
    if let Some(error) = &copy.last_error {
        detail = format!("{detail} The last attempt failed: {error}");
    }
    let title = "Copies of commits are behind";
    vec![finding(Monitor::CommitCopyLag, "commits", severity, Component::Backups, title, detail, oldest)]
}
