//! Chapter 2 from the text.

use super::check_keys;
use super::events::{Prepared, Seen};
use super::values::{mean, number, percentile, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use tallymark_model::Millis;

const KEYS: &[&str] =
    &["type", "series", "range", "interval", "segment", "breakdown", "limit", "other", "count_by", "as_of"];
const SERIES_KEYS: &[&str] = &["event", "where", "nth", "nth_of", "measure", "property", "of_active"];

type Events<'p, 'w> = Vec<&'p Seen<'w>>;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let interval = query["interval"].as_str().unwrap_or("day");
    let buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let mut rows = Vec::new();
    for (i, series) in query["series"].as_array().ok_or("series: expected a list")?.iter().enumerate() {
        check_keys(series, &format!("series[{i}]"), SERIES_KEYS)?;
        let key = char::from(b'A' + i as u8).to_string();
        let events = counted(prepared, series, &query["segment"])?;
        for (breakdown, events) in groups(prepared, query, series, events)? {
            let measured = |from: Millis, to: Millis| {
                let inside = |e: &&&Seen| from <= e.event.time && e.event.time < to;
                let part: Events = events.iter().filter(inside).copied().collect();
                measure(prepared, query, series, &part, (from, to))
            };
            let clip = |b: &super::Bucket| (b.start.max(prepared.range.0), b.end.min(prepared.range.1));
            let mut values = Vec::new();
            for (from, to) in buckets.iter().map(clip) {
                values.push(measured(from, to)?);
            }
            let mut row = json!({"key": key, "values": values});
            row["total"] = measured(prepared.range.0, prepared.range.1)?;
            if let Some(breakdown) = breakdown {
                row["breakdown"] = breakdown;
            }
            rows.push(row);
        }
    }
    Ok(json!({
        "as_of": prepared.as_of,
        "buckets": buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>(),
        "incomplete": buckets.iter().map(|b| b.end > prepared.as_of).collect::<Vec<_>>(),
        "series": rows,
    }))
}

/// The events of a series that lie in the range.
fn counted<'p, 'w>(
    prepared: &'p Prepared<'w>,
    series: &Value,
    segment: &Value,
) -> Result<Events<'p, 'w>, String> {
    let mut events = Vec::new();
    for (seen, matches) in prepared.events.iter().zip(matching(prepared, series)?) {
        if matches && prepared.in_range(seen) && prepared.passes(seen, segment)? {
            events.push(seen);
        }
    }
    Ok(events)
}

/// For each event whether it matches a selector, `nth` included.
pub fn matching(prepared: &Prepared, selector: &Value) -> Result<Vec<bool>, String> {
    let by_name = json!({"event": selector["event"]});
    let of_event = selector["nth_of"] == "event";
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut result = Vec::new();
    for seen in &prepared.events {
        let mut matches = prepared.selects(seen, selector)?;
        if let Some(nth) = selector["nth"].as_u64() {
            let counted = if of_event { prepared.selects(seen, &by_name)? } else { matches };
            let count = counts.entry(seen.actor.as_deref().unwrap_or_default()).or_default();
            *count += u64::from(counted);
            matches = matches && seen.actor.is_some() && counted && *count == nth;
        }
        result.push(matches);
    }
    Ok(result)
}

/// The rows of a series: one, or one per breakdown value in ranking order and the rest.
fn groups<'p, 'w>(
    prepared: &'p Prepared<'w>,
    query: &Value,
    series: &Value,
    events: Events<'p, 'w>,
) -> Result<Vec<(Option<Value>, Events<'p, 'w>)>, String> {
    let Some(dimensions) = query["breakdown"].as_array().filter(|d| !d.is_empty()) else {
        return Ok(vec![(None, events)]);
    };
    let mut by_label: BTreeMap<Vec<String>, Events> = BTreeMap::new();
    let mut labels_of = Vec::new();
    for seen in &events {
        let mut tuples: Vec<Vec<String>> = vec![Vec::new()];
        for dimension in dimensions {
            let labels = prepared.labels(seen, dimension)?;
            let extend = |t: &Vec<String>| {
                let t = t.clone();
                labels.iter().map(move |l| [t.clone(), vec![l.clone()]].concat()).collect::<Vec<_>>()
            };
            tuples = tuples.iter().flat_map(extend).collect();
        }
        tuples.iter().for_each(|t| by_label.entry(t.clone()).or_default().push(seen));
        labels_of.push(tuples);
    }
    let mut ranked: Vec<(f64, Vec<String>, Events)> = Vec::new();
    for (label, events) in by_label {
        ranked.push((rank(series, &events), label, events));
    }
    // The map gave label order, and sorting is stable: ties stay by label bytes.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: HashSet<Vec<String>> = ranked.iter().skip(limit).map(|(_, l, _)| l.clone()).collect();
    ranked.truncate(limit);
    let name = |l: Vec<String>| if l.len() == 1 { json!(l[0]) } else { json!(l) };
    let mut rows: Vec<_> = ranked.into_iter().map(|(_, l, e)| (Some(name(l)), e)).collect();
    if !rest.is_empty() && query["other"] != false {
        let in_rest = |l: &Vec<Vec<String>>| l.iter().any(|t| rest.contains(t));
        let others = events.iter().zip(&labels_of).filter(|(_, l)| in_rest(l)).map(|(e, _)| *e).collect();
        rows.push((Some(json!("$other")), others));
    }
    Ok(rows)
}

