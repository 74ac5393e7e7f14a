//! Chapter 3 from the text: `this_order`, without exclusions and held properties.

use super::calendar::duration_ms;
use super::check_keys;
use super::events::{Prepared, Seen};
use super::segmentation::matching;
use super::values::{mean, percentile};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use tallymark_model::Millis;

const KEYS: &[&str] = &[
    "type",
    "steps",
    "window",
    "range",
    "order",
    "segment",
    "breakdown",
    "limit",
    "other",
    "count",
    "attempt",
    "tie_tolerance_ms",
    "strict_increase",
    "confine_to_range",
    "over_time",
    "percentiles",
    "count_by",
    "as_of",
];

/// The query's rules, and which events match which step.
struct Rules {
    window: Millis,
    within: Vec<Option<Millis>>,
    tolerance: Millis,
    strict: bool,
    confine: bool,
    steps: Vec<Vec<bool>>,
    starts: Vec<bool>,
}

/// The events of one attempt, as indices into the stream; its length is its depth.
type Attempt = Vec<usize>;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    if query["order"].as_str().unwrap_or("this_order") != "this_order" {
        return Err("order: only this_order is computed by the reference".into());
    }
    let rules = rules(prepared, query)?;
    let mut streams: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, seen) in prepared.events.iter().enumerate() {
        if let Some(actor) = &seen.actor {
            streams.entry(actor).or_default().push(i);
        }
    }
    let streams: Vec<Vec<usize>> = streams.into_values().collect();
    if query["over_time"].is_object() {
        return over_time(prepared, query, &rules, &streams);
    }
    let mut chosen: Vec<Attempt> = Vec::new();
    for stream in &streams {
        match query["count"].as_str().unwrap_or("uniques") {
            "uniques" => chosen.extend(choose(prepared, query, &rules, stream)?),
            "totals" => chosen.extend(totals(prepared, &rules, stream)),
            other => return Err(format!("count: {other} is unknown")),
        }
    }
    if query["breakdown"].is_null() {
        let mut answer = summary(prepared, query, &rules, &chosen)?;
        answer["as_of"] = json!(prepared.as_of);
        return Ok(answer);
    }
    groups(prepared, query, &rules, &chosen)
}

fn rules(prepared: &Prepared, query: &Value) -> Result<Rules, String> {
    let list = query["steps"].as_array().ok_or("steps: expected a list")?;
    let mut rules = Rules {
        window: 86_400_000,
        within: Vec::new(),
        tolerance: query["tie_tolerance_ms"].as_i64().unwrap_or(0),
        strict: query["strict_increase"] == true,
        confine: query["confine_to_range"] == true,
        steps: Vec::new(),
        starts: Vec::new(),
    };
    if query["window"].is_object() {
        rules.window = duration_ms(&query["window"], "window")?;
    }
    for (i, step) in list.iter().enumerate() {
        check_keys(step, &format!("steps[{i}]"), &["event", "where", "nth", "nth_of", "within"])?;
        rules.steps.push(matching(prepared, step)?);
        let within = &step["within"];
        rules.within.push(if within.is_null() { None } else { Some(duration_ms(within, "within")?) });
    }
    // The chart's segment applies to step 1 only.
    for (i, seen) in prepared.events.iter().enumerate() {
        let entry = rules.steps[0][i] && prepared.in_range(seen);
        rules.starts.push(entry && prepared.passes(seen, &query["segment"])?);
    }
    Ok(rules)
}

/// The greedy attempt of 3.1 from an entry.
fn attempt(prepared: &Prepared, rules: &Rules, stream: &[usize], entry: usize) -> Attempt {
    continued(prepared, rules, stream, vec![entry])
}

