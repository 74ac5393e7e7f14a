//! Too many dead letters, refusals or server errors, or an odd share of duplicates.
//!
//! Guarantees: a share is judged only over enough records, so that one bad request at night wakes nobody.
//! Deliberately not here: the dead letters themselves.

use super::{finding, grade};
use crate::config::Thresholds;
use crate::facts::{Facts, RateFacts};
use crate::status::duration_text;
use crate::{Component, Finding, Impact, Monitor, Severity};
use tallymark_model::Millis;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    facts.rates.iter().flat_map(|r| of_scope(r, facts.at, t)).collect()
}

fn of_scope(rates: &RateFacts, at: Millis, t: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut tell =
        |what: &str, severity: Severity, component, title: &str, detail: String, impact: Impact| {
            let key = format!("{what} {}", rates.project.map_or("all".to_owned(), |p| p.to_string()));
            let since = at - rates.window_s as Millis * 1_000;
            let mut f = finding(Monitor::ErrorRates, key, severity, component, title, detail, since);
            f.projects = rates.project.into_iter().collect();
            f.impact = impact;
            found.push(f);
        };
    let scope = scope(rates);
    let over = format!("in the last {}", duration_text(rates.window_s as Millis * 1_000));
    let dead = share(rates.dead, rates.records, t);
    if let Some(severity) = dead.and_then(|s| grade(s, t.dead_share_warning, t.dead_share_critical)) {
        let detail = counted(&scope, rates.dead, rates.records, "records became dead letters", &over);
        tell("dead", severity, Component::Processing, "Many events are dead letters", detail, Impact::None);
    }
    let refused = share(rates.refused, rates.requests, t);
    if let Some(severity) = refused.and_then(|s| grade(s, t.refused_share_warning, f64::INFINITY)) {
        let detail = counted(&scope, rates.refused, rates.requests, "requests were refused", &over);
        tell("refused", severity, Component::Collection, "Many requests are refused", detail, Impact::None);
    }
    let errors = share(rates.server_errors, rates.requests, t);
    let graded = errors.and_then(|s| grade(s, t.server_error_share_warning, t.server_error_share_critical));
    if let Some(severity) = graded {
        let detail =
            counted(&scope, rates.server_errors, rates.requests, "requests had a server error", &over);
        let impact = if severity == Severity::Critical { Impact::Major } else { Impact::Minor };
        tell("5xx", severity, Component::Collection, "Requests fail", detail, impact);
    }
    let conflicts = share(rates.conflicts, rates.records, t);
    if let Some(severity) = conflicts.and_then(|s| grade(s, t.conflict_share_warning, f64::INFINITY)) {
        let what = "records had the insert id of another event and were not counted";
        let detail = counted(&scope, rates.conflicts, rates.records, what, &over);
        let title = "Different events share an insert id";
        tell("conflicts", severity, Component::Processing, title, detail, Impact::None);
    }
    if let (Some(now), Some(usual)) = (share(rates.duplicates, rates.records, t), rates.usual_duplicate_share)
        && (now - usual).abs() >= t.duplicate_share_change
    {
        let detail = format!(
            "{scope}: {:.1} % of {} records were duplicates {over}, usually {:.1} %. A retry loop of a sender, ids \
             that are not unique, or deduplication that does not work.",
            now * 100.0,
            rates.records,
            usual * 100.0
        );
        let title = "The share of duplicates has changed";
        tell("duplicates", Severity::Warning, Component::Processing, title, detail, Impact::None);
    }
    found
}

fn share(part: u64, of: u64, t: &Thresholds) -> Option<f64> {
    (of > 0 && of >= t.rate_records_min).then(|| part as f64 / of as f64)
}

fn counted(scope: &str, part: u64, of: u64, what: &str, over: &str) -> String {
    format!("{scope}: {part} of {of} {what} ({:.1} %) {over}.", part as f64 * 100.0 / of as f64)
}

fn scope(rates: &RateFacts) -> String {
    match rates.project {
        Some(project) if rates.name.is_empty() => format!("Project {project}"),
        Some(project) => format!("Project {} ({project})", rates.name),
        None => "All projects".to_owned(),
    }
}
