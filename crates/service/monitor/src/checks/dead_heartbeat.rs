//! A process does not show that it lives, lives without working, or dies again and again.
//!
//! Guarantees: the auditor's silence is told within 120 s, also if it beats but checks nothing, and also if its clock
//! runs ahead.
//! Deliberately not here: starting processes again (the supervisor), and the watch itself (the status page says so).

use super::{age_text, finding, seconds};
use crate::config::Thresholds;
use crate::facts::{Facts, RoleFacts, RoleState};
use crate::{Component, Finding, Impact, Monitor, Severity};
use tallymark_model::Millis;

/// A sign of life from further in the future than this comes from a clock that is wrong, and proves nothing.
const AHEAD_MAX: Millis = 60_000;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let watched = facts.roles.iter().filter(|r| r.state != RoleState::Disabled);
    watched.flat_map(|role| [silent(role, facts.at, t), restarting(role, facts.at, t)]).flatten().collect()
}

fn silent(role: &RoleFacts, now: Millis, t: &Thresholds) -> Option<Finding> {
    let auditor = role.role == "audit";
    let limit = if auditor { t.auditor_heartbeat_critical_s } else { t.heartbeat_critical_s };
    let young = role.started.is_some_and(|at| seconds(now - at) < t.start_grace_s);
    let beat = role.beat.filter(|at| *at - now <= AHEAD_MAX);
    let beats = beat.is_some_and(|at| seconds(now - at) < limit);
    if !beats {
        if young {
            return None;
        }
        let detail = match (beat, role.beat) {
            (Some(at), _) => format!("`{}` has given no sign of life {}.", role.role, age_text(at, now)),
            (None, Some(_)) => {
                format!("The clock of `{}` is ahead of ours; its signs of life prove nothing.", role.role)
            }
            (None, None) => format!("`{}` has never given a sign of life.", role.role),
        };
        return Some(dead(role, detail, beat.or(role.started).unwrap_or(now)));
    }
    let progressed = role.progressed.filter(|_| auditor && !young)?;
    (seconds(now - progressed) >= t.auditor_progress_critical_s).then(|| {
        let detail = format!("`{}` lives, but has checked nothing {}.", role.role, age_text(progressed, now));
        dead(role, detail, progressed)
    })
}

fn dead(role: &RoleFacts, detail: String, since: Millis) -> Finding {
    let (component, impact, title) = match role.role.as_str() {
        "collect" => (Component::Collection, Impact::Critical, "Collection does not answer"),
        "web" => (Component::Queries, Impact::Critical, "Queries do not answer"),
        "audit" => (Component::Auditor, Impact::Major, "The auditor does not run"),
        "vacuum" => (Component::Collection, Impact::Minor, "Files of buckets and folders are not taken"),
        "watch" => (Component::Alerts, Impact::Minor, "The watch does not run"),
        _ => (Component::Processing, Impact::Major, "Processing does not run"),
    };
    let mut f =
        finding(Monitor::DeadHeartbeat, &role.role, Severity::Critical, component, title, detail, since);
    f.impact = impact;
    f
}

fn restarting(role: &RoleFacts, now: Millis, t: &Thresholds) -> Option<Finding> {
    (role.restarts_last_hour >= t.restarts_per_hour_warning).then(|| {
        let component = dead(role, String::new(), now).component;
        let detail =
            format!("`{}` was started again {} times in the last hour.", role.role, role.restarts_last_hour);
        let key = format!("restarts {}", role.role);
        let title = "A process keeps restarting";
        finding(Monitor::DeadHeartbeat, key, Severity::Warning, component, title, detail, now)
    })
}
