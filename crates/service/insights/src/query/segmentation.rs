//! `type: "segmentation"` (chapter 2).

use super::measure::{Measure, Shape};
use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::formula::Formula;
use serde_json::Value;
use tallymark_query::Unit;

/// Most series of a chart: they have letters.
pub(crate) const SERIES_MAX: usize = 26;

/// A chart over time.
#[derive(Debug, Clone)]
pub(crate) struct SegmentationQuery {
    pub common: Common,
    pub interval: Option<Unit>,
    pub series: Vec<SeriesSpec>,
    pub breakdown: Vec<BreakdownSpec>,
    pub limit: usize,
    pub other: bool,
    pub formulas: Vec<Formula>,
    /// How many of which unit the range of comparison lies before.
    pub compare: Option<(u32, Unit)>,
    /// Events count in the bucket of their person's first event only.
    pub new_users_only: bool,
}

/// One line of the chart.
#[derive(Debug, Clone)]
pub(crate) struct SeriesSpec {
    pub selector: SelectorSpec,
    /// The first series that means the same events.
    pub events_of: usize,
    pub measure: Measure,
    /// Per actor with any active event, instead of a count or per actor of the series.
    pub of_active: bool,
    pub shape: Shape,
}

impl SegmentationQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<SegmentationQuery, Error> {
        let common = Common::read(&query)?;
        let interval = parts::interval(&query, Unit::Day)?;
        let list = query.list("series")?.filter(|l| !l.is_empty());
        let list =
            list.ok_or_else(|| query.missing("series", r#"[{"event":"signup","measure":"uniques"}]"#))?;
        if list.len() > SERIES_MAX {
            return Err(query.wrong("series", "has too many entries", format!("at most {SERIES_MAX}")));
        }
        let series: Vec<SeriesSpec> = list
            .iter()
            .enumerate()
            .map(|(i, v)| series(v, &format!("series[{i}]"), interval, same_events(list, i)))
            .collect::<Result<_, _>>()?;
        let found = SegmentationQuery {
            common,
            interval,
            formulas: formulas(&query, &series)?,
            series,
            breakdown: parts::breakdowns(&query)?,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
            compare: compare(&query)?,
            new_users_only: query.flag("new_users_only")?.unwrap_or(false),
        };
        query.finish()?;
        Ok(found)
    }
}

/// The first series whose selector reads as that of series `i`.
fn same_events(list: &[Value], i: usize) -> usize {
    let own = selector_of(&list[i]);
    list.iter().position(|other| selector_of(other) == own).unwrap_or(i)
}

fn selector_of(series: &Value) -> [Option<&Value>; 4] {
    ["event", "where", "nth", "nth_of"].map(|key| series.get(key))
}

fn series(value: &Value, path: &str, interval: Option<Unit>, events_of: usize) -> Result<SeriesSpec, Error> {
    let from = Reader::new(value, path)?;
    let selector = parts::selector(&from)?;
    let measure = Measure::read(&from)?;
    let of_active = from.flag("of_active")?.unwrap_or(false);
    if of_active && !matches!(measure, Measure::Uniques | Measure::SumPerActor(_)) {
        let why = "is a share of active actors: it goes with `uniques` and `sum_per_actor` only";
        return Err(Error::combination(from.at("of_active"), "`of_active`", why));
    }
    let shape = Shape::read(&from, &measure, interval)?;
    if of_active && shape == Shape::RunningSum {
        let why = "does not go with `of_active`: shares do not add up";
        return Err(Error::combination(from.at("cumulative_uniques"), "`cumulative_uniques`", why));
    }
    from.finish()?;
    Ok(SeriesSpec { selector, events_of, measure, of_active, shape })
}

fn formulas(query: &Reader<'_>, series: &[SeriesSpec]) -> Result<Vec<Formula>, Error> {
    const FORMULAS_MAX: usize = 26;
    let list = match query.get("formula") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    if list.len() > FORMULAS_MAX {
        return Err(query.wrong("formula", "has too many entries", format!("at most {FORMULAS_MAX}")));
    }
    let one = |(i, value): (usize, &Value)| {
        let path = format!("formula[{i}]");
        let text =
            value.as_str().ok_or_else(|| Error::malformed(&path, "must be text", r#"such as "A / B""#))?;
        let formula = Formula::parse(text, series.len()).map_err(|problem| {
            let hint = "letters of series, numbers, + - * / and parentheses, and the functions ABS, EXP, LN, LOG, \
                        POWER, SQRT, TRENDLINE";
            Error::malformed(&path, problem, hint)
        })?;
        match formula.series().into_iter().find(|i| series[*i].measure == Measure::Frequency) {
            None => Ok(formula),
            Some(_) => {
                let why = "does not go with `measure: \"frequency\"`: histograms are no numbers";
                Err(Error::combination(path, "a formula", why))
            }
        }
    };
    list.iter().enumerate().map(one).collect()
}

fn compare(query: &Reader<'_>) -> Result<Option<(u32, Unit)>, Error> {
    const N_MAX: i64 = 10_000;
    let Some(value) = query.get("compare") else { return Ok(None) };
    let hint = r#"{"n":1,"unit":"week"}"#;
    let from = Reader::new(value, "compare")?;
    let n = from.integer("n", 1, N_MAX)?.ok_or_else(|| from.missing("n", hint))?;
    let unit = from.choice("unit", &parts::units())?.ok_or_else(|| from.missing("unit", hint))?;
    from.finish()?;
    Ok(Some((n as u32, unit)))
}
