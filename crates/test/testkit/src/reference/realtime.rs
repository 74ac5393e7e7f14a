//! Chapter 10 from the text: `type: "realtime"`, "last 30 minutes by *receive* time, 1-minute buckets".

use super::check_keys;
use super::events::{Prepared, Seen};
use super::lifecycle::push;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const KEYS: &[&str] = &["type", "event", "where", "nth", "nth_of", "segment", "count_by", "limit", "as_of"];

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let range = prepared.calendar.range(&json!({"last": 30, "unit": "minute"}), prepared.as_of)?;
    let buckets = prepared.calendar.buckets(range, "minute")?;
    let mut selector = query.clone();
    if selector["event"].is_null() {
        selector["event"] = json!("*");
    }
    let mut events: Vec<&Seen> = Vec::new();
    for (seen, matches) in prepared.events.iter().zip(super::segmentation::matching(prepared, &selector)?) {
        let received = seen.event.seq.received_at;
        let inside = range.0 <= received && received < range.1 && received <= prepared.as_of;
        if inside && matches && prepared.passes(seen, &query["segment"])? {
            events.push(seen);
        }
    }
    let uniques =
        |events: &[&Seen]| events.iter().filter_map(|e| e.actor.as_deref()).collect::<BTreeSet<_>>().len();
    let (mut totals, mut actors) = (json!([]), json!([]));
    for bucket in &buckets {
        let inside =
            |e: &&&Seen| bucket.start <= e.event.seq.received_at && e.event.seq.received_at < bucket.end;
        let part: Vec<&Seen> = events.iter().filter(inside).copied().collect();
        push(&mut totals, json!(part.len()));
        push(&mut actors, json!(uniques(&part)));
    }
    let mut by_name: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    events.iter().for_each(|e| by_name.entry(&e.event.event).or_default().push(e));
    let mut names: Vec<(&str, Vec<&Seen>)> = by_name.into_iter().collect();
    names.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    names.truncate(query["limit"].as_u64().unwrap_or(100) as usize);
    let row = |(name, part): &(&str, Vec<&Seen>)| json!({"event": name, "totals": part.len(), "uniques": uniques(part)});
    Ok(json!({
        "as_of": prepared.as_of,
        "buckets": buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>(),
        "incomplete": buckets.iter().map(|b| b.end > prepared.as_of).collect::<Vec<_>>(),
        "totals": totals,
        "uniques": actors,
        "total": {"totals": events.len(), "uniques": uniques(&events)},
        "events": names.iter().map(row).collect::<Vec<_>>(),
    }))
}
