//! Measures of a set of events, and what values rank by.

use super::At;
use crate::reference::events::{Prepared, Seen};
use crate::reference::values::{mean, number, percentile, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use tallymark_model::Millis;

fn name(series: &Value) -> &str {
    series["measure"].as_str().unwrap_or("uniques")
}

fn actors<'p>(events: &[&'p Seen]) -> HashSet<&'p str> {
    events.iter().filter_map(|e| e.actor.as_deref()).collect()
}

fn property_value(prepared: &Prepared, series: &Value, seen: &Seen) -> Result<Option<Value>, String> {
    match &series["property"] {
        Value::Object(by) => {
            let scope = by.get("scope").and_then(Value::as_str).unwrap_or("event");
            prepared.value(seen, scope, by.get("property").and_then(Value::as_str).unwrap_or_default())
        }
        path => prepared.value(seen, "event", path.as_str().unwrap_or_default()),
    }
}

fn numbers(prepared: &Prepared, series: &Value, events: &[&Seen]) -> Result<Vec<f64>, String> {
    let mut found = Vec::new();
    for seen in events {
        found.extend(property_value(prepared, series, seen)?.as_ref().and_then(number));
    }
    Ok(found)
}

/// "An event without such an actor counts in totals but in nothing that is per actor."
fn of_somebody<'a, 'w>(events: &[&'a Seen<'w>]) -> Vec<&'a Seen<'w>> {
    events.iter().filter(|e| e.actor.is_some()).copied().collect()
}

/// "uniques and frequency: distinct actors; totals, average, percentiles, min, max, distinct: number of events;
/// sum, avg: the sum"
pub fn rank(prepared: &Prepared, series: &Value, at: &[At]) -> Result<f64, String> {
    let events: &[&Seen] = &at.iter().map(|at| at.seen).collect::<Vec<_>>();
    let sum = |events: &[&Seen]| -> Result<f64, String> {
        // -0.0 of nothing ranks like 0.
        Ok(numbers(prepared, series, events)?.iter().sum::<f64>() + 0.0)
    };
    Ok(match name(series) {
        "uniques" | "frequency" => actors(events).len() as f64,
        "sum" | "avg" => sum(events)?,
        "sum_per_actor" => sum(&of_somebody(events))?,
        "sessions" => sessions(at) as f64,
        _ => events.len() as f64,
    })
}

/// The measure of these events, which are those of a series in `[from, to)`.
pub fn measure(
    prepared: &Prepared,
    query: &Value,
    series: &Value,
    at: &[At],
    (from, to): (Millis, Millis),
) -> Result<Value, String> {
    let events: &[&Seen] = &at.iter().map(|at| at.seen).collect::<Vec<_>>();
    let ratio = |a: f64, b: usize| match b {
        0 if query["div_zero"] == 0 => json!(0),
        0 => Value::Null,
        b => json!(a / b as f64),
    };
    let uniques = actors(events).len();
    let active = || -> Result<usize, String> {
        let mut all = Vec::new();
        for seen in prepared.events.iter().filter(|e| from <= e.event.time && e.event.time < to) {
            let counts = prepared.selects(seen, &json!({"event": "$active"}))?
                && prepared.passes(seen, &query["segment"])?
                && super::is_new(prepared, query, seen)?;
            all.extend(Some(seen).filter(|_| counts));
        }
        Ok(actors(&all).len())
    };
    let of_active = series["of_active"] == true;
    let numbers_of = |events: &[&Seen]| numbers(prepared, series, events);
    Ok(match name(series) {
        "uniques" if of_active => ratio(uniques as f64, active()?),
        "uniques" => json!(uniques),
        "totals" => json!(events.len()),
        "average" => ratio(of_somebody(events).len() as f64, uniques),
        "frequency" => {
            let mut times: HashMap<&str, u64> = HashMap::new();
            events.iter().filter_map(|e| e.actor.as_deref()).for_each(|a| *times.entry(a).or_default() += 1);
            let mut bars: BTreeMap<String, u64> = BTreeMap::new();
            times.values().for_each(|n| *bars.entry(n.to_string()).or_default() += 1);
            json!(bars)
        }
        "sum" => json!(numbers_of(events)?.iter().sum::<f64>() + 0.0),
        "avg" => json!(mean(&numbers_of(events)?)),
        "min" => json!(numbers_of(events)?.into_iter().reduce(f64::min)),
        "max" => json!(numbers_of(events)?.into_iter().reduce(f64::max)),
        "median" => json!(percentile(&numbers_of(events)?, 50.0)),
        "distinct" => {
            let mut seen = HashSet::new();
            for event in events {
                let Some(value) = property_value(prepared, series, event)? else { continue };
                let elements = value.as_array().cloned().unwrap_or_else(|| vec![value]);
                seen.extend(elements.iter().filter(|v| !prepared.is_none(Some(v))).map(text));
            }
            json!(seen.len())
        }
        "sum_per_actor" => {
            let sum = numbers_of(&of_somebody(events))?.iter().sum::<f64>() + 0.0;
            ratio(sum, if of_active { active()? } else { uniques })
        }
        "sessions" => json!(sessions(at)),
        other => match other.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()) {
            Some(p) => json!(percentile(&numbers_of(events)?, p)),
            None => return Err(format!("measure: {other} is not computed by the reference")),
        },
    })
}

/// "sessions (ch. 7) containing the event"
fn sessions(events: &[At]) -> usize {
    events.iter().map(|at| at.session).collect::<HashSet<_>>().len()
}
