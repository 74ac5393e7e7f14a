//! `type: "funnel"` (chapter 3).
//!
//! Keys beyond the contract's page: `any_order_entry: "any" | "first_listed" | "anchors"`, `exact_allow_repeats`,
//! `anchor` and `optional` on steps, and `between: {event, where, nth, property?}`: per step, how often those who
//! went on (and those who dropped, until their window closed) did that event between the two steps, the sum of its
//! property, and the correlation of doing it with going on (chapter 3.10).

mod breakdown;
mod checks;
mod steps;

pub(crate) use breakdown::At;
pub(crate) use steps::{ExclusionSpec, StepSpec};

use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::operators::attempt::Choice;
use tallymark_model::Millis;
use tallymark_predicate::PropertyRef;
use tallymark_query::Unit;

const DAY_MS: Millis = 86_400_000;

/// In which order steps come (chapter 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    #[default]
    This,
    /// Without anything in between.
    Exact,
    Any,
}

/// A funnel.
#[derive(Debug, Clone)]
pub(crate) struct FunnelQuery {
    pub common: Common,
    pub steps: Vec<StepSpec>,
    pub window: Millis,
    pub order: Order,
    /// In exact order, a step may repeat.
    pub allow_repeats: bool,
    /// In any order, nobody counts without step 1.
    pub first_listed: bool,
    pub exclusions: Vec<ExclusionSpec>,
    /// Exclusions remove the actor instead of ending the attempt.
    pub remove: bool,
    pub hold: Vec<PropertyRef>,
    /// An actor counts once, with the best of its held values.
    pub hold_actor: bool,
    pub tolerance: Millis,
    pub strict: bool,
    pub choice: Choice,
    /// Later steps must lie in the range too.
    pub confine: bool,
    /// Attempts are counted instead of actors.
    pub totals: bool,
    pub over_time: Option<OverTimeSpec>,
    /// Percentiles of the total time.
    pub percentiles: Vec<f64>,
    pub histogram: Option<HistogramSpec>,
    pub between: Option<BetweenSpec>,
    pub breakdown: Vec<BreakdownSpec>,
    /// Per dimension of the breakdown: whose value it is.
    pub at: Vec<At>,
    pub limit: usize,
    pub other: bool,
}

/// Conversion by the time of entry (chapter 3.9); steps from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverTimeSpec {
    pub interval: Unit,
    pub from_step: usize,
    pub to_step: usize,
}

/// Bars of the total time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistogramSpec {
    pub width: Millis,
    pub min: Millis,
}

/// What to look for between two steps.
#[derive(Debug, Clone)]
pub(crate) struct BetweenSpec {
    pub selector: SelectorSpec,
    /// Its numbers are summed.
    pub property: Option<PropertyRef>,
}

impl FunnelQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<FunnelQuery, Error> {
        let common = Common::read(&query)?;
        let steps = steps::steps(&query)?;
        let orders = [("this_order", Order::This), ("exact_order", Order::Exact), ("any_order", Order::Any)];
        let choices =
            [("best", Choice::Best), ("first_entry", Choice::FirstEntry), ("tightest", Choice::Tightest)];
        let entries = [("any", false), ("anchors", false), ("first_listed", true)];
        let (breakdown, at) = breakdown::breakdown(&query, steps.len())?;
        let found = FunnelQuery {
            common,
            window: parts::duration(&query, "window")?.unwrap_or(DAY_MS),
            order: query.choice("order", &orders)?.unwrap_or_default(),
            allow_repeats: query.flag("exact_allow_repeats")?.unwrap_or(false),
            first_listed: query.choice("any_order_entry", &entries)?.unwrap_or(false),
            exclusions: steps::exclusions(&query, steps.len())?,
            remove: query.choice("exclusion_effect", &[("break", false), ("remove", true)])?.unwrap_or(false),
            hold: steps::hold(&query)?,
            hold_actor: query.choice("hold_unit", &[("pair", false), ("actor", true)])?.unwrap_or(false),
            tolerance: query.integer("tie_tolerance_ms", 0, DAY_MS)?.unwrap_or(0),
            strict: query.flag("strict_increase")?.unwrap_or(false),
            choice: query.choice("attempt", &choices)?.unwrap_or_default(),
            confine: query.flag("confine_to_range")?.unwrap_or(false),
            totals: query.choice("count", &[("uniques", false), ("totals", true)])?.unwrap_or(false),
            over_time: over_time(&query, steps.len())?,
            percentiles: percentiles(&query)?,
            histogram: histogram(&query)?,
            between: between(&query)?,
            breakdown,
            at,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
            steps,
        };
        checks::check(&found, &query)?;
        query.finish()?;
        Ok(found)
    }
}

