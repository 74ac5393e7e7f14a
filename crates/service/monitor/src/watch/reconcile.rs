//! What findings make of incidents.
//!
//! Guarantees: pure. One incident per group at a time; a finding that comes back finds its incident; "resolved" is
//! said only after quiet that is long against what was wrong, and only if nothing acknowledged is without outcome,
//! so a fault that comes and goes does not end and begin again and again.
//! Deliberately not here: storing, telling.

use super::AUTHOR;
use crate::alerts::escalates;
use crate::config::{MINUTE, WatchConfig};
use crate::incident::{Incident, IncidentFinding, IncidentState, IncidentUpdate};
use crate::{Finding, Impact, Monitor, Severity};
use std::collections::BTreeMap;
use tallymark_model::Millis;

/// Detail of at most so many findings is told in one update.
const TOLD_MAX: usize = 8;
/// A pause shorter than this is not worth a word.
const PAUSE_MIN: Millis = 30_000;
/// Groups whose end depends on the ledger: something acknowledged without an outcome means it is not over.
const NEEDS_THE_LEDGER: [&str; 4] = ["collection", "processing", "books", "auditor"];

/// A changed incident and what is said about the change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// As it is now.
    pub incident: Incident,
    /// Said about it.
    pub updates: Vec<IncidentUpdate>,
    /// True if it had been resolved: whoever acknowledged it then is not at it now.
    pub reopened: bool,
}

/// The incidents after this round. `known` holds those that are open or were resolved lately; `settled` tells that
/// the ledger has an outcome for everything acknowledged (apart from what has just arrived); `elapsed` is the time
/// since the last round; `id` makes ids.
pub fn reconcile(
    known: &[Incident],
    findings: &[Finding],
    settled: bool,
    config: &WatchConfig,
    now: Millis,
    elapsed: Millis,
    mut id: impl FnMut() -> String,
) -> Vec<Change> {
    let mut groups: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.severity > Severity::Info) {
        groups.entry(finding.group()).or_default().push(finding);
    }
    let mut changes = Vec::new();
    let reopen = (config.incidents.reopen_minutes * MINUTE as f64) as Millis;
    for (group, found) in &groups {
        let of_group = known.iter().filter(|i| i.group == *group);
        let candidate = of_group
            .filter(|i| i.is_open() || i.resolved_at.is_some_and(|at| now - at < reopen))
            .max_by_key(|i| (i.is_open(), i.opened_at));
        let same = |i: &&Incident| i.is_open() || found.iter().any(|f| knows(i, f));
        changes.push(match candidate.filter(same) {
            Some(incident) => go_on(incident, found, config, now, elapsed),
            None => open(group, found, config, now, id()),
        });
    }
    for incident in known.iter().filter(|i| i.is_open() && !groups.contains_key(i.group.as_str())) {
        changes.push(quiet(incident, settled, config, now));
    }
    changes
}

fn knows(incident: &Incident, finding: &Finding) -> bool {
    incident.findings.iter().any(|f| f.finding.monitor == finding.monitor && f.finding.key == finding.key)
}

fn open(group: &str, found: &[&Finding], config: &WatchConfig, now: Millis, id: String) -> Change {
    let severity = found.iter().map(|f| f.severity).max().unwrap_or(Severity::Warning);
    let incident = Incident {
        id,
        group: group.to_owned(),
        state: IncidentState::Investigating,
        severity,
        impact: found.iter().map(|f| f.impact).max().unwrap_or(Impact::None),
        title: worst(found).map_or(String::new(), |f| f.title.clone()),
        findings: found.iter().map(|f| first(f, now)).collect(),
        opened_at: now,
        paged_at: escalates(severity, &config.alerts).then_some(now),
        quiet_since: None,
        wrong_ms: 0,
        returns: 0,
        resolved_at: None,
        acknowledged: None,
        updates: Vec::new(),
    };
    let update = say(&incident, told(found), public(found), now);
    Change { incident, updates: vec![update], reopened: false }
}

fn go_on(known: &Incident, found: &[&Finding], config: &WatchConfig, now: Millis, elapsed: Millis) -> Change {
    let mut incident = known.clone();
    let mut updates = Vec::new();
    let was_public = incident.is_public();
    let returned = incident.state >= IncidentState::Monitoring;
    let paused = incident.quiet_since.take().is_some();
    let reopened = incident.resolved_at.take().is_some();
    if reopened {
        incident.acknowledged = None;
        incident.paged_at = None;
    }
    incident.state = match incident.acknowledged {
        Some(_) => IncidentState::Identified,
        None => IncidentState::Investigating,
    };
    incident.wrong_ms += if paused { 0 } else { elapsed };
    let news: Vec<&Finding> = found.iter().copied().filter(|f| is_news(known, f)).collect();
    merge(&mut incident, found, now);
    incident.severity =
        incident.severity.max(found.iter().map(|f| f.severity).max().unwrap_or(Severity::Info));
    incident.impact = incident.impact.max(found.iter().map(|f| f.impact).max().unwrap_or(Impact::None));
    if let Some(worst) = worst(found).filter(|f| f.severity > known.severity) {
        incident.title.clone_from(&worst.title);
    }
    if incident.paged_at.is_none() && escalates(incident.severity, &config.alerts) {
        incident.paged_at = Some(now);
    }
    if returned {
        incident.returns += 1;
        let text = format!("It is back. {}", told(found));
        updates.push(say(&incident, text, public(found).map(|p| format!("It is back. {p}")), now));
    } else if !news.is_empty() {
        let public = public(if was_public { &news } else { found });
        updates.push(say(&incident, told(&news), public, now));
    }
    Change { incident, updates, reopened }
}

