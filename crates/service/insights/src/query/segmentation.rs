//! `type: "segmentation"` (chapter 2).

use super::parts::{self, BreakdownSpec, Common, SelectorSpec};
use super::reader::Reader;
use crate::Error;
use crate::formula::Formula;
use serde_json::{Value, json};
use tallymark_predicate::{PropertyRef, Scope};
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
}

/// One line of the chart.
#[derive(Debug, Clone)]
pub(crate) struct SeriesSpec {
    pub selector: SelectorSpec,
    pub measure: Measure,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Measure {
    Uniques,
    Totals,
    /// Events with an actor per actor.
    Average,
    Sum(PropertyRef),
    Avg(PropertyRef),
    Min(PropertyRef),
    Max(PropertyRef),
    /// From 0 to 100.
    Percentile(PropertyRef, f64),
    Distinct(PropertyRef),
}

impl Measure {
    /// The property whose values it reads.
    pub fn property(&self) -> Option<&PropertyRef> {
        match self {
            Measure::Uniques | Measure::Totals | Measure::Average => None,
            Measure::Sum(p)
            | Measure::Avg(p)
            | Measure::Min(p)
            | Measure::Max(p)
            | Measure::Percentile(p, _)
            | Measure::Distinct(p) => Some(p),
        }
    }
}

impl SegmentationQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<SegmentationQuery, Error> {
        let common = Common::read(&query)?;
        query.refuse(&[("compare", &[]), ("new_users_only", &[json!(false)]), ("formula_functions", &[])])?;
        let list = query.list("series")?.filter(|l| !l.is_empty());
        let list =
            list.ok_or_else(|| query.missing("series", r#"[{"event":"signup","measure":"uniques"}]"#))?;
        if list.len() > SERIES_MAX {
            return Err(query.wrong("series", "has too many entries", format!("at most {SERIES_MAX}")));
        }
        let series: Vec<SeriesSpec> = list
            .iter()
            .enumerate()
            .map(|(i, v)| series(v, &format!("series[{i}]")))
            .collect::<Result<_, _>>()?;
        let formulas = formulas(&query, series.len())?;
        let found = SegmentationQuery {
            common,
            interval: parts::interval(&query, Unit::Day)?,
            series,
            breakdown: parts::breakdowns(&query)?,
            limit: parts::limit(&query)?,
            other: query.flag("other")?.unwrap_or(true),
            formulas,
        };
        query.finish()?;
        Ok(found)
    }
}

fn series(value: &Value, path: &str) -> Result<SeriesSpec, Error> {
    let from = Reader::new(value, path)?;
    from.refuse(&[
        ("rolling_window", &[]),
        ("rolling_average", &[]),
        ("lookback", &[]),
        ("cumulative", &[json!(false)]),
        ("cumulative_uniques", &[]),
        ("of_active", &[json!(false)]),
    ])?;
    let selector = parts::selector(&from)?;
    let name = from.text("measure")?.unwrap_or("uniques");
    let property = match from.get("property") {
        None => None,
        Some(Value::Object(_)) => {
            let inner = Reader::new(from.get("property").unwrap_or(&Value::Null), &from.at("property"))?;
            let found = parts::property(&inner)?;
            inner.finish()?;
            Some(found)
        }
        Some(_) => {
            let path = from.text("property")?.unwrap_or_default().to_owned();
            Some(PropertyRef { scope: Scope::Event, path })
        }
    };
    let needed = || {
        let hint = format!("`measure: {name:?}` needs the name of a property");
        property.clone().filter(|p| !p.path.is_empty()).ok_or_else(|| from.missing("property", hint))
    };
    let measure = match name {
        "uniques" => Measure::Uniques,
        "totals" => Measure::Totals,
        "average" => Measure::Average,
        "sum" => Measure::Sum(needed()?),
        "avg" => Measure::Avg(needed()?),
        "min" => Measure::Min(needed()?),
        "max" => Measure::Max(needed()?),
        "median" => Measure::Percentile(needed()?, 50.0),
        "distinct" => Measure::Distinct(needed()?),
        "frequency" | "sum_per_actor" | "sessions" => {
            return Err(Error::unsupported(from.at("measure"), format!("`measure: {name:?}`")));
        }
        other => {
            let percent = other.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
            let percent = percent.filter(|p| (0.0..=100.0).contains(p)).ok_or_else(|| {
                let hint =
                    "use uniques, totals, average, sum, avg, min, max, median, pNN (such as p90) or distinct";
                from.wrong("measure", format!("{other:?} is not known"), hint)
            })?;
            Measure::Percentile(needed()?, percent)
        }
    };
    if measure.property().is_none() && property.is_some() {
        let hint = "leave it out, or choose a measure of a property such as sum";
        return Err(from.wrong("property", format!("has no meaning with `measure: {name:?}`"), hint));
    }
    from.finish()?;
    Ok(SeriesSpec { selector, measure })
}

fn formulas(query: &Reader<'_>, series: usize) -> Result<Vec<Formula>, Error> {
    let list = match query.get("formula") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let one = |(i, value): (usize, &Value)| {
        let path = format!("formula[{i}]");
        let text =
            value.as_str().ok_or_else(|| Error::malformed(&path, "must be text", r#"such as "A / B""#))?;
        Formula::parse(text, series).map_err(|problem| {
            Error::malformed(path, problem, "letters of series, numbers, + - * / and parentheses")
        })
    };
    list.iter().enumerate().map(one).collect()
}
