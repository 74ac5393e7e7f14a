//! Chapter 10 from the text: `type: "engagement"`.

use super::check_keys;
use super::events::Prepared;
use super::values::{mean, percentile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let keys =
        ["type", "range", "as_of", "segment", "count_by", "event", "where", "measure", "cross", "limit"];
    check_keys(query, "query", &keys)?;
    let event = if query["event"].is_null() { json!("$active") } else { query["event"].clone() };
    let selector = json!({"event": event, "where": query["where"]});
    let mut active = BTreeSet::new();
    let mut events: BTreeMap<&str, (usize, BTreeSet<&str>, BTreeSet<(&str, i64)>)> = BTreeMap::new();
    for seen in &prepared.events {
        let Some(actor) = seen.actor.as_deref() else { continue };
        if !prepared.in_range(seen) || !prepared.passes(seen, &query["segment"])? {
            continue;
        }
        if prepared.selects(seen, &json!({"event": "$active"}))? {
            active.insert(actor);
        }
        if prepared.selects(seen, &selector)? {
            let (count, actors, days) = events.entry(&seen.event.event).or_default();
            *count += 1;
            actors.insert(actor);
            days.insert((actor, prepared.calendar.bucket(seen.event.time, "day")?.start));
        }
    }
    let mut points: Vec<(&str, usize, f64)> = events
        .iter()
        .map(|(name, (count, actors, days))| {
            let done = if query["measure"] == "days" { days.len() } else { *count };
            (*name, actors.len(), done as f64 / actors.len() as f64)
        })
        .collect();
    points.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    points.truncate(query["limit"].as_u64().unwrap_or(100) as usize);
    let x = |n: usize| if active.is_empty() { None } else { Some(n as f64 / active.len() as f64) };
    let xs: Vec<f64> = points.iter().filter_map(|p| x(p.1)).collect();
    let ys: Vec<f64> = points.iter().map(|p| p.2).collect();
    let line =
        |values: &[f64]| if query["cross"] == "mean" { mean(values) } else { percentile(values, 50.0) };
    let point = |p: &(&str, usize, f64)| json!({"event": p.0, "actors": p.1, "x": x(p.1), "y": p.2});
    Ok(json!({"as_of": prepared.as_of, "active": active.len(), "cross": {"x": line(&xs), "y": line(&ys)},
        "events": points.iter().map(point).collect::<Vec<_>>()}))
}
