//! Chapter 5 from the text: `type: "lifecycle"`.

use super::calendar::duration_ms;
use super::check_keys;
use super::events::Prepared;
use super::segmentation::matching;
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
    "new_by",
    "usage_interval",
    "segment",
    "count_by",
    "as_of",
];

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let interval = query["interval"].as_str().unwrap_or("day");
    let buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let by_person = match query["new_by"].as_str().unwrap_or("event") {
        "event" => false,
        "person" => true,
        other => return Err(format!("new_by: {other} is unknown")),
    };

    // Of every actor: when the selector matched, and when there was anything at all.
    let mut matched: BTreeMap<&str, Vec<Millis>> = BTreeMap::new();
    let mut any: BTreeMap<&str, Vec<Millis>> = BTreeMap::new();
    for (seen, matches) in prepared.events.iter().zip(matching(prepared, query)?) {
        let Some(actor) = seen.actor.as_deref() else { continue };
        if prepared.selects(seen, &json!({"event": "*"}))? {
            any.entry(actor).or_default().push(seen.event.time);
        }
        if matches && prepared.passes(seen, &query["segment"])? {
            matched.entry(actor).or_default().push(seen.event.time);
        }
    }

    let mut answer = json!({"new": [], "returning": [], "resurrecting": [], "dormant": [], "pulse": []});
    for (i, bucket) in buckets.iter().enumerate() {
        let clip = |b: &super::Bucket| (b.start.max(prepared.range.0), b.end.min(prepared.range.1));
        let (now, before) = if query["usage_interval"].is_null() {
            let before = match i {
                0 => {
                    let before = prepared.calendar.bucket(bucket.start - 1, interval)?;
                    (before.start, before.end)
                }
                _ => clip(&buckets[i - 1]),
            };
            (clip(bucket), before)
        } else {
            // "windows of that length ending at each bucket"
            let length = duration_ms(&query["usage_interval"], "usage_interval")?;
            let end = clip(bucket).1;
            ((end - length, end), (end - 2 * length, end - length))
        };
        let inside = |t: &Millis, (from, to): (Millis, Millis)| from <= *t && *t < to;
        let (mut new, mut returning, mut resurrecting, mut dormant) = (0, 0, 0, 0);
        for (actor, times) in &matched {
            let acts = times.iter().any(|t| inside(t, now));
            let acted = times.iter().any(|t| inside(t, before));
            let first = if by_person { any[actor][0] } else { times[0] };
            match (acts, acted) {
                (true, _) if inside(&first, now) => new += 1,
                (true, true) => returning += 1,
                (true, false) => resurrecting += 1,
                (false, true) => dormant += 1,
                (false, false) => {}
            }
        }
        let counts = [("new", new), ("returning", returning), ("resurrecting", resurrecting)];
        for (state, n) in counts.into_iter().chain([("dormant", dormant)]) {
            push(&mut answer[state], json!(n));
        }
        let pulse = (dormant > 0).then(|| f64::from(new + resurrecting) / f64::from(dormant));
        push(&mut answer["pulse"], json!(pulse));
    }
    answer["as_of"] = json!(prepared.as_of);
    answer["buckets"] = json!(buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>());
    answer["incomplete"] = json!(buckets.iter().map(|b| b.end > prepared.as_of).collect::<Vec<_>>());
    Ok(answer)
}

pub fn push(list: &mut Value, value: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(value);
    }
}
