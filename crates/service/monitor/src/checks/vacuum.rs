//! Files of a bucket or folder are not taken, or are not what was taken.
//!
//! Guarantees: one finding per source and kind of trouble; at most [`NAMED`] objects are named.
//! Deliberately not here: rows that were refused (the rejects list them; a bad row stops nothing).

use super::{finding, project_text};
use crate::config::{MINUTE, Thresholds};
use crate::facts::{Facts, FileSourceFacts};
use crate::status::duration_text;
use crate::{Component, Finding, Monitor, Severity};
use tallymark_model::Millis;

const NAMED: usize = 5;

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    facts.files.iter().flat_map(|source| of(source, facts, t)).collect()
}

fn of(source: &FileSourceFacts, facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let project = source.project.map(|p| format!(" of project {}", project_text(p, &facts.projects)));
    let who = format!("Source {:?}{}", source.name, project.unwrap_or_default());
    let make = |what: &str, title: &str, detail: String, since: Millis| {
        let key = format!("{} {what}", source.name);
        let mut found =
            finding(Monitor::Vacuum, key, Severity::Warning, Component::Collection, title, detail, since);
        found.projects = source.project.into_iter().collect();
        found
    };
    let mut all = Vec::new();
    if let Some((since, why)) = &source.failing
        && facts.at - since >= minutes(t.vacuum_failing_minutes)
    {
        let detail =
            format!("{who}: rounds have been ending early for {}: {why}", duration_text(facts.at - since));
        all.push(make("failing", "Files of a source are not taken", detail, *since));
    }
    let still = facts.at - source.progressed;
    if source.working && still >= minutes(t.vacuum_still_minutes) {
        let why = source.waiting.as_ref().map_or(String::new(), |why| format!("; the server says: {why}"));
        let detail = format!("{who} has made no progress for {}{why}.", duration_text(still));
        all.push(make("still", "Taking files of a source makes no progress", detail, source.progressed));
    }
    if !source.unreadable.is_empty() {
        let named: Vec<String> =
            source.unreadable.iter().map(|(key, why)| format!("{key} ({why})")).collect();
        let detail = format!("{who}: cannot be read to their end: {}.", few(&named));
        all.push(make("unreadable", "Files of a source cannot be read", detail, facts.at));
    }
    if !source.changed.is_empty() {
        let detail = format!(
            "{who}: changed after they were taken, and not taken again until somebody accepts it: {}.",
            few(&source.changed)
        );
        all.push(make("changed", "Files of a source changed after they were taken", detail, facts.at));
    }
    all
}

fn few(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

fn minutes(n: f64) -> Millis {
    (n * MINUTE as f64) as Millis
}
