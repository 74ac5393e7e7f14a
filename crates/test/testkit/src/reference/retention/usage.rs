//! "Usage interval: per actor the median gap in days between distinct active days (actors with ≥ 2 days); the chart is
//! the share of actors with median ≤ x."

use super::super::events::Prepared;
use super::super::segmentation::matching;
use super::super::values::percentile;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let days = prepared.calendar.buckets(prepared.range, "day")?;
    let mut active: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (i, matches) in matching(prepared, &query["start"])?.into_iter().enumerate() {
        let seen = &prepared.events[i];
        if !matches || !prepared.in_range(seen) || !prepared.passes(seen, &query["segment"])? {
            continue;
        }
        let day = days.iter().position(|d| d.start <= seen.event.time && seen.event.time < d.end);
        if let (Some(actor), Some(day)) = (&seen.actor, day) {
            active.entry(actor).or_default().insert(day);
        }
    }
    let mut medians = Vec::new();
    for days in active.values().filter(|days| days.len() >= 2) {
        let days: Vec<usize> = days.iter().copied().collect();
        let gaps: Vec<f64> = days.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
        medians.extend(percentile(&gaps, 50.0));
    }
    let periods = query["periods"].as_u64().unwrap_or(7) as usize;
    let count = |x: usize| medians.iter().filter(|m| **m <= x as f64).count();
    let counts: Vec<usize> = (1..=periods).map(count).collect();
    let share =
        |c: &usize| if medians.is_empty() { Value::Null } else { json!(*c as f64 / medians.len() as f64) };
    Ok(json!({
        "as_of": prepared.as_of,
        "actors": medians.len(),
        "median_days": percentile(&medians, 50.0),
        "share": counts.iter().map(share).collect::<Vec<_>>(),
        "counts": counts,
    }))
}
