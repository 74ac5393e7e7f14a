//! Chapter 2 from the text.

mod formula;
mod labels;
mod lines;
mod measures;
mod shift;

use super::check_keys;
use super::events::{Prepared, Seen};
use lines::line;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use tallymark_model::{Millis, Seq};

const KEYS: &[&str] = &[
    "type",
    "series",
    "range",
    "interval",
    "segment",
    "breakdown",
    "limit",
    "other",
    "count_by",
    "as_of",
    "formula",
    "compare",
    "new_users_only",
    "div_zero",
    "edge",
    "approx",
    "segment_scope",
];
const SERIES_KEYS: &[&str] = &[
    "event",
    "where",
    "nth",
    "nth_of",
    "measure",
    "property",
    "of_active",
    "rolling_window",
    "rolling_average",
    "lookback",
    "cumulative",
    "cumulative_uniques",
];

/// Events of the whole history, so that lines may look back before the range.
type Events<'p, 'w> = Vec<At<'p, 'w>>;

/// An event, and the instant it counts at: its own, or where sessions are counted the first of its session ("a
/// session belongs to the bucket of its first event").
#[derive(Debug, Clone, Copy)]
struct At<'p, 'w> {
    seen: &'p Seen<'w>,
    time: Millis,
    /// Number of the session, where sessions are counted.
    session: usize,
}

/// A value of a breakdown, or the only row there is, with its events.
struct Row<'p, 'w> {
    label: Option<Vec<String>>,
    events: Events<'p, 'w>,
}

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let mut answer = chart(prepared, query)?;
    if !query["compare"].is_null() {
        let there = shift::earlier(prepared, query)?;
        answer["compare"] = chart(&Prepared::new(prepared.world, &there)?, &there)?;
        answer["compare"].as_object_mut().map(|map| map.remove("as_of"));
    }
    Ok(answer)
}

fn chart(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let interval = query["interval"].as_str().unwrap_or("day");
    let buckets = prepared.calendar.buckets(prepared.range, interval)?;
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let by_value = query["breakdown"].as_array().is_some_and(|d| !d.is_empty());
    let name = |l: &Vec<String>| if l.len() == 1 { json!(l[0]) } else { json!(l) };
    let row = |key: &str, label: Option<Value>, line: &lines::Line| {
        let mut row = json!({"key": key, "values": line.values, "total": line.total});
        if let Some(label) = label {
            row["breakdown"] = label;
        }
        row
    };
    let series = query["series"].as_array().ok_or("series: expected a list")?;
    let mut rows = Vec::new();
    // For formulas: the line of every value, and the values that are shown, in order.
    let mut known: Vec<HashMap<Option<Vec<String>>, lines::Line>> = Vec::new();
    let mut shown: Vec<Option<Vec<String>>> = Vec::new();
    for (i, series) in series.iter().enumerate() {
        check_keys(series, &format!("series[{i}]"), SERIES_KEYS)?;
        let key = char::from(b'A' + i as u8).to_string();
        let (all, rest) = values(prepared, query, series, limit)?;
        let mut lines_of = HashMap::new();
        for (rank, found) in all.into_iter().enumerate() {
            let line = line(prepared, query, series, &buckets, &found.events)?;
            if rank < limit {
                rows.push(row(&key, found.label.as_ref().map(name), &line));
                if !shown.contains(&found.label) {
                    shown.push(found.label.clone());
                }
            }
            lines_of.insert(found.label, line);
        }
        if let Some(rest) = rest {
            rows.push(row(&key, Some(json!("$other")), &line(prepared, query, series, &buckets, &rest)?));
        }
        known.push(lines_of);
    }
    let formulas = match &query["formula"] {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    };
    for formula in formulas.iter().filter_map(Value::as_str) {
        for label in &shown {
            let lacking = lines::Line { values: vec![json!(0); buckets.len()], total: json!(0) };
            let lines: Vec<&lines::Line> =
                known.iter().map(|lines| lines.get(label).unwrap_or(&lacking)).collect();
            let line = formula::line(formula, &lines, query["div_zero"] == 0)?;
            rows.push(row(formula, label.as_ref().map(name).filter(|_| by_value), &line));
        }
    }
    Ok(json!({
        "as_of": prepared.as_of,
        "buckets": buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>(),
        "incomplete": buckets.iter().map(|b| b.end > prepared.as_of).collect::<Vec<_>>(),
        "series": rows,
    }))
}

