//! 3.10: what happened between two steps.

use super::super::events::Prepared;
use super::super::values::{at_path, number};
use super::Attempt;
use super::rules::Rules;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Per required step but the last: the events between it and the next one, of those who reached that one and of
/// those who dropped before (until the window closed).
pub fn between(prepared: &Prepared, query: &Value, rules: &Rules, attempts: &[&Attempt]) -> Value {
    let time = |i: usize| prepared.events[i].event.time;
    let required = rules.required();
    let mut rows = Vec::new();
    for pair in required.windows(2) {
        // Converted, then dropped: how often each attempt has the event, and the sum of its property.
        let mut sides = [(BTreeMap::<usize, usize>::new(), 0.0), (BTreeMap::new(), 0.0)];
        for attempt in attempts {
            let Some(from) = attempt.steps[pair[0]] else { continue };
            let to = attempt.steps[pair[1]];
            let inside = |t: i64| {
                time(from) < t
                    && match to {
                        Some(to) => t < time(to),
                        None => t <= time(attempt.entry) + rules.window,
                    }
            };
            let (mut times, mut sum) = (0, 0.0);
            for i in &attempt.stream {
                let matches = rules.between.as_ref().is_some_and(|b| b[*i]);
                if matches && inside(time(*i)) && !attempt.steps.contains(&Some(*i)) {
                    times += 1;
                    let property = query["between"]["property"].as_str().unwrap_or_default();
                    let value = at_path(&prepared.events[*i].event.properties, property);
                    sum += value.and_then(number).unwrap_or(0.0);
                }
            }
            let side = &mut sides[usize::from(to.is_none())];
            *side.0.entry(times).or_default() += 1;
            side.1 += sum;
        }
        let side = |(frequency, sum): &(BTreeMap<usize, usize>, f64)| {
            let actors: usize = frequency.values().sum();
            let with = actors - frequency.get(&0).copied().unwrap_or(0);
            let events: usize = frequency.iter().map(|(times, n)| times * n).sum();
            let mut row = json!({"actors": actors, "with": with, "events": events,
                "frequency": frequency.iter().collect::<Vec<_>>()});
            if query["between"]["property"].is_string() {
                row["sum"] = json!(sum);
            }
            (row, with as f64, (actors - with) as f64)
        };
        let ((converted, a, b), (dropped, c, d)) = (side(&sides[0]), side(&sides[1]));
        let below = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
        let correlation = if below == 0.0 { Value::Null } else { json!((a * d - b * c) / below) };
        rows.push(json!({"from_step": pair[0] + 1, "to_step": pair[1] + 1, "converted": converted,
            "dropped": dropped, "correlation": correlation}));
    }
    json!(rows)
}
