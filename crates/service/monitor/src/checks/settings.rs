//! What is in force differs from what was set, or a test-only setting is on.
//!
//! Guarantees: told with both values.
//! Deliberately not here: putting it right.

use super::finding;
use crate::config::Thresholds;
use crate::facts::Facts;
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, _: &Thresholds) -> Vec<Finding> {
    let wrong = facts.settings.iter().filter(|s| s.experimental || s.declared != s.effective);
    wrong
        .map(|s| {
            let (title, detail, severity) = if s.experimental {
                let detail = format!(
                    "`{}` ({}) is `{}`: a switch for tests and experiments, in environment `{}`.",
                    s.name, s.scope, s.effective, facts.environment
                );
                let production = facts.environment == "production";
                let severity = if production { Severity::Critical } else { Severity::Info };
                ("A test-only setting is on", detail, severity)
            } else {
                let detail = format!(
                    "`{}` ({}) was set to `{}`, but `{}` is in force.",
                    s.name, s.scope, s.declared, s.effective
                );
                ("A setting in force differs from what was set", detail, Severity::Critical)
            };
            let key = format!("{} {}", s.scope, s.name);
            finding(Monitor::Settings, key, severity, Component::Processing, title, detail, facts.at)
        })
        .collect()
}
