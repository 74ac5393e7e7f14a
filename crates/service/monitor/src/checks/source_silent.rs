//! A source fell silent, or sends far less or far more than is usual for it.
//!
//! Guarantees: usual is the hour before *and* this time of the day on other days: less than either is needed to speak
//! of silence, more than both to speak of a flood; so nights, weekends and launches of every week are nobody's alarm.
//! A source that sends now and then is given several times its longest pause; one that never sent enough to tell says
//! nothing. Time in which this server did not collect is nobody's silence. What was silent is so until it sends.
//! Deliberately not here: what is remembered (`sources`), and who was wrong.

use super::{finding, project_text};
use crate::config::{HOUR, MINUTE, Thresholds};
use crate::facts::{Facts, RoleState, SourceFacts};
use crate::status::{duration_text, time_text};
use crate::{Component, Finding, Monitor, Severity};
use serde::{Deserialize, Serialize};
use tallymark_model::{Lane, Millis};

/// Events are missing for at most so long: what is usual now was not before.
const MISSING_FOR: Millis = 6 * HOUR;
/// Without an event for so long a source is called quiet, if it is not silent.
const QUIET_AFTER: Millis = HOUR;

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It sends about what it always does.
    AsUsual,
    /// It has not been seen for long enough to know what is usual.
    Learning,
    /// It sends nothing, which is not unusual, or nobody can tell.
    Quiet,
    /// It sends nothing, and should.
    Silent,
    /// It sends far less than usual.
    Less,
    /// It sends far more than usual.
    More,
    /// An import: it ends on purpose.
    Import,
    /// Its key is not valid any more.
    KeyEnded,
    /// Nobody wants to be told about it.
    NotWatched,
}

impl SourceState {
    /// Name used in JSON and texts.
    pub fn name(self) -> &'static str {
        match self {
            SourceState::AsUsual => "as_usual",
            SourceState::Learning => "learning",
            SourceState::Quiet => "quiet",
            SourceState::Silent => "silent",
            SourceState::Less => "less",
            SourceState::More => "more",
            SourceState::Import => "import",
            SourceState::KeyEnded => "key_ended",
            SourceState::NotWatched => "not_watched",
        }
    }
}

/// Since when the collector has been accepting events without a break; `None` if it does not.
pub fn collecting_since(facts: &Facts) -> Option<Millis> {
    match facts.roles.iter().find(|r| r.role == "collect") {
        Some(role) if role.state == RoleState::Running => Some(role.started.unwrap_or(0)),
        Some(_) => None,
        // Nobody said anything about processes.
        None => Some(0),
    }
}

/// How a source is, `collecting` as [`collecting_since`] says.
pub fn state(source: &SourceFacts, at: Millis, collecting: Option<Millis>, t: &Thresholds) -> SourceState {
    let v = &source.volume;
    let quiet = at - v.last >= QUIET_AFTER;
    match source {
        _ if source.key_ended => SourceState::KeyEnded,
        _ if !source.watched => SourceState::NotWatched,
        _ if source.source.lane != Lane::Live => SourceState::Import,
        _ if silent(source, at, collecting, t) => SourceState::Silent,
        _ if quiet => SourceState::Quiet,
        _ if v.observed_ms < minutes(t.source_observed_minutes) => SourceState::Learning,
        _ => changed(source, at, collecting, t).unwrap_or(SourceState::AsUsual),
    }
}

pub fn check(facts: &Facts, t: &Thresholds) -> Vec<Finding> {
    let collecting = collecting_since(facts);
    let judged = facts.sources.iter().map(|source| (source, state(source, facts.at, collecting, t)));
    judged.filter_map(|(source, state)| told(source, state, facts)).collect()
}

fn silent(source: &SourceFacts, at: Millis, collecting: Option<Millis>, t: &Thresholds) -> bool {
    let v = &source.volume;
    if source.found_silent {
        return true;
    }
    let Some(collecting) = collecting else { return false };
    let quiet = at - v.last.max(collecting);
    let pause = v.longest_pause_ms as f64 * t.source_pause_factor;
    let missing = lower(source) * quiet.min(MISSING_FOR) as f64 / MINUTE as f64;
    v.observed_ms >= minutes(t.source_observed_minutes)
        && quiet >= minutes(t.source_silent_minutes)
        && quiet as f64 >= pause
        && missing >= t.source_missing_events
}

fn changed(
    source: &SourceFacts,
    at: Millis,
    collecting: Option<Millis>,
    t: &Thresholds,
) -> Option<SourceState> {
    let v = &source.volume;
    // The last whole minutes began up to a minute earlier.
    if at - collecting? < v.recent_ms + MINUTE {
        return None;
    }
    let (fewest, most) = v.extremes?;
    let span = v.recent_ms as f64 / MINUTE as f64;
    let (less, more) = (lower(source) * span, higher(source) * span);
    let recent = v.recent as f64;
    if less >= t.source_volume_events && recent <= less * t.source_volume_low && v.recent < fewest {
        return Some(SourceState::Less);
    }
    let flood = recent >= t.source_volume_events && recent >= more * t.source_volume_high && v.recent > most;
    flood.then_some(SourceState::More)
}

/// What it sends per minute at least, as far as anybody knows.
fn lower(source: &SourceFacts) -> f64 {
    let v = &source.volume;
    v.other_days.map_or(v.usual_per_minute, |days| days.low.min(v.usual_per_minute))
}

fn higher(source: &SourceFacts) -> f64 {
    let v = &source.volume;
    v.other_days.map_or(v.usual_per_minute, |days| days.high.max(v.usual_per_minute))
}

fn told(source: &SourceFacts, state: SourceState, facts: &Facts) -> Option<Finding> {
    let v = &source.volume;
    let who = who(source, facts);
    let (title, detail, since) = match state {
        SourceState::Silent => (
            "A source of events fell silent",
            format!(
                "{who} has sent nothing for {} (since {}). Usual were {:.1} events a minute, and no pause longer than {}.",
                duration_text(facts.at - v.last),
                time_text(v.last),
                v.usual_per_minute,
                duration_text(v.longest_pause_ms.max(MINUTE)),
            ),
            v.last,
        ),
        SourceState::Less => (
            "A source of events sends far less than usual",
            compared(&who, source, lower(source)),
            facts.at - v.recent_ms,
        ),
        SourceState::More => (
            "A source of events sends far more than usual",
            compared(&who, source, higher(source)),
            facts.at - v.recent_ms,
        ),
        _ => return None,
    };
    // Silence and volume are different things to be told of.
    let what = if state == SourceState::Silent { "silent" } else { "volume" };
    let key = format!("{} {what}", source.source.id);
    let component = Component::Collection;
    let mut found = finding(Monitor::SourceSilent, key, Severity::Warning, component, title, detail, since);
    found.projects = vec![source.source.project];
    Some(found)
}

fn compared(who: &str, source: &SourceFacts, usual: f64) -> String {
    let v = &source.volume;
    let span = v.recent_ms as f64 / MINUTE as f64;
    format!(
        "{who} sent {} events in the last {}, {:.2} times what is usual ({usual:.1} a minute).",
        v.recent,
        duration_text(v.recent_ms),
        v.recent as f64 / (usual * span),
    )
}

fn who(source: &SourceFacts, facts: &Facts) -> String {
    let s = &source.source;
    let library = s.library.as_ref().map_or(String::new(), |library| format!(" {library}"));
    format!(
        "{}{library} under key {} of project {}",
        s.protocol,
        s.key,
        project_text(s.project, &facts.projects)
    )
}

fn minutes(n: f64) -> Millis {
    (n * MINUTE as f64) as Millis
}
