//! `type: "retention"` (chapter 4).
//!
//! Keys beyond the contract's page: `kind: "streak" | "on_or_before"`, `measure: {"sum" | "avg": property}` (a name, or
//! `{scope, property}`), `overall: "weighted" | "dedup_actors"`, and `kind: "usage_interval"`, which looks at the days
//! of `start` alone: `counts[x - 1]` are the actors whose median gap between active days is at most x days.

mod checks;

use super::labelled::dimensions;
use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::operators::returns::{Cell, CohortBy};
use serde_json::Value;
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_query::Unit;

/// Most periods of a table.
const PERIODS_MAX: i64 = 1000;
/// Most brackets.
const BRACKETS_MAX: usize = 100;

/// What puts a member into a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RetentionKind {
    #[default]
    On,
    OnOrAfter,
    OnOrBefore,
    Streak,
    Bracket,
    /// No table: gaps between active days.
    UsageInterval,
}

/// A retention table.
#[derive(Debug, Clone)]
pub(crate) struct RetentionQuery {
    pub common: Common,
    pub start: SelectorSpec,
    /// Absent for usage intervals only.
    pub back: Option<SelectorSpec>,
    pub interval: Unit,
    pub periods: usize,
    pub rolling: bool,
    /// Times are floored to the hour first.
    pub round_to_hour: bool,
    pub kind: RetentionKind,
    pub brackets: Vec<(u32, u32)>,
    pub measure: Option<MeasureSpec>,
    pub cohort_by: CohortBy,
    /// `values[0]` = returned within the interval of the start, instead of the size.
    pub day0_returned: bool,
    pub min_returns: usize,
    /// The overall line counts each actor once.
    pub dedup: bool,
    pub breakdown: Vec<BreakdownSpec>,
    pub limit: usize,
    pub other: bool,
}

/// A property of returns instead of their actors.
#[derive(Debug, Clone)]
pub(crate) struct MeasureSpec {
    /// Per member of the cohort, instead of the sum.
    pub average: bool,
    pub property: PropertyRef,
}

impl RetentionQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<RetentionQuery, Error> {
        let kinds = [
            ("on", RetentionKind::On),
            ("on_or_after", RetentionKind::OnOrAfter),
            ("on_or_before", RetentionKind::OnOrBefore),
            ("streak", RetentionKind::Streak),
            ("bracket", RetentionKind::Bracket),
            ("usage_interval", RetentionKind::UsageInterval),
        ];
        let units = [("hour", Unit::Hour), ("day", Unit::Day), ("week", Unit::Week), ("month", Unit::Month)];
        let cohorts = [
            ("any", CohortBy::Any),
            ("first_time", CohortBy::FirstTime),
            ("first_in_range", CohortBy::FirstInRange),
        ];
        let kind = query.choice("kind", &kinds)?.unwrap_or_default();
        let (start, back) = (side(&query, "start")?, side(&query, "return")?);
        let hint = r#"{"event":"signup"}"#;
        if back.is_none() && kind != RetentionKind::UsageInterval {
            return Err(query.missing("return", hint));
        }
        let found = RetentionQuery {
            common: Common::read(&query)?,
            start: start.ok_or_else(|| query.missing("start", hint))?,
            back,
            interval: query.choice("interval", &units)?.unwrap_or(Unit::Day),
            periods: query.integer("periods", 0, PERIODS_MAX)?.unwrap_or(7) as usize,
            rolling: query.choice("mode", &[("calendar", false), ("rolling", true)])?.unwrap_or(false),
            round_to_hour: query
                .choice("rolling_round", &[("hour", true), ("none", false)])?
                .unwrap_or(false),
            kind,
            brackets: brackets(&query)?,
            measure: measure(&query)?,
            cohort_by: query.choice("cohort_by", &cohorts)?.unwrap_or(CohortBy::Any),
            day0_returned: query.choice("day0", &[("size", false), ("returned", true)])?.unwrap_or(false),
            min_returns: query.integer("min_returns", 1, 1_000_000)?.unwrap_or(1) as usize,
            dedup: query.choice("overall", &[("weighted", false), ("dedup_actors", true)])?.unwrap_or(false),
            breakdown: breakdown(&query)?,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
        };
        checks::check(&found, &query)?;
        query.finish()?;
        Ok(found)
    }

    /// The columns of the table.
    pub fn cells(&self) -> Vec<Cell> {
        // A sum is not a number of members.
        let by_size = !self.day0_returned && self.measure.is_none();
        let zero = if by_size { Cell::Size } else { Cell::On(0) };
        let of =
            |cell: fn(u32) -> Cell| [zero].into_iter().chain((1..=self.periods as u32).map(cell)).collect();
        match self.kind {
            RetentionKind::On | RetentionKind::UsageInterval => of(Cell::On),
            RetentionKind::OnOrAfter => of(Cell::OrAfter),
            RetentionKind::OnOrBefore => of(Cell::OrBefore),
            RetentionKind::Streak => of(Cell::Streak),
            RetentionKind::Bracket => self
                .brackets
                .iter()
                .map(|(a, b)| if by_size && (*a, *b) == (0, 0) { Cell::Size } else { Cell::Bracket(*a, *b) })
                .collect(),
        }
    }
}