/// The number of a step that a key names, from 0.
fn step_of(from: &Reader<'_>, key: &'static str, default: usize, steps: usize) -> Result<usize, Error> {
    Ok(from.integer(key, 1, steps as i64)?.map_or(default, |k| k as usize - 1))
}

fn over_time(query: &Reader<'_>, steps: usize) -> Result<Option<OverTimeSpec>, Error> {
    let Some(value) = query.get("over_time") else {
        // A chart's interval without anything to draw over time.
        query.refuse(&[("interval", &[serde_json::json!("none")])])?;
        return Ok(None);
    };
    let from = Reader::new(value, "over_time")?;
    let found = OverTimeSpec {
        interval: from.choice("interval", &parts::units())?.unwrap_or(Unit::Day),
        from_step: step_of(&from, "from_step", 0, steps)?,
        to_step: step_of(&from, "to_step", steps - 1, steps)?,
    };
    if found.from_step > found.to_step {
        return Err(from.wrong("to_step", "comes before `from_step`", "a later step, or the same"));
    }
    from.finish()?;
    Ok(Some(found))
}

fn percentiles(query: &Reader<'_>) -> Result<Vec<f64>, Error> {
    const PERCENTILES_MAX: usize = 20;
    let list = query.list("percentiles")?.unwrap_or_default();
    let numbers: Option<Vec<f64>> = list.iter().map(serde_json::Value::as_f64).collect();
    let fits = |p: &f64| (0.0..=100.0).contains(p);
    numbers.filter(|n| n.len() <= PERCENTILES_MAX && n.iter().all(fits)).ok_or_else(|| {
        query.wrong("percentiles", "must be numbers from 0 to 100", format!("at most {PERCENTILES_MAX}"))
    })
}

fn histogram(query: &Reader<'_>) -> Result<Option<HistogramSpec>, Error> {
    let Some(value) = query.get("histogram") else { return Ok(None) };
    let from = Reader::new(value, "histogram")?;
    let ms = |key| match from.get(key) {
        None => Ok(None),
        Some(value) => {
            let ms = value.as_f64().map(|s| (s * 1000.0).round()).filter(|ms| (0.0..1e12).contains(ms));
            let wrong = || from.wrong(key, format!("{value} is not allowed"), "seconds, such as 3600");
            ms.map(|ms| Some(ms as Millis)).ok_or_else(wrong)
        }
    };
    let width = ms("width_s")?.ok_or_else(|| from.missing("width_s", "how many seconds a bar is wide"))?;
    if width < 1 {
        return Err(from.wrong("width_s", "is nothing", "at least 0.001"));
    }
    let found = HistogramSpec { width, min: ms("min_s")?.unwrap_or(0) };
    from.finish()?;
    Ok(Some(found))
}

fn between(query: &Reader<'_>) -> Result<Option<BetweenSpec>, Error> {
    let Some(value) = query.get("between") else { return Ok(None) };
    let from = Reader::new(value, "between")?;
    let selector = parts::selector(&from)?;
    let property = if from.get("property").is_some() { Some(parts::property(&from)?) } else { None };
    from.finish()?;
    Ok(Some(BetweenSpec { selector, property }))
}
