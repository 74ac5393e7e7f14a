//! 3.9 and 3.10: counts, times, bars of the attempts that count.

use super::super::events::Prepared;
use super::super::values::{mean, percentile};
use super::Attempt;
use super::between::between;
use super::choice::Counted;
use super::rules::Rules;
use serde_json::{Value, json};
use tallymark_model::Millis;

/// "Groups rank by counts[0]"; over time by who entered.
pub fn rank(rules: &Rules, counted: &Counted) -> usize {
    let step = rules.over_time.as_ref().map_or(0, |o| o.from_step);
    counted.iter().filter(|(_, a)| a.steps[step].is_some()).count()
}

pub fn report(prepared: &Prepared, query: &Value, rules: &Rules, counted: &Counted) -> Result<Value, String> {
    if let Some(over_time) = &rules.over_time {
        let count = |bucket: usize, step: usize| {
            counted.iter().filter(|(b, a)| *b == bucket && a.steps[step].is_some()).count()
        };
        let buckets = 0..over_time.buckets.len();
        let entered: Vec<usize> = buckets.clone().map(|b| count(b, over_time.from_step)).collect();
        let converted: Vec<usize> = buckets.map(|b| count(b, over_time.to_step)).collect();
        // "x/0 → null (P shows 0: option `div_zero:0`)"
        let nothing = if query["div_zero"] == 0 { json!(0) } else { Value::Null };
        let rate =
            |(e, c): (&usize, &usize)| if *e == 0 { nothing.clone() } else { json!(*c as f64 / *e as f64) };
        let rate: Vec<Value> = entered.iter().zip(&converted).map(rate).collect();
        return Ok(json!({"entered": entered, "converted": converted, "rate": rate}));
    }
    let attempts: Vec<&Attempt> = counted.iter().map(|(_, a)| a).collect();
    let steps = rules.steps.len();
    let time = |i: usize| prepared.events[i].event.time;
    let seconds = |from: usize, to: usize| (time(to) - time(from)).max(0) as f64 / 1000.0;
    let required = rules.required();
    let (mut counts, mut dropped, mut step_times) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..steps {
        let reached = attempts.iter().filter(|a| a.steps[k].is_some());
        counts.push(reached.clone().count());
        // Who reached an optional step reached the next one.
        let next = required.iter().find(|r| **r > k);
        dropped.push(reached.filter(|a| next.is_some_and(|n| a.steps[*n].is_none())).count());
        let since = |a: &&Attempt| {
            let before = a.steps[..k].iter().flatten().next_back()?;
            Some(seconds(*before, a.steps[k]?))
        };
        let times: Vec<f64> = attempts.iter().filter_map(since).collect();
        step_times.push(match k {
            0 => Value::Null,
            _ => json!({"avg_s": mean(&times), "median_s": percentile(&times, 50.0)}),
        });
    }
    let whole = |a: &&Attempt| {
        let last = a.steps[steps - 1]?;
        Some(seconds(a.steps[0]?, last))
    };
    let times: Vec<f64> = attempts.iter().filter_map(whole).collect();
    let mut total_time = json!({"avg_s": mean(&times), "median_s": percentile(&times, 50.0)});
    for p in query["percentiles"].as_array().into_iter().flatten() {
        let p = p.as_f64().ok_or("percentiles: expected numbers")?;
        total_time[format!("p{p}_s")] = json!(percentile(&times, p));
    }
    let mut answer =
        json!({"counts": counts, "dropped": dropped, "step_times": step_times, "total_time": total_time});
    if let Some(width) = query["histogram"]["width_s"].as_f64() {
        answer["histogram"] = bars(&times, width, query["histogram"]["min_s"].as_f64().unwrap_or(0.0));
    }
    if rules.between.is_some() {
        answer["between"] = between(prepared, query, rules, &attempts);
    }
    Ok(answer)
}

/// "bins [min + i·width, …)", up to the last that is not empty.
fn bars(times: &[f64], width: f64, min: f64) -> Value {
    let ms = |s: f64| (s * 1000.0).round() as Millis;
    let bin = |t: &f64| (ms(*t) >= ms(min)).then(|| ((ms(*t) - ms(min)) / ms(width)) as usize);
    let bins: Vec<usize> = times.iter().filter_map(bin).collect();
    let bar = |i: usize| {
        let from = (ms(min) + i as Millis * ms(width)) as f64 / 1000.0;
        let to = (ms(min) + (i as Millis + 1) * ms(width)) as f64 / 1000.0;
        json!({"from_s": from, "to_s": to, "count": bins.iter().filter(|b| **b == i).count()})
    };
    bins.iter().max().map_or(json!([]), |last| (0..=*last).map(bar).collect())
}
