//! What a series of a segmentation counts, and over which of its buckets (chapter 2).

use super::parts;
use super::reader::Reader;
use crate::Error;
use serde_json::Value;
use tallymark_model::Millis;
use tallymark_predicate::{PropertyRef, Scope};
use tallymark_query::Unit;

/// Most buckets of a rolling modifier, however short they are.
const ROLLING_MAX: i64 = 10_000;
/// Longest stretch a rolling modifier covers: 366 days.
const ROLLING_MAX_MS: Millis = 366 * 86_400_000;

/// What is counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Measure {
    Uniques,
    Totals,
    /// Events with an actor per actor.
    Average,
    /// Actors by how many events they have.
    Frequency,
    Sum(PropertyRef),
    Avg(PropertyRef),
    Min(PropertyRef),
    Max(PropertyRef),
    /// From 0 to 100.
    Percentile(PropertyRef, f64),
    Distinct(PropertyRef),
    SumPerActor(PropertyRef),
    /// Sessions that contain such an event.
    Sessions,
}

/// How a line is made of its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each by itself.
    Plain,
    /// The measure of the last `n` buckets together.
    RollingWindow { n: usize, in_range: bool },
    /// The mean of the last `n` values.
    RollingAverage { n: usize, in_range: bool },
    /// The measure of all buckets so far together.
    Cumulative,
    /// The sum of all values so far.
    RunningSum,
}

impl Measure {
    /// The property whose values it reads.
    pub fn property(&self) -> Option<&PropertyRef> {
        match self {
            Measure::Uniques
            | Measure::Totals
            | Measure::Average
            | Measure::Frequency
            | Measure::Sessions => None,
            Measure::Sum(p)
            | Measure::Avg(p)
            | Measure::Min(p)
            | Measure::Max(p)
            | Measure::Percentile(p, _)
            | Measure::Distinct(p)
            | Measure::SumPerActor(p) => Some(p),
        }
    }

    /// `measure` and `property` of a series.
    pub fn read(from: &Reader<'_>) -> Result<Measure, Error> {
        let name = from.text("measure")?.unwrap_or("uniques");
        let property = property(from)?;
        let needed = || {
            let hint = format!("`measure: {name:?}` needs the name of a property");
            property.clone().filter(|p| !p.path.is_empty()).ok_or_else(|| from.missing("property", hint))
        };
        let measure = match name {
            "uniques" => Measure::Uniques,
            "totals" => Measure::Totals,
            "average" => Measure::Average,
            "frequency" => Measure::Frequency,
            "sessions" => Measure::Sessions,
            "sum" => Measure::Sum(needed()?),
            "avg" => Measure::Avg(needed()?),
            "min" => Measure::Min(needed()?),
            "max" => Measure::Max(needed()?),
            "median" => Measure::Percentile(needed()?, 50.0),
            "distinct" => Measure::Distinct(needed()?),
            "sum_per_actor" => Measure::SumPerActor(needed()?),
            other => {
                let percent = other.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
                let percent = percent.filter(|p| (0.0..=100.0).contains(p)).ok_or_else(|| {
                    let hint = "use uniques, totals, average, frequency, sessions, sum, avg, min, max, median, \
                                pNN (such as p90), distinct or sum_per_actor";
                    from.wrong("measure", format!("{other:?} is not known"), hint)
                })?;
                Measure::Percentile(needed()?, percent)
            }
        };
        if measure.property().is_none() && property.is_some() {
            let hint = "leave it out, or choose a measure of a property such as sum";
            return Err(from.wrong("property", format!("has no meaning with `measure: {name:?}`"), hint));
        }
        Ok(measure)
    }
}

/// A name of an event property, or `{scope, property}`.
fn property(from: &Reader<'_>) -> Result<Option<PropertyRef>, Error> {
    match from.get("property") {
        None => Ok(None),
        Some(value @ Value::Object(_)) => {
            let inner = Reader::new(value, &from.at("property"))?;
            let found = parts::property(&inner)?;
            inner.finish()?;
            Ok(Some(found))
        }
        Some(_) => {
            let path = from.text("property")?.unwrap_or_default().to_owned();
            Ok(Some(PropertyRef { scope: Scope::Event, path }))
        }
    }
}

impl Shape {
    /// The modifiers of a series; `interval` is that of the query.
    pub fn read(from: &Reader<'_>, measure: &Measure, interval: Option<Unit>) -> Result<Shape, Error> {
        let window = rolling(from, "rolling_window", interval)?;
        let average = rolling(from, "rolling_average", interval)?;
        let in_range = from.choice("lookback", &[("before", false), ("range_only", true)])?;
        let cumulative = from.flag("cumulative")?.unwrap_or(false);
        let sum = from.choice("cumulative_uniques", &[("dedup", false), ("sum", true)])?;
        let asked: Vec<&'static str> = [
            ("rolling_window", window.is_some()),
            ("rolling_average", average.is_some()),
            ("cumulative", cumulative),
        ]
        .into_iter()
        .filter_map(|(name, asked)| asked.then_some(name))
        .collect();
        if let [first, second, ..] = asked.as_slice() {
            let why = format!("does not go with `{first}`: a line is made of its buckets in one way");
            return Err(Error::combination(from.at(second), format!("`{second}`"), why));
        }
        if in_range.is_some() && window.or(average).is_none() {
            let why = "says how far a rolling window or average looks back, and there is none";
            return Err(Error::combination(from.at("lookback"), "`lookback`", why));
        }
        if average.is_some() && *measure == Measure::Frequency {
            let why = "does not go with `measure: \"frequency\"`: histograms have no mean";
            return Err(Error::combination(from.at("rolling_average"), "`rolling_average`", why));
        }
        if sum.is_some() && !(cumulative && *measure == Measure::Uniques) {
            let why = "is about `cumulative` uniques, and this is another line";
            return Err(Error::combination(from.at("cumulative_uniques"), "`cumulative_uniques`", why));
        }
        let in_range = in_range.unwrap_or(false);
        Ok(match (window, average) {
            // The window of one bucket is the bucket.
            (Some(1), _) | (_, Some(1)) => Shape::Plain,
            (Some(n), _) => Shape::RollingWindow { n, in_range },
            (_, Some(n)) => Shape::RollingAverage { n, in_range },
            _ if !cumulative => Shape::Plain,
            _ if sum == Some(true) => Shape::RunningSum,
            _ => Shape::Cumulative,
        })
    }

    /// How many buckets before the range it reads.
    pub fn lookback(self) -> usize {
        match self {
            Shape::RollingWindow { n, in_range: false } | Shape::RollingAverage { n, in_range: false } => {
                n - 1
            }
            _ => 0,
        }
    }
}

fn rolling(from: &Reader<'_>, key: &'static str, interval: Option<Unit>) -> Result<Option<usize>, Error> {
    let Some(n) = from.integer(key, 1, ROLLING_MAX)? else { return Ok(None) };
    let unit = interval.map_or(0, Unit::millis);
    if n > 1 && n * unit > ROLLING_MAX_MS {
        return Err(from.wrong(key, format!("{n} buckets are too long"), "at most 366 days together"));
    }
    Ok(Some(n as usize))
}
