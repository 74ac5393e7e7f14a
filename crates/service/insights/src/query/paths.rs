//! `type: "paths"` (chapter 8).

use super::parts::{self, Common, NamesSpec};
use super::reader::Reader;
use super::sessions::{SessionRules, minutes};
use super::through::ThroughSpec;
use crate::Error;
use serde_json::Value;
use std::collections::BTreeSet;
use tallymark_model::Millis;
use tallymark_predicate::PropertyRef;

/// Most steps of a path.
const STEPS_MAX: i64 = 20;
/// Most patterns, names and items in a list.
const LIST_MAX: usize = 1000;

/// Which way actors go.
#[derive(Debug, Clone)]
pub(crate) struct PathsQuery {
    pub common: Common,
    /// Events that take part.
    pub include: NamesSpec,
    pub exclude: BTreeSet<String>,
    pub item: Option<ItemSpec>,
    /// Patterns with `*`; the first that an item matches takes its place.
    pub groupings: Vec<String>,
    pub start: Option<String>,
    pub end: Option<String>,
    pub step_limit: usize,
    pub cut: Cut,
    pub collapse: bool,
    /// Weights are segments instead of distinct actors.
    pub totals: bool,
    pub min_weight: u64,
    pub top: Option<usize>,
    pub first_only: bool,
    /// Only between two steps of a funnel.
    pub through: Option<Box<ThroughSpec>>,
}

/// Items that are values instead of names.
#[derive(Debug, Clone)]
pub(crate) struct ItemSpec {
    pub property: PropertyRef,
    /// Of these events; of all if this is `None`.
    pub events: Option<BTreeSet<String>>,
}

/// Where one segment of an actor's stream ends and the next begins.
#[derive(Debug, Clone)]
pub(crate) enum Cut {
    /// After a pause longer than this.
    Gap(Millis),
    /// Where sessions do.
    Sessions(Box<SessionRules>),
    /// This long after the start item.
    Within(Millis),
}

impl PathsQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<PathsQuery, Error> {
        let common = Common::read(&query)?;
        let found = PathsQuery {
            common,
            include: match texts(&query, "include")? {
                None => NamesSpec::Active,
                Some(list) => NamesSpec::Of(list.into_iter().collect()),
            },
            exclude: texts(&query, "exclude")?.unwrap_or_default().into_iter().collect(),
            item: item(&query)?,
            groupings: texts(&query, "groupings")?.unwrap_or_default(),
            start: query.text("start")?.map(str::to_owned),
            end: query.text("end")?.map(str::to_owned),
            step_limit: query.integer("step_limit", 1, STEPS_MAX)?.unwrap_or(5) as usize,
            cut: cut(&query)?,
            collapse: query.flag("collapse")?.unwrap_or(true),
            totals: query.choice("measure", &[("uniques", false), ("totals", true)])?.unwrap_or(false),
            min_weight: query.integer("min_weight", 0, i64::MAX)?.unwrap_or(0) as u64,
            top: query.integer("top", 1, 1000)?.map(|n| n as usize),
            first_only: query.flag("first_only")?.unwrap_or(false),
            through: ThroughSpec::read(&query)?.map(Box::new),
        };
        query.finish()?;
        Ok(found)
    }
}

fn texts(from: &Reader<'_>, key: &'static str) -> Result<Option<Vec<String>>, Error> {
    let Some(list) = from.list(key)? else { return Ok(None) };
    let found: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
    match found.filter(|list| list.len() <= LIST_MAX) {
        Some(list) => Ok(Some(list)),
        None => Err(from.wrong(key, "must list texts", format!("at most {LIST_MAX}, each in quotes"))),
    }
}

fn item(query: &Reader<'_>) -> Result<Option<ItemSpec>, Error> {
    let Some(value) = query.get("item") else { return Ok(None) };
    let from = Reader::new(value, "item")?;
    let property = parts::property(&from)?;
    let found = ItemSpec { property, events: texts(&from, "events")?.map(|l| l.into_iter().collect()) };
    from.finish()?;
    Ok(Some(found))
}

/// `gap_min`, or `gap_by: "session"` with `timeout_min`, or `within`.
fn cut(query: &Reader<'_>) -> Result<Cut, Error> {
    const DEFAULT: Millis = 30 * 60_000;
    let gap = minutes(query, "gap_min")?;
    let by_session = query.choice("gap_by", &[("session", true), ("gap", false)])?.unwrap_or(false);
    let within = parts::duration(query, "within")?;
    let rules = SessionRules::read_timeout(query)?;
    if query.get("timeout_min").is_some() && !by_session {
        return Err(query.wrong(
            "timeout_min",
            "is about sessions",
            r#"add "gap_by": "session", or use gap_min"#,
        ));
    }
    match (gap, by_session, within) {
        (gap, false, None) => Ok(Cut::Gap(gap.unwrap_or(DEFAULT))),
        (None, true, None) => Ok(Cut::Sessions(Box::new(rules))),
        (None, false, Some(within)) => Ok(Cut::Within(within)),
        _ => {
            let key = if within.is_some() { "within" } else { "gap_by" };
            let value = query.get(key).unwrap_or(&Value::Null);
            let hint = "use one of gap_min, gap_by and within";
            Err(query.wrong(key, format!("{value} and another rule cannot both cut the stream"), hint))
        }
    }
}
