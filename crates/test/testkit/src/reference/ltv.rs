//! Chapter 10 from the text: `type: "ltv"`.
//!
//! Where the text leaves a choice: a life begins with the actor's first event ever that matches `start` (any
//! event without one); `segment` holds for that event only, as in retention; who paid has an event with a
//! number above zero.

use super::check_keys;
use super::events::{Prepared, Seen};
use super::values::number;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallymark_model::Millis;

const DAY: Millis = 86_400_000;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let keys = [
        "type", "range", "as_of", "segment", "count_by", "start", "revenue", "periods", "payers", "div_zero",
    ];
    check_keys(query, "query", &keys)?;
    let any = json!({"event": "*"});
    let start = if query["start"].is_null() { &any } else { &query["start"] };
    let mut first: BTreeMap<&str, &Seen> = BTreeMap::new();
    for seen in &prepared.events {
        if let Some(actor) = &seen.actor
            && prepared.selects(seen, start)?
        {
            first.entry(actor).or_insert(seen);
        }
    }
    let mut born: BTreeMap<&str, Millis> = BTreeMap::new();
    for (actor, seen) in first {
        if prepared.in_range(seen) && prepared.passes(seen, &query["segment"])? {
            born.insert(actor, seen.event.time);
        }
    }
    let revenue = &query["revenue"];
    let selector = json!({"event": revenue["event"], "where": revenue["where"]});
    let path = revenue["property"].as_str().ok_or("revenue.property is missing")?;
    // (actor, day of its life, amount)
    let mut payments: Vec<(&str, i64, f64)> = Vec::new();
    for seen in &prepared.events {
        let Some(actor) = seen.actor.as_deref() else { continue };
        let Some(t0) = born.get(actor).filter(|t0| **t0 <= seen.event.time) else { continue };
        if prepared.selects(seen, &selector)? {
            let value = prepared.value(seen, revenue["scope"].as_str().unwrap_or("event"), path)?;
            let amount = value.as_ref().and_then(number);
            payments.extend(amount.map(|amount| (actor, (seen.event.time - t0) / DAY, amount)));
        }
    }
    let mut days = Vec::new();
    for k in 0..=query["periods"].as_i64().unwrap_or(30) {
        let old: Vec<&str> =
            born.iter().filter(|(_, t0)| *t0 + (k + 1) * DAY <= prepared.as_of).map(|(a, _)| *a).collect();
        let sum: f64 = payments.iter().filter(|(a, day, _)| *day <= k && old.contains(a)).map(|p| p.2).sum();
        let paid = |actor: &&&str| {
            let by = |(a, day, amount): &(&str, i64, f64)| {
                *a == **actor && *amount > 0.0 && (query["payers"] == "ever" || *day <= k)
            };
            payments.iter().any(by)
        };
        let payers = old.iter().filter(paid).count();
        let nothing = if query["div_zero"] == 0 { json!(0) } else { Value::Null };
        let per = |n: usize| if n == 0 { nothing.clone() } else { json!(sum / n as f64) };
        days.push(json!({"day": k, "actors": old.len(), "payers": payers, "revenue": sum,
            "arpu": per(old.len()), "arppu": per(payers)}));
    }
    Ok(json!({"as_of": prepared.as_of, "actors": born.len(), "days": days}))
}