/// For each event whether it matches a selector, `nth` included.
pub fn matching(prepared: &Prepared, selector: &Value) -> Result<Vec<bool>, String> {
    let by_name = json!({"event": selector["event"]});
    let of_event = selector["nth_of"] == "event";
    let mut counts: HashMap<Option<&str>, u64> = HashMap::new();
    let mut result = Vec::new();
    for seen in &prepared.events {
        let mut matches = prepared.selects(seen, selector)?;
        if let Some(nth) = selector["nth"].as_u64() {
            let counted = if of_event { prepared.selects(seen, &by_name)? } else { matches };
            let count = counts.entry(seen.actor.as_deref()).or_default();
            *count += u64::from(counted);
            matches = matches && seen.actor.is_some() && counted && *count == nth;
        }
        result.push(matches);
    }
    Ok(result)
}

/// "An event counts only in the bucket that contains its person's very first event of any name."
fn is_new(prepared: &Prepared, query: &Value, seen: &Seen) -> Result<bool, String> {
    if query["new_users_only"] != true {
        return Ok(true);
    }
    let Some(person) = seen.person else { return Ok(false) };
    let any = json!({"event": "*"});
    let mut first = None;
    for other in prepared.events.iter().filter(|e| e.person == Some(person)) {
        if first.is_none() && prepared.selects(other, &any)? {
            first = Some(other.event.time);
        }
    }
    let first = first.ok_or("a person without events")?;
    match query["interval"].as_str().unwrap_or("day") {
        "none" => Ok(prepared.range.0 <= first && first < prepared.range.1),
        unit => {
            let bucket = prepared.calendar.bucket(seen.event.time, unit)?;
            Ok(bucket.start <= first && first < bucket.end)
        }
    }
}

/// Number and first instant of every event's session: sessions form after the chart's conditions, whatever the series
/// ask for.
fn sessions(prepared: &Prepared, query: &Value) -> Result<HashMap<Seq, (usize, Millis)>, String> {
    let mut events = Vec::new();
    for seen in &prepared.events {
        if prepared.passes(seen, &query["segment"])? {
            events.push(seen);
        }
    }
    let mut found = HashMap::new();
    for (number, session) in super::sessions::form(prepared, &json!({}), events)?.iter().enumerate() {
        let began = session.events[0].event.time;
        found.extend(session.events.iter().map(|e| (e.event.seq, (number, began))));
    }
    Ok(found)
}

/// The values of a series in ranking order, or the only row; and what the limit cuts off, together.
fn values<'p, 'w>(
    prepared: &'p Prepared<'w>,
    query: &Value,
    series: &Value,
    limit: usize,
) -> Result<(Vec<Row<'p, 'w>>, Option<Events<'p, 'w>>), String> {
    let mut events = Vec::new();
    for (seen, matches) in prepared.events.iter().zip(matching(prepared, series)?) {
        if matches && prepared.passes(seen, &query["segment"])? && is_new(prepared, query, seen)? {
            events.push(At { seen, time: seen.event.time, session: 0 });
        }
    }
    if series["measure"] == "sessions" {
        let sessions = sessions(prepared, query)?;
        let in_session = |at: &At<'p, 'w>| {
            let (session, time) = *sessions.get(&at.seen.event.seq)?;
            // Events after the range do not count, whenever their session began.
            (at.seen.event.time < prepared.range.1).then_some(At { session, time, ..*at })
        };
        events = events.iter().filter_map(in_session).collect();
    }
    let Some(dimensions) = query["breakdown"].as_array().filter(|d| !d.is_empty()) else {
        return Ok((vec![Row { label: None, events }], None));
    };
    let mut tuples_of = Vec::new();
    let mut by_label: BTreeMap<Vec<String>, Events> = BTreeMap::new();
    for event in &events {
        let tuples = labels::tuples(prepared, event.seen, dimensions)?;
        tuples.iter().for_each(|t| by_label.entry(t.clone()).or_default().push(*event));
        tuples_of.push(tuples);
    }
    let mut ranked = Vec::new();
    for (label, events) in by_label {
        let inside: Events = events
            .iter()
            .filter(|e| prepared.range.0 <= e.time && e.time < prepared.range.1)
            .copied()
            .collect();
        // Only what occurs in the range is a value of the chart.
        if !inside.is_empty() {
            ranked.push((measures::rank(prepared, series, &inside)?, label, events));
        }
    }
    // The map gave label order, and sorting is stable: ties stay by label bytes.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let cut: HashSet<Vec<String>> = ranked.iter().skip(limit).map(|(_, l, _)| l.clone()).collect();
    let every = dimensions.iter().any(|d| d["items"] == "all");
    let mut rest = Vec::new();
    for (seen, tuples) in events.iter().zip(&tuples_of) {
        let times = tuples.iter().filter(|t| cut.contains(*t)).count();
        (0..if every { times } else { times.min(1) }).for_each(|_| rest.push(*seen));
    }
    let rows = ranked.into_iter().map(|(_, label, events)| Row { label: Some(label), events }).collect();
    Ok((rows, Some(rest).filter(|_| !cut.is_empty() && query["other"] != false)))
}
