//! Chapter 4 from the text. Choices where the text leaves something open:
//! * the bracket `[0, 0]` is the cohort's size with `day0: "size"`, as `values[0]` of the other kinds;
//! * a streak's cell begins and ends with its last bucket, an `on_or_before` cell covers offsets 0 to k;
//! * a measure sums the property over the distinct returns of the cell, of the starts that meet `min_returns`; its
//!   cell 0 is measured too, never the size; its overall line is the sum over the cohorts' sizes;
//! * `kind: "usage_interval"` counts the distinct local days of `start` in the range; `counts[x - 1]` are the actors
//!   whose median gap is at most x days, up to `periods`;
//! * several dimensions of a breakdown make tuples, all combinations of the start's values.

mod cells;
mod rules;
mod table;
mod usage;

use super::check_keys;
use super::events::Prepared;
use rules::{Rules, Start};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};

const KEYS: &[&str] = &[
    "type",
    "start",
    "return",
    "range",
    "interval",
    "periods",
    "mode",
    "kind",
    "brackets",
    "measure",
    "cohort_by",
    "day0",
    "min_returns",
    "rolling_round",
    "overall",
    "segment",
    "segment_scope",
    "breakdown",
    "limit",
    "other",
    "count_by",
    "as_of",
];
const SELECTOR: &[&str] = &["event", "where", "nth", "nth_of"];

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    check_keys(&query["start"], "start", SELECTOR)?;
    if query["kind"] == "usage_interval" {
        return usage::run(prepared, query);
    }
    check_keys(&query["return"], "return", SELECTOR)?;
    let rules = Rules::new(prepared, query)?;
    let starts = rules::starts(prepared, query, &rules)?;
    let mut answer = if query["breakdown"].is_null() || query["breakdown"] == json!([]) {
        table::table(prepared, &rules, &starts)
    } else {
        json!({"groups": groups(prepared, query, &rules, &starts)?})
    };
    answer["as_of"] = json!(prepared.as_of);
    Ok(answer)
}

/// 4.7: by the start event's values.
fn groups(prepared: &Prepared, query: &Value, rules: &Rules, starts: &[Start]) -> Result<Vec<Value>, String> {
    let dimensions = match &query["breakdown"] {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    };
    let mut by_label: BTreeMap<Vec<String>, BTreeSet<usize>> = BTreeMap::new();
    for (i, start) in starts.iter().enumerate() {
        let mut tuples: Vec<Vec<String>> = vec![Vec::new()];
        for by in &dimensions {
            let labels = prepared.labels(&prepared.events[start.event], by)?;
            let longer = |t: &Vec<String>| {
                let t = t.clone();
                labels.iter().map(move |l| [t.clone(), vec![l.clone()]].concat()).collect::<Vec<_>>()
            };
            tuples = tuples.iter().flat_map(longer).collect();
        }
        for tuple in tuples {
            by_label.entry(tuple).or_default().insert(i);
        }
    }
    let size = |indices: &BTreeSet<usize>| {
        indices.iter().map(|i| (starts[*i].cohort, starts[*i].actor)).collect::<HashSet<_>>().len()
    };
    let mut ranked: Vec<(Vec<String>, BTreeSet<usize>)> = by_label.into_iter().collect();
    // The map gave label order, and sorting is stable: ties stay by label bytes.
    ranked.sort_by_key(|(_, indices)| std::cmp::Reverse(size(indices)));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: BTreeSet<usize> = ranked.iter().skip(limit).flat_map(|(_, i)| i).copied().collect();
    ranked.truncate(limit);
    let name = |l: Vec<String>| if l.len() > 1 { json!(l) } else { json!(l[0]) };
    let mut rows: Vec<(Value, BTreeSet<usize>)> = ranked.into_iter().map(|(l, i)| (name(l), i)).collect();
    if !rest.is_empty() && query["other"] != false {
        rows.push((json!("$other"), rest));
    }
    let row = |(name, indices): (Value, BTreeSet<usize>)| {
        let part: Vec<Start> = indices.iter().map(|i| starts[*i].clone()).collect();
        let mut row = table::table(prepared, rules, &part);
        row["breakdown"] = name;
        row
    };
    Ok(rows.into_iter().map(row).collect())
}
