//! Alerts do not reach their receivers.
//!
//! Guarantees: told to every channel, of which the failing one is only one.
//! Deliberately not here: trying again (`alerts`).

use super::{age_text, finding};
use crate::config::{MINUTE, Thresholds};
use crate::facts::Facts;
use crate::{Component, Finding, Monitor, Severity};

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let late = facts.channels.iter().filter_map(|c| {
        let since = c.failing_since?;
        ((facts.at - since) as f64 / MINUTE as f64 >= t.delivery_warning_minutes).then_some((c, since))
    });
    late.map(|(channel, since)| {
        let error = channel.error.as_deref().unwrap_or("no answer");
        let detail = format!(
            "Channel `{}` has not taken alerts {}; {} wait. Last error: {error}",
            channel.channel,
            age_text(since, facts.at),
            channel.waiting
        );
        let title = "Alerts do not arrive";
        let key = &channel.channel;
        finding(Monitor::AlertDelivery, key, Severity::Warning, Component::Alerts, title, detail, since)
    })
    .collect()
}
