//! Chapter 8 from the text: `type: "paths"`.
//!
//! Where the text leaves a choice: an inactive event takes part if `include` names it; sessions (`gap_by`) are
//! formed of the events that take part; a window of `within` (both ends in) begins with the start item, or without
//! one with the first event after the window before; `through` is the stretch between two matched events of a
//! funnel's attempt that counts, both of them in, also outside of the range; `top` keeps the heaviest nodes of each step; the item `…` has
//! no time.

use super::calendar::duration_ms;
use super::check_keys;
use super::events::{Prepared, Seen};
use super::sessions::form;
use super::values::text;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_model::Millis;

const KEYS: &[&str] = &[
    "type",
    "range",
    "include",
    "exclude",
    "item",
    "groupings",
    "start",
    "end",
    "step_limit",
    "gap_min",
    "gap_by",
    "timeout_min",
    "within",
    "collapse",
    "measure",
    "min_weight",
    "top",
    "first_only",
    "through",
    "segment",
    "count_by",
    "as_of",
];

/// An item and when it happened; `…` has no time.
type Node = (String, Option<Millis>);

struct Segment<'p> {
    actor: &'p str,
    nodes: Vec<Node>,
    /// Something was cut off at its end.
    truncated: bool,
}

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let through =
        if query["through"].is_null() { None } else { Some(super::funnel::stretches(prepared, query)?) };
    let mut by_actor: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for (i, seen) in prepared.events.iter().enumerate() {
        let Some(actor) = seen.actor.as_deref() else { continue };
        let here = match &through {
            None => prepared.in_range(seen),
            Some(stretches) => {
                stretches.iter().any(|(who, from, to)| who == actor && (*from..=*to).contains(&i))
            }
        };
        let chosen = if query["include"].is_null() { json!("$active") } else { query["include"].clone() };
        if here
            && prepared.selects(seen, &json!({"event": chosen}))?
            && prepared.passes(seen, &query["segment"])?
        {
            by_actor.entry(actor).or_default().push(seen);
        }
    }
    let mut segments = Vec::new();
    for (actor, events) in by_actor {
        let mut own = Vec::new();
        for part in split(prepared, query, &events)? {
            let mut nodes: Vec<Node> = Vec::new();
            for seen in part {
                nodes.push((item(prepared, query, seen)?, Some(seen.event.time)));
            }
            own.extend(shape(query, nodes).map(|(nodes, truncated)| Segment { actor, nodes, truncated }));
        }
        if query["first_only"] == true {
            own.truncate(1);
        }
        segments.extend(own);
    }
    if let Some(top) = query["top"].as_u64() {
        fold_rest(&mut segments, query, top as usize);
    }
    Ok(answer(prepared, query, &segments))
}

fn item(prepared: &Prepared, query: &Value, seen: &Seen) -> Result<String, String> {
    let by = &query["item"];
    let listed = |events: &Value| events.as_array().is_none_or(|l| l.iter().any(|e| *e == *seen.event.event));
    let mut item = seen.event.event.clone();
    if !by.is_null() && listed(&by["events"]) {
        let property = by["property"].as_str().ok_or("item.property is missing")?;
        let value = prepared.value(seen, by["scope"].as_str().unwrap_or("event"), property)?;
        item = match value {
            Some(value) if !prepared.is_none(Some(&value)) => text(&value),
            _ => "(none)".into(),
        };
    }
    let groupings = query["groupings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let group = groupings.into_iter().find(|g| wildcard(g, &item));
    Ok(group.map(str::to_owned).unwrap_or(item))
}

/// "`*` = any characters, including `/`; everything else literal", over the whole item.
fn wildcard(pattern: &str, item: &str) -> bool {
    match pattern.chars().next() {
        None => item.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            (0..=item.len()).filter(|i| item.is_char_boundary(*i)).any(|i| wildcard(rest, &item[i..]))
        }
        Some(c) => item.strip_prefix(c).is_some_and(|rest| wildcard(&pattern[c.len_utf8()..], rest)),
    }
}

/// Step 2.
fn split<'p, 'w>(
    prepared: &Prepared,
    query: &Value,
    events: &[&'p Seen<'w>],
) -> Result<Vec<Vec<&'p Seen<'w>>>, String> {
    if query["gap_by"] == "session" {
        let settings = json!({"timeout_min": query["timeout_min"]});
        let sessions = form(prepared, &settings, events.iter().copied())?;
        return Ok(sessions.into_iter().map(|s| s.events).collect());
    }
    let mut parts: Vec<Vec<&Seen>> = Vec::new();
    if !query["within"].is_null() {
        let within = duration_ms(&query["within"], "within")?;
        for seen in events {
            match parts.last_mut() {
                Some(part) if seen.event.time - part[0].event.time <= within => part.push(seen),
                _ if query["start"].is_null() || query["start"] == item(prepared, query, seen)? => {
                    parts.push(vec![seen])
                }
                _ => {}
            }
        }
        return Ok(parts);
    }
    let gap = (query["gap_min"].as_f64().unwrap_or(30.0) * 60_000.0).round() as Millis;
    for (i, seen) in events.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if seen.event.time - events[i - 1].event.time <= gap => part.push(seen),
            _ => parts.push(vec![seen]),
        }
    }
    Ok(parts)
}

