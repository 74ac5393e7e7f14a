//! `type: "sessions"` (chapter 7).

use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::operators::sessionise::Rules;
use serde_json::Value;
use tallymark_model::Millis;
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_query::{ProjectInfo, Unit};

/// What a session is.
#[derive(Debug, Clone)]
pub(crate) struct SessionRules {
    /// Longest pause; the project's if the query does not say.
    pub timeout: Option<Millis>,
    pub reset_at_midnight: bool,
    /// The property whose value takes the place of the SDK's session id.
    pub by: Option<PropertyRef>,
    /// Only these open sessions.
    pub start: Option<SelectorSpec>,
    /// These end them.
    pub end: Option<SelectorSpec>,
}

/// Sessions per bucket, their lengths and what they hold.
#[derive(Debug, Clone)]
pub(crate) struct SessionsQuery {
    pub common: Common,
    pub rules: SessionRules,
    pub interval: Option<Unit>,
    pub contains: Option<SelectorSpec>,
    pub histogram: Option<Bars>,
    pub breakdown: Option<BreakdownSpec>,
    /// The breakdown goes by the last event instead of the first.
    pub at_exit: bool,
    pub limit: usize,
    pub other: bool,
}

/// Bars `[min + i·width, …)` of lengths in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bars {
    pub width: f64,
    pub min: f64,
}

impl SessionRules {
    /// The default: the SDK's ids, and the project's timeout.
    pub fn standard() -> SessionRules {
        SessionRules { timeout: None, reset_at_midnight: false, by: None, start: None, end: None }
    }

    /// `timeout_min`, alone.
    pub fn read_timeout(query: &Reader<'_>) -> Result<SessionRules, Error> {
        Ok(SessionRules { timeout: minutes(query, "timeout_min")?, ..SessionRules::standard() })
    }

    /// `timeout_min`, `reset_at_midnight`, `session_by`, `start`, `end`.
    pub fn read(query: &Reader<'_>) -> Result<SessionRules, Error> {
        let rules = SessionRules {
            reset_at_midnight: query.flag("reset_at_midnight")?.unwrap_or(false),
            by: session_by(query)?,
            start: optional_selector(query, "start")?,
            end: optional_selector(query, "end")?,
            ..SessionRules::read_timeout(query)?
        };
        if rules.by.is_some() && (rules.start.is_some() || rules.end.is_some()) {
            let problem = "says what a session is, and so do `start` and `end`";
            return Err(query.wrong("session_by", problem, "use one or the other"));
        }
        Ok(rules)
    }

    /// Whether the ids that SDKs send make sessions.
    pub fn by_ids(&self) -> bool {
        self.by.is_none() && self.start.is_none() && self.end.is_none()
    }

    /// Longest pause within a session of this project.
    pub fn timeout(&self, project: &ProjectInfo) -> Millis {
        self.timeout.unwrap_or(project.session_timeout)
    }

    /// For events without an id.
    pub fn operator(&self, project: &ProjectInfo) -> Rules {
        Rules { timeout: self.timeout(project), only_started: self.start.is_some() }
    }
}

impl SessionsQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<SessionsQuery, Error> {
        let common = Common::read(&query)?;
        let (breakdown, at_exit) = breakdown(&query)?;
        let found = SessionsQuery {
            common,
            rules: SessionRules::read(&query)?,
            interval: parts::interval(&query, Unit::Day)?,
            contains: optional_selector(&query, "contains")?,
            histogram: histogram(&query)?,
            breakdown,
            at_exit,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
        };
        query.finish()?;
        Ok(found)
    }
}

/// A number of minutes.
pub(super) fn minutes(query: &Reader<'_>, key: &'static str) -> Result<Option<Millis>, Error> {
    const MAX: f64 = 366.0 * 24.0 * 60.0;
    let Some(value) = query.get(key) else { return Ok(None) };
    match value.as_f64().filter(|n| (0.0..=MAX).contains(n)) {
        Some(n) => Ok(Some((n * 60_000.0).round() as Millis)),
        None => Err(query.wrong(key, format!("{value} is not allowed"), "minutes, at most 366 days of them")),
    }
}

/// A selector under a key.
pub(super) fn optional_selector(
    query: &Reader<'_>,
    key: &'static str,
) -> Result<Option<SelectorSpec>, Error> {
    let Some(value) = query.get(key) else { return Ok(None) };
    let from = Reader::new(value, &query.at(key))?;
    let found = parts::selector(&from)?;
    from.finish()?;
    Ok(Some(found))
}

fn session_by(query: &Reader<'_>) -> Result<Option<PropertyRef>, Error> {
    let Some(text) = query.text("session_by")? else { return Ok(None) };
    match text.strip_prefix("event.").filter(|path| !path.is_empty()) {
        Some(path) => Ok(Some(PropertyRef { scope: Scope::Event, path: path.to_owned() })),
        None => Err(query.wrong("session_by", format!("{text:?} is not known"), "use event.<property>")),
    }
}

fn histogram(query: &Reader<'_>) -> Result<Option<Bars>, Error> {
    let Some(value) = query.get("histogram") else { return Ok(None) };
    let from = Reader::new(value, "histogram")?;
    let seconds = |key| match from.get(key) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|n| (0.0..=1e9).contains(n)) {
            Some(n) => Ok(Some(n)),
            None => Err(from.wrong(key, format!("{value} is not allowed"), "seconds")),
        },
    };
    let width = seconds("width_s")?.filter(|w| *w >= 0.001);
    let width = width.ok_or_else(|| from.missing("width_s", "seconds, at least 0.001"))?;
    let bars = Bars { width, min: seconds("min_s")?.unwrap_or(0.0) };
    from.finish()?;
    Ok(Some(bars))
}

/// By the value on the first event (`at: "entry"`) or the last one (`"exit"`).
fn breakdown(query: &Reader<'_>) -> Result<(Option<BreakdownSpec>, bool), Error> {
    let value = match query.get("breakdown") {
        None => return Ok((None, false)),
        Some(Value::Array(list)) => match list.as_slice() {
            [] => return Ok((None, false)),
            [single] => single,
            _ => {
                return Err(query.wrong(
                    "breakdown",
                    "has too many dimensions",
                    "a session has one entry value",
                ));
            }
        },
        Some(single) => single,
    };
    let from = Reader::new(value, "breakdown")?;
    let at_exit = from.choice("at", &[("entry", false), ("exit", true)])?.unwrap_or(false);
    let found = BreakdownSpec {
        property: parts::property(&from)?,
        bins: parts::bins(&from)?,
        all_items: false,
        attribution: None,
    };
    from.finish()?;
    Ok((Some(found), at_exit))
}
