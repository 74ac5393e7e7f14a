//! Measures: what a cell keeps for them, how groups rank by them, and their values.

use crate::operators::cell::{Cell, CellKind, State};
use crate::query::{Measure, SeriesSpec};
use serde_json::{Map, Value, json};
use tallymark_query::json_number;

/// What cells of a measure keep.
pub(super) fn kind(measure: &Measure) -> CellKind {
    match measure {
        Measure::Uniques => CellKind::Actors,
        Measure::Totals => CellKind::Count,
        Measure::Average => CellKind::PerActor,
        Measure::Frequency => CellKind::Times,
        Measure::Sum(_) | Measure::Avg(_) => CellKind::Sum,
        Measure::Min(_) | Measure::Max(_) => CellKind::Extremes,
        Measure::Percentile(..) => CellKind::Values,
        Measure::Distinct(_) | Measure::Sessions => CellKind::Distinct,
        Measure::SumPerActor(_) => CellKind::SumPerActor,
    }
}

/// What groups are ordered by (chapter 1.7).
pub(super) fn rank(measure: &Measure, total: &mut Cell) -> f64 {
    match &mut total.state {
        State::Actors(actors) => actors.len() as f64,
        State::Times(times) => times.len() as f64,
        State::Sum { sum, .. } if matches!(measure, Measure::Sum(_) | Measure::Avg(_)) => {
            sum.value().unwrap_or(f64::INFINITY)
        }
        State::SumPerActor { sum, .. } => sum.value().unwrap_or(f64::INFINITY),
        State::Distinct(sessions) if *measure == Measure::Sessions => sessions.len() as f64,
        _ => total.events as f64,
    }
}

/// The value of a cell; `active` is the number of active actors of the same stretch of time, for shares of them.
pub(super) fn value(series: &SeriesSpec, cell: &mut Cell, active: usize, div_zero: bool) -> Value {
    let measure = &series.measure;
    let number = |n: Option<f64>| n.filter(|n| n.is_finite()).map_or(Value::Null, json_number);
    let ratio = |of: Option<f64>, by: usize| match by {
        0 if div_zero => json!(0),
        0 => Value::Null,
        by => number(of.map(|of| of / by as f64)),
    };
    let events = cell.events;
    match &mut cell.state {
        State::Count => json!(events),
        State::Actors(set) if series.of_active => ratio(Some(set.len() as f64), active),
        State::Actors(set) | State::Distinct(set) => json!(set.len()),
        State::PerActor { with_actor, actors } => ratio(Some(*with_actor as f64), actors.len()),
        State::Sum { numbers, sum } => match measure {
            Measure::Avg(_) if *numbers == 0 => Value::Null,
            Measure::Avg(_) => number(sum.value().map(|s| s / *numbers as f64)),
            _ => number(sum.value()),
        },
        State::SumPerActor { sum, actors } => {
            ratio(sum.value(), if series.of_active { active } else { actors.len() })
        }
        State::Extremes { numbers: 0, .. } => Value::Null,
        State::Extremes { min, max, .. } => {
            number(Some(if matches!(measure, Measure::Min(_)) { *min } else { *max }))
        }
        // Percentiles are taken of all cells of a window where they lie.
        State::Values(_) => Value::Null,
        State::Times(times) => {
            let mut actors: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
            times.values().for_each(|n| *actors.entry(*n).or_default() += 1);
            Value::Object(
                actors.into_iter().map(|(n, actors)| (n.to_string(), json!(actors))).collect::<Map<_, _>>(),
            )
        }
    }
}