fn quiet(known: &Incident, settled: bool, config: &WatchConfig, now: Millis) -> Change {
    let mut incident = known.clone();
    let mut updates = Vec::new();
    for finding in &mut incident.findings {
        finding.active = false;
    }
    let since = *incident.quiet_since.get_or_insert(now);
    let needed = quiet_needed(&incident, config);
    if incident.state < IncidentState::Monitoring {
        if now - since < PAUSE_MIN {
            return Change { incident, updates, reopened: false };
        }
        incident.state = IncidentState::Monitoring;
        let text = "Nothing is wrong any more; waiting until that is certain.".to_owned();
        let mut update = say(&incident, text.clone(), incident.is_public().then_some(text), now);
        // Told on the page only: whoever is woken by this would be woken again by a relapse.
        update.alert = false;
        updates.push(update);
    } else if now - since >= needed && (settled || !NEEDS_THE_LEDGER.contains(&incident.group.as_str())) {
        incident.state = IncidentState::Resolved;
        incident.resolved_at = Some(now);
        let text = format!(
            "Resolved: quiet for {} minutes, and everything acknowledged has its outcome.",
            (now - since) / MINUTE
        );
        let public = "This is resolved.".to_owned();
        updates.push(say(&incident, text, incident.is_public().then_some(public), now));
    }
    Change { incident, updates, reopened: false }
}

/// How long it must be quiet.
fn quiet_needed(incident: &Incident, config: &WatchConfig) -> Millis {
    let c = &config.incidents;
    let by_length = incident.wrong_ms as f64 * c.quiet_factor;
    let max = (c.quiet_minutes_max * MINUTE as f64).max(c.quiet_minutes * MINUTE as f64);
    by_length.clamp(c.quiet_minutes * MINUTE as f64, max) as Millis
}

fn first(finding: &Finding, now: Millis) -> IncidentFinding {
    IncidentFinding { finding: finding.clone(), first_seen: now, last_seen: now, active: true }
}

fn merge(incident: &mut Incident, found: &[&Finding], now: Millis) {
    for known in &mut incident.findings {
        known.active = false;
    }
    for finding in found {
        let same =
            |k: &&mut IncidentFinding| k.finding.monitor == finding.monitor && k.finding.key == finding.key;
        match incident.findings.iter_mut().find(same) {
            Some(known) => {
                known.finding = (*finding).clone();
                known.last_seen = now;
                known.active = true;
            }
            None => incident.findings.push(first(finding, now)),
        }
    }
}

/// Worth telling by itself: a monitor that had not spoken yet, something worse than before, anything about the
/// books, or one more source. A hundred projects that become late one after the other are one message, not a hundred.
fn is_news(known: &Incident, finding: &Finding) -> bool {
    let before =
        |same: fn(&Finding, &Finding) -> bool| known.findings.iter().any(|f| same(&f.finding, finding));
    match finding.monitor {
        // Each source is somebody else's to look after.
        Monitor::AuditorFindings | Monitor::SourceSilent | Monitor::Vacuum => !before(|a, b| a.key == b.key),
        _ => finding.severity > known.severity || !before(|a, b| a.monitor == b.monitor),
    }
}

fn worst<'a>(found: &[&'a Finding]) -> Option<&'a Finding> {
    found.iter().copied().max_by_key(|f| (f.severity, f.impact, std::cmp::Reverse(f.since)))
}

fn told(found: &[&Finding]) -> String {
    let mut sorted: Vec<&&Finding> = found.iter().collect();
    sorted.sort_by_key(|f| std::cmp::Reverse((f.severity, f.impact)));
    let mut lines: Vec<String> =
        sorted.iter().take(TOLD_MAX).map(|f| format!("{}: {}", f.title, f.detail)).collect();
    if sorted.len() > TOLD_MAX {
        lines.push(format!("… and {} more.", sorted.len() - TOLD_MAX));
    }
    lines.join("\n")
}

/// What the public is told: titles only, of what users notice.
fn public(found: &[&Finding]) -> Option<String> {
    let mut titles: Vec<&str> =
        found.iter().filter(|f| f.impact > Impact::None).map(|f| f.title.as_str()).collect();
    titles.sort_unstable();
    titles.dedup();
    (!titles.is_empty()).then(|| format!("{}.", titles.join("; ")))
}

fn say(incident: &Incident, text: String, public: Option<String>, now: Millis) -> IncidentUpdate {
    IncidentUpdate {
        seq: 0,
        at: now,
        state: incident.state,
        text,
        public,
        by: AUTHOR.to_owned(),
        alert: true,
    }
}
