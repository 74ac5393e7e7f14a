//! Chapter 10 from the text: `type: "composition"`.
//!
//! "Distinct actors by property value, each once with its latest value in the range": the value of the actor's
//! last event in the range that carries one, a list as a whole; `(none)` if no event does.

use super::check_keys;
use super::events::Prepared;
use super::values::{number, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let keys =
        ["type", "range", "as_of", "segment", "count_by", "event", "where", "breakdown", "limit", "other"];
    check_keys(query, "query", &keys)?;
    let by = &query["breakdown"];
    check_keys(by, "breakdown", &["scope", "property", "bins"])?;
    let event = if query["event"].is_null() { json!("$active") } else { query["event"].clone() };
    let selector = json!({"event": event, "where": query["where"]});
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    for seen in &prepared.events {
        let Some(actor) = &seen.actor else { continue };
        let counts = prepared.in_range(seen)
            && prepared.selects(seen, &selector)?
            && prepared.passes(seen, &query["segment"])?;
        if !counts {
            continue;
        }
        last.entry(actor).or_insert("(none)".into());
        let path = by["property"].as_str().ok_or("breakdown.property is missing")?;
        let value = prepared.value(seen, by["scope"].as_str().unwrap_or("event"), path)?;
        if prepared.is_none(value.as_ref()) {
            continue;
        }
        let label = match by["bins"].is_null() {
            // A number without a bin is no value.
            false => value.as_ref().and_then(number).map(|_| prepared.labels(seen, by)).transpose()?,
            true => value.as_ref().map(|v| vec![text(v)]),
        };
        if let Some(label) = label.and_then(|labels| labels.into_iter().next()) {
            last.insert(actor, label);
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    last.values().for_each(|label| *counts.entry(label.clone()).or_default() += 1);
    let mut rows: Vec<(String, usize)> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest = rows.split_off(rows.len().min(limit));
    if !rest.is_empty() && query["other"] != false {
        rows.push(("$other".into(), rest.iter().map(|r| r.1).sum()));
    }
    let total: usize = rows.iter().map(|r| r.1).sum();
    let row = |(label, n): &(String, usize)| json!({"breakdown": label, "actors": n, "share": *n as f64 / total as f64});
    Ok(json!({"as_of": prepared.as_of, "rows": rows.iter().map(row).collect::<Vec<_>>(), "total": total}))
}
