//! The newest backup is too old.
//!
//! Guarantees: "never" counts from when backups were due; no backups at all are worth a warning in production.
//! Deliberately not here: whether a backup can be restored (`rehearsal_age`).

use super::{age_text, finding, grade};
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let Some(backup) = &facts.backup else {
        return not_set_up(facts).into_iter().collect();
    };
    let since = backup.newest.unwrap_or(backup.due_since);
    let periods = (facts.at - since) as f64 / backup.every_ms.max(1) as f64;
    let late = grade(periods, t.backup_periods_warning, t.backup_periods_critical);
    let failed = backup.last_error.as_ref().map(|_| Severity::Warning);
    let Some(severity) = late.max(failed) else { return Vec::new() };
    let mut detail = match backup.newest {
        Some(_) => format!("There has been no new backup {}.", age_text(since, facts.at)),
        None => format!("There has never been a backup; one has been due {}.", age_text(since, facts.at)),
    };
    if let Some(error) = &backup.last_error {
        detail = format!("{detail} The last attempt failed: {error}");
    }
    let title = "Backups are late";
    vec![finding(Monitor::BackupAge, "backup", severity, Component::Backups, title, detail, since)]
}

fn not_set_up(facts: &Facts) -> Option<Finding> {
    let unknown = facts.unavailable.iter().any(|(name, _)| name == "backup");
    (facts.environment == "production" && !unknown).then(|| {
        let detail = "This instance is called `production`, and no backups are set up.".to_owned();
        let title = "No backups are set up";
        finding(Monitor::BackupAge, "none", Severity::Warning, Component::Backups, title, detail, facts.at)
    })
}
