//! Chapter 6 from the text: `type: "stickiness"`.

use super::check_keys;
use super::events::Prepared;
use super::lifecycle::push;
use super::segmentation::matching;
use super::values::mean;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallymark_model::Millis;

const KEYS: &[&str] = &[
    "type",
    "event",
    "where",
    "nth",
    "nth_of",
    "range",
    "interval",
    "cumulative",
    "min_per_interval",
    "period",
    "segment",
    "count_by",
    "as_of",
];

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let interval = query["interval"].as_str().unwrap_or("day");
    let mut times: BTreeMap<&str, Vec<Millis>> = BTreeMap::new();
    for (seen, matches) in prepared.events.iter().zip(matching(prepared, query)?) {
        if let Some(actor) = seen.actor.as_deref()
            && matches
            && prepared.in_range(seen)
            && prepared.passes(seen, &query["segment"])?
        {
            times.entry(actor).or_default().push(seen.event.time);
        }
    }
    let Some(period) = query["period"].as_str() else {
        let buckets = prepared.calendar.buckets(prepared.range, interval)?;
        let bars = bars(&times, &buckets, query);
        let incomplete = prepared.range.1 > prepared.as_of;
        return Ok(
            json!({"as_of": prepared.as_of, "counts": bars.0, "share": bars.1, "incomplete": incomplete}),
        );
    };
    if interval != "day" {
        return Err("period: days inside it are counted".into());
    }
    let mut periods = Vec::new();
    let mut all: Vec<(Vec<u64>, Vec<Option<f64>>)> = Vec::new();
    for period in prepared.calendar.buckets(prepared.range, period)? {
        let days = prepared.calendar.buckets((period.start, period.end), "day")?;
        let bars = bars(&times, &days, query);
        let incomplete = period.end > prepared.as_of;
        periods.push(
            json!({"period": period.label, "counts": bars.0, "share": bars.1, "incomplete": incomplete}),
        );
        all.push(bars);
    }
    // The headline: each bar's mean over the periods; a share only where somebody came at all.
    let longest = all.iter().map(|(counts, _)| counts.len()).max().unwrap_or(0);
    let (mut counts, mut share) = (json!([]), json!([]));
    for n in 0..longest {
        let of = |(c, _): &(Vec<u64>, _)| c.get(n).copied().unwrap_or(0) as f64;
        push(&mut counts, json!(mean(&all.iter().map(of).collect::<Vec<_>>())));
        let shares: Vec<f64> = all
            .iter()
            .filter(|(_, share)| share[0].is_some())
            .map(|(_, share)| share.get(n).copied().flatten().unwrap_or(0.0))
            .collect();
        push(&mut share, json!(mean(&shares)));
    }
    Ok(json!({"as_of": prepared.as_of, "periods": periods, "counts": counts, "share": share}))
}

/// Counts and shares by n − 1.
fn bars(
    times: &BTreeMap<&str, Vec<Millis>>,
    buckets: &[super::Bucket],
    query: &Value,
) -> (Vec<u64>, Vec<Option<f64>>) {
    let min = query["min_per_interval"].as_u64().unwrap_or(1) as usize;
    let days = |times: &Vec<Millis>| {
        let inside =
            |b: &&super::Bucket| times.iter().filter(|t| b.start <= **t && **t < b.end).count() >= min;
        buckets.iter().filter(inside).count()
    };
    let of_actors: Vec<usize> = times.values().map(days).collect();
    let base = of_actors.iter().filter(|n| **n >= 1).count();
    let cumulative = query["cumulative"] == true;
    let actors = |n: usize| of_actors.iter().filter(|a| if cumulative { **a >= n } else { **a == n }).count();
    let counts: Vec<u64> = (1..=buckets.len()).map(|n| actors(n) as u64).collect();
    let share = counts.iter().map(|c| (base > 0).then(|| *c as f64 / base as f64)).collect();
    (counts, share)
}