fn continued(prepared: &Prepared, rules: &Rules, stream: &[usize], so_far: Attempt) -> Attempt {
    let step = so_far.len();
    if step == rules.steps.len() {
        return so_far;
    }
    let time = |i: usize| prepared.events[i].event.time;
    let (first, previous) = (time(so_far[0]), time(so_far[step - 1]));
    let candidate = |y: &usize| {
        let after = if rules.strict { time(*y) > previous } else { time(*y) >= previous - rules.tolerance };
        rules.steps[step][*y]
            && !so_far.contains(y)
            && after
            && time(*y) - first <= rules.window
            && rules.within[step].is_none_or(|w| time(*y) - previous <= w)
            && (!rules.confine || prepared.in_range(&prepared.events[*y]))
    };
    let candidates: Vec<usize> = stream.iter().copied().filter(candidate).collect();
    let Some(earliest) = candidates.iter().map(|y| time(*y)).min() else { return so_far };
    // Of several at that time the one that lets the attempt go deepest, else the first in stream order.
    let mut best: Attempt = Vec::new();
    for y in candidates.into_iter().filter(|y| time(*y) == earliest) {
        let longer = continued(prepared, rules, stream, [so_far.clone(), vec![y]].concat());
        if longer.len() > best.len() {
            best = longer;
        }
    }
    best
}

/// 3.2: which attempt of an actor counts.
fn choose(
    prepared: &Prepared,
    query: &Value,
    rules: &Rules,
    stream: &[usize],
) -> Result<Option<Attempt>, String> {
    let entries: Vec<usize> = stream.iter().copied().filter(|i| rules.starts[*i]).collect();
    let attempts: Vec<Attempt> = entries.iter().map(|e| attempt(prepared, rules, stream, *e)).collect();
    let deepest = attempts.iter().map(Vec::len).max().unwrap_or(0);
    match query["attempt"].as_str().unwrap_or("best") {
        "best" => Ok(attempts.into_iter().find(|a| a.len() == deepest)),
        "first_entry" => Ok(attempts.into_iter().next()),
        "tightest" => {
            let end = |a: &Attempt| prepared.events[a[deepest - 1]].event.time;
            let deep: Vec<Attempt> = attempts.into_iter().filter(|a| a.len() == deepest).collect();
            let earliest = deep.iter().map(end).min();
            Ok(deep.into_iter().rev().find(|a| Some(end(a)) == earliest))
        }
        other => Err(format!("attempt: {other} is unknown")),
    }
}

/// 3.8: attempts that do not overlap.
fn totals(prepared: &Prepared, rules: &Rules, stream: &[usize]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for entry in stream.iter().copied().filter(|i| rules.starts[*i]) {
        let over = attempts.last().is_none_or(|last| {
            if last.len() == rules.steps.len() {
                // Indices are stream order.
                entry > last[last.len() - 1]
            } else {
                let began = prepared.events[last[0]].event.time;
                prepared.events[entry].event.time > began + rules.window
            }
        });
        if over {
            attempts.push(attempt(prepared, rules, stream, entry));
        }
    }
    attempts
}

fn summary(prepared: &Prepared, query: &Value, rules: &Rules, chosen: &[Attempt]) -> Result<Value, String> {
    let steps = rules.steps.len();
    let seconds = |a: &Attempt, from: usize, to: usize| {
        let time = |k: usize| prepared.events[a[k]].event.time;
        (time(to) - time(from)).max(0) as f64 / 1000.0
    };
    let reached = |k: usize| chosen.iter().filter(move |a| a.len() > k);
    let mut step_times = vec![Value::Null];
    for k in 1..steps {
        let times: Vec<f64> = reached(k).map(|a| seconds(a, k - 1, k)).collect();
        step_times.push(json!({"avg_s": mean(&times), "median_s": percentile(&times, 50.0)}));
    }
    let times: Vec<f64> = reached(steps - 1).map(|a| seconds(a, 0, steps - 1)).collect();
    let mut total_time = json!({"avg_s": mean(&times), "median_s": percentile(&times, 50.0)});
    for p in query["percentiles"].as_array().into_iter().flatten() {
        let p = p.as_f64().ok_or("percentiles: expected numbers")?;
        total_time[format!("p{p}_s")] = json!(percentile(&times, p));
    }
    let counts: Vec<usize> = (0..steps).map(|k| reached(k).count()).collect();
    Ok(json!({"counts": counts, "step_times": step_times, "total_time": total_time}))
}