fn side(query: &Reader<'_>, key: &'static str) -> Result<Option<SelectorSpec>, Error> {
    let Some(value) = query.get(key) else { return Ok(None) };
    let from = Reader::new(value, key)?;
    let found = parts::selector(&from)?;
    from.finish()?;
    Ok(Some(found))
}

fn brackets(query: &Reader<'_>) -> Result<Vec<(u32, u32)>, Error> {
    let list = query.list("brackets")?.unwrap_or_default();
    if list.len() > BRACKETS_MAX {
        let problem = format!("has {} entries", list.len());
        return Err(query.wrong("brackets", problem, format!("at most {BRACKETS_MAX}")));
    }
    let bound = |v: &Value| v.as_i64().filter(|n| (0..=PERIODS_MAX).contains(n)).map(|n| n as u32);
    let one = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([a, b]) => Some((bound(a)?, bound(b)?)).filter(|(a, b)| a <= b),
        _ => None,
    };
    let all: Option<Vec<_>> = list.iter().map(one).collect();
    let hint = format!("pairs of offsets from 0 to {PERIODS_MAX}, such as [[0,0],[1,3],[4,7]]");
    all.ok_or_else(|| query.wrong("brackets", "must be pairs of offsets, the smaller one first", hint))
}

fn measure(query: &Reader<'_>) -> Result<Option<MeasureSpec>, Error> {
    let Some(value) = query.get("measure") else { return Ok(None) };
    let hint = r#"{"sum":"amount"} or {"avg":"amount"}"#;
    let from = Reader::new(value, "measure")?;
    let (average, key) = match (from.get("sum").is_some(), from.get("avg").is_some()) {
        (true, false) => (false, "sum"),
        (false, true) => (true, "avg"),
        _ => return Err(query.wrong("measure", "must be one of `sum` and `avg`", hint)),
    };
    let property = match from.get(key) {
        Some(Value::String(path)) if !path.is_empty() => {
            PropertyRef { scope: Scope::Event, path: path.clone() }
        }
        Some(value @ Value::Object(_)) => {
            let inner = Reader::new(value, &from.at(key))?;
            let property = parts::property(&inner)?;
            inner.finish()?;
            property
        }
        _ => return Err(from.wrong(key, "must name a property", hint)),
    };
    from.finish()?;
    Ok(Some(MeasureSpec { average, property }))
}

fn breakdown(query: &Reader<'_>) -> Result<Vec<BreakdownSpec>, Error> {
    let mut specs = Vec::new();
    for (spec, at) in dimensions(query)? {
        if at.is_some_and(|at| at != "step:1") {
            let why = "is always that of the start";
            return Err(Error::combination("breakdown.at", "the value of a cohort", why));
        }
        specs.push(spec);
    }
    Ok(specs)
}