/// Steps 3 to 5; none if the segment vanishes.
fn shape(query: &Value, mut nodes: Vec<Node>) -> Option<(Vec<Node>, bool)> {
    let excluded = query["exclude"].as_array().cloned().unwrap_or_default();
    nodes.retain(|(item, _)| !excluded.iter().any(|e| e == item.as_str()));
    if query["collapse"] != false {
        nodes.dedup_by(|next, kept| next.0 == kept.0);
    }
    let (start, end) = (query["start"].as_str(), query["end"].as_str());
    if let Some(start) = start {
        let first = nodes.iter().position(|(item, _)| item == start)?;
        nodes.drain(..first);
    }
    if let Some(end) = end {
        let from = usize::from(start == Some(end));
        let last = (from..nodes.len()).find(|i| nodes[*i].0 == end)?;
        nodes.truncate(last + 1);
    }
    if nodes.is_empty() {
        return None;
    }
    let limit = query["step_limit"].as_u64().unwrap_or(5) as usize;
    if nodes.len() <= limit {
        return Some((nodes, false));
    }
    match (start, end) {
        (Some(_), Some(_)) => {
            let tail = nodes.split_off(nodes.len() - limit / 2);
            nodes.truncate(limit / 2);
            nodes.push(("…".into(), None));
            nodes.extend(tail);
            Some((nodes, false))
        }
        (None, Some(_)) => Some((nodes.split_off(nodes.len() - limit), false)),
        _ => {
            nodes.truncate(limit);
            Some((nodes, true))
        }
    }
}

/// "distinct persons" or "segments" of occurrences.
fn weigh(query: &Value, actors: &[&str]) -> usize {
    if query["measure"] == "totals" { actors.len() } else { actors.iter().collect::<BTreeSet<_>>().len() }
}

fn nodes_by_step<'p>(segments: &[Segment<'p>]) -> BTreeMap<(usize, String), Vec<&'p str>> {
    let mut all: BTreeMap<(usize, String), Vec<&str>> = BTreeMap::new();
    for segment in segments {
        for (i, (item, _)) in segment.nodes.iter().enumerate() {
            all.entry((i + 1, item.clone())).or_default().push(segment.actor);
        }
    }
    all
}

fn fold_rest(segments: &mut [Segment], query: &Value, top: usize) {
    let mut ranked: Vec<((usize, String), usize)> =
        nodes_by_step(segments).into_iter().map(|(key, actors)| (key, weigh(query, &actors))).collect();
    ranked.sort_by(|a, b| (a.0.0, b.1, &a.0.1).cmp(&(b.0.0, a.1, &b.0.1)));
    let mut kept: BTreeSet<(usize, String)> = BTreeSet::new();
    for step in ranked.chunk_by(|a, b| a.0.0 == b.0.0) {
        kept.extend(step.iter().take(top).map(|(key, _)| key.clone()));
    }
    for segment in segments {
        for (i, node) in segment.nodes.iter_mut().enumerate() {
            if !kept.contains(&(i + 1, node.0.clone())) {
                node.0 = "$other".into();
            }
        }
    }
}

fn answer(prepared: &Prepared, query: &Value, segments: &[Segment]) -> Value {
    type Edge<'p> = (Vec<&'p str>, Vec<Option<Millis>>);
    let mut edges: BTreeMap<(usize, &str, &str), Edge> = BTreeMap::new();
    let mut ends: [BTreeMap<(usize, String), Vec<&str>>; 2] = Default::default();
    for segment in segments {
        for (i, pair) in segment.nodes.windows(2).enumerate() {
            let edge = edges.entry((i + 1, &pair[0].0, &pair[1].0)).or_default();
            edge.0.push(segment.actor);
            edge.1.push(pair[1].1.zip(pair[0].1).map(|(b, a)| b - a));
        }
        let last = (segment.nodes.len(), segment.nodes[segment.nodes.len() - 1].0.clone());
        if query["end"].is_null() {
            ends[usize::from(segment.truncated)].entry(last).or_default().push(segment.actor);
        }
    }
    let min = query["min_weight"].as_u64().unwrap_or(0) as usize;
    let mut listed = Vec::new();
    for ((step, from, to), (actors, times)) in edges {
        let known: Vec<Millis> = times.iter().flatten().copied().collect();
        let avg =
            (!known.is_empty()).then(|| known.iter().sum::<Millis>() as f64 / known.len() as f64 / 1000.0);
        let count = weigh(query, &actors);
        if count >= min {
            listed.push((
                step,
                count,
                json!({"step": step, "from": from, "to": to, "count": count, "avg_s": avg}),
            ));
        }
    }
    // The map gave names in order, and sorting is stable.
    listed.sort_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
    let rows = |all: BTreeMap<(usize, String), Vec<&str>>| {
        let mut rows: Vec<(usize, String, usize)> =
            all.into_iter().map(|((step, item), actors)| (step, item, weigh(query, &actors))).collect();
        rows.sort_by(|a, b| (a.0, b.2, &a.1).cmp(&(b.0, a.2, &b.1)));
        json!(rows)
    };
    let [dropoffs, truncated] = ends;
    json!({
        "as_of": prepared.as_of,
        "edges": listed.into_iter().map(|(.., edge)| edge).collect::<Vec<_>>(),
        "nodes": rows(nodes_by_step(segments)),
        "dropoffs": rows(dropoffs),
        "truncated": rows(truncated),
        "segments": segments.len(),
    })
}