/// "uniques: distinct actors; totals, average, percentiles, min, max, distinct: number of events; sum, avg:
/// the sum"
fn rank(series: &Value, events: &[&Seen]) -> f64 {
    match measure_name(series) {
        "uniques" => actors(events).len() as f64,
        "sum" | "avg" | "sum_per_actor" => numbers(series, events).iter().sum::<f64>() + 0.0, // -0.0 of nothing ranks like 0
        _ => events.len() as f64,
    }
}

fn measure_name(series: &Value) -> &str {
    series["measure"].as_str().unwrap_or("uniques")
}

fn actors<'p>(events: &[&'p Seen]) -> HashSet<&'p str> {
    events.iter().filter_map(|e| e.actor.as_deref()).collect()
}

fn property_value(series: &Value, seen: &Seen) -> Option<Value> {
    super::values::at_path(&seen.event.properties, series["property"].as_str()?).cloned()
}

fn numbers(series: &Value, events: &[&Seen]) -> Vec<f64> {
    events.iter().filter_map(|e| number(&property_value(series, e)?)).collect()
}

fn measure(
    prepared: &Prepared,
    query: &Value,
    series: &Value,
    events: &[&Seen],
    (from, to): (Millis, Millis),
) -> Result<Value, String> {
    let name = measure_name(series);
    let uniques = actors(events).len();
    if series["of_active"] == true {
        let active = json!({"event": "$active"});
        let mut all = Vec::new();
        for seen in &prepared.events {
            let inside = from <= seen.event.time && seen.event.time < to;
            if inside && prepared.selects(seen, &active)? && prepared.passes(seen, &query["segment"])? {
                all.push(seen);
            }
        }
        return Ok(ratio(uniques as f64, actors(&all).len()));
    }
    let needs_property = !["uniques", "totals", "average"].contains(&name);
    if needs_property && !series["property"].is_string() {
        return Err(format!("measure {name} needs a property of the event"));
    }
    let numbers = numbers(series, events);
    let sum: f64 = numbers.iter().sum::<f64>() + 0.0;
    Ok(match name {
        "uniques" => json!(uniques),
        "totals" => json!(events.len()),
        "average" => ratio(events.iter().filter(|e| e.actor.is_some()).count() as f64, uniques),
        "sum" => json!(sum),
        "avg" => json!(mean(&numbers)),
        "min" => json!(numbers.iter().copied().reduce(f64::min)),
        "max" => json!(numbers.iter().copied().reduce(f64::max)),
        "median" => json!(percentile(&numbers, 50.0)),
        "distinct" => {
            let mut seen = HashSet::new();
            for value in events.iter().filter_map(|e| property_value(series, e)) {
                let elements = value.as_array().cloned().unwrap_or_else(|| vec![value]);
                seen.extend(elements.iter().map(text).filter(|t| !t.is_empty()));
            }
            json!(seen.len())
        }
        "sum_per_actor" => ratio(sum, uniques),
        other => match other.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()) {
            Some(p) => json!(percentile(&numbers, p)),
            None => return Err(format!("measure: {other} is not computed by the reference")),
        },
    })
}

/// "x/0 → null"
fn ratio(a: f64, b: usize) -> Value {
    if b == 0 { Value::Null } else { json!(a / b as f64) }
}