/// 3.7, "choose, then label".
fn groups(prepared: &Prepared, query: &Value, rules: &Rules, chosen: &[Attempt]) -> Result<Value, String> {
    let by = &query["breakdown"];
    let at = by["at"].as_str().unwrap_or("step:1");
    let mut by_label: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, attempt) in chosen.iter().enumerate() {
        for label in labels(prepared, by, at, attempt)? {
            by_label.entry(label).or_default().push(i);
        }
    }
    let mut ranked: Vec<(String, Vec<usize>)> = by_label.into_iter().collect();
    ranked.sort_by_key(|(_, attempts)| std::cmp::Reverse(attempts.len()));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: HashSet<usize> = ranked.iter().skip(limit).flat_map(|(_, a)| a).copied().collect();
    ranked.truncate(limit);
    if !rest.is_empty() && query["other"] != false {
        let mut rest: Vec<usize> = rest.into_iter().collect();
        rest.sort_unstable();
        ranked.push(("$other".into(), rest));
    }
    let mut rows = Vec::new();
    for (label, attempts) in ranked {
        let attempts: Vec<Attempt> = attempts.iter().map(|i| chosen[*i].clone()).collect();
        let mut row = summary(prepared, query, rules, &attempts)?;
        row["breakdown"] = json!(label);
        rows.push(row);
    }
    Ok(json!({"as_of": prepared.as_of, "groups": rows}))
}

fn labels(prepared: &Prepared, by: &Value, at: &str, attempt: &Attempt) -> Result<Vec<String>, String> {
    let of = |i: usize| prepared.labels(&prepared.events[i], by);
    let none = vec!["(none)".to_owned()];
    if let Some(k) = at.strip_prefix("step:").and_then(|k| k.parse::<usize>().ok()) {
        return match attempt.get(k.wrapping_sub(1)) {
            Some(event) => of(*event),
            None => Ok(vec!["(did not reach step)".to_owned()]),
        };
    }
    let mut touches: Vec<usize> = attempt.clone();
    match at {
        "first_touch" => {}
        "last_touch" => touches.reverse(),
        other => return Err(format!("breakdown.at: {other} is not computed by the reference")),
    }
    for event in touches {
        let labels = of(event)?;
        if labels != none {
            return Ok(labels);
        }
    }
    Ok(none)
}

/// 3.9: buckets by the entry's time.
fn over_time(
    prepared: &Prepared,
    query: &Value,
    rules: &Rules,
    streams: &[Vec<usize>],
) -> Result<Value, String> {
    let wanted = &query["over_time"];
    let interval = wanted["interval"].as_str().unwrap_or("day");
    let from_step = wanted["from_step"].as_u64().unwrap_or(1) as usize;
    let to_step = wanted["to_step"].as_u64().unwrap_or(rules.steps.len() as u64) as usize;
    let buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let (mut entered, mut converted) = (vec![0u64; buckets.len()], vec![0u64; buckets.len()]);
    for stream in streams {
        for (b, bucket) in buckets.iter().enumerate() {
            let inside = |seen: &Seen| bucket.start <= seen.event.time && seen.event.time < bucket.end;
            let entries = stream.iter().filter(|i| rules.starts[**i] && inside(&prepared.events[**i]));
            let depth = entries.map(|e| attempt(prepared, rules, stream, *e).len()).max().unwrap_or(0);
            entered[b] += u64::from(depth >= from_step);
            converted[b] += u64::from(depth >= to_step);
        }
    }
    let rate = |(e, c): (&u64, &u64)| if *e == 0 { Value::Null } else { json!(*c as f64 / *e as f64) };
    Ok(json!({
        "as_of": prepared.as_of,
        "buckets": buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>(),
        "open": buckets.iter().map(|b| b.end + rules.window > prepared.as_of).collect::<Vec<_>>(),
        "rate": entered.iter().zip(&converted).map(rate).collect::<Vec<_>>(),
        "entered": entered,
        "converted": converted,
    }))
}
