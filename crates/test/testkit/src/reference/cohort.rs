//! Chapter 9 from the text: `type: "cohort"`, and membership for conditions.
//!
//! Where the text leaves a choice: a `then` bounds its first event by the window and its second by `within` alone;
//! `distinct` counts list elements separately, as chapter 2 does, and never empty text; a clause of property `when:"any_time"` looks at
//! events, not at operations; size over time asks at the last millisecond of each bucket that has begun.

use super::calendar::{duration_ms, unit_ms};
use super::check_keys;
use super::conditions::compare;
use super::events::{Prepared, Seen};
use super::properties::{Properties, fold};
use super::values::{at_path, is_none, number, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tallymark_model::Millis;

const WINDOW_KEYS: [&str; 4] = ["last", "during", "since", "within_first"];

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", &["type", "cohort", "as_of", "range", "interval", "count_by", "segment"])?;
    let members = members(prepared, &query["cohort"], prepared.as_of)?;
    let mut names: Vec<String> = members.iter().map(|p| name(prepared, *p)).collect();
    names.sort();
    let mut answer = json!({"as_of": prepared.as_of, "members": names, "size": members.len()});
    if !query["range"].is_null() {
        let interval = query["interval"].as_str().unwrap_or("day");
        if interval != "none" {
            let buckets = prepared.calendar.buckets(prepared.range, interval)?;
            let mut sizes = Vec::new();
            for bucket in &buckets {
                let last = (bucket.end.min(prepared.range.1) - 1).min(prepared.as_of);
                sizes.push(match bucket.start <= prepared.as_of {
                    true => json!(self::members(prepared, &query["cohort"], last)?.len()),
                    false => Value::Null,
                });
            }
            answer["buckets"] = json!(buckets.iter().map(|b| b.label.clone()).collect::<Vec<_>>());
            answer["values"] = Value::Array(sizes);
        }
    }
    Ok(answer)
}

/// Everyone in the universe at `t` who satisfies the definition.
pub fn members(prepared: &Prepared, definition: &Value, t: Millis) -> Result<BTreeSet<usize>, String> {
    let universe: BTreeSet<usize> =
        prepared.events.iter().filter(|e| e.event.time <= t).filter_map(|e| e.person).collect();
    let mut members = BTreeSet::new();
    for person in universe {
        if decided(prepared, definition, person, t)? {
            members.insert(person);
        }
    }
    Ok(members)
}

/// Whether a person belongs to a cohort at `t`; nobody belongs to none.
pub fn belongs(
    prepared: &Prepared,
    definition: &Value,
    person: Option<usize>,
    t: Millis,
) -> Result<bool, String> {
    let Some(person) = person else { return Ok(false) };
    let seen = prepared.events.iter().any(|e| e.person == Some(person) && e.event.time <= t);
    Ok(seen && decided(prepared, definition, person, t)?)
}

fn decided(prepared: &Prepared, definition: &Value, person: usize, t: Millis) -> Result<bool, String> {
    let outer = prepared.in_cohort.replace(true);
    let answer = holds(prepared, definition, person, t, &mut Vec::new());
    prepared.in_cohort.set(outer);
    answer
}

/// "smallest user id of each person", else smallest device id.
pub fn name(prepared: &Prepared, person: usize) -> String {
    let people = &prepared.people;
    let users = people.user_ids.get(&person).and_then(|ids| ids.first());
    let devices = people.device_ids.get(&person).and_then(|ids| ids.first());
    users.or(devices).cloned().unwrap_or_default()
}

fn holds(
    prepared: &Prepared,
    definition: &Value,
    person: usize,
    t: Millis,
    path: &mut Vec<String>,
) -> Result<bool, String> {
    if let Some(id) = definition.as_str() {
        if path.iter().any(|p| p == id) {
            return Err(format!("cohort {id} contains itself"));
        }
        let stored = prepared.world.cohorts.get(id).ok_or(format!("no cohort {id}"))?;
        path.push(id.to_owned());
        let outer = prepared.empty_is_value.replace(false);
        let answer = holds(prepared, stored, person, t, path);
        prepared.empty_is_value.set(outer);
        path.pop();
        return answer;
    }
    let mut each = |list: &Value| -> Result<Vec<bool>, String> {
        let list = list.as_array().ok_or("expected a list of clauses")?;
        list.iter().map(|d| holds(prepared, d, person, t, path)).collect()
    };
    if definition.is_array() {
        return Ok(each(definition)?.into_iter().all(|b| b));
    }
    if !definition["all"].is_null() {
        return Ok(each(&definition["all"])?.into_iter().all(|b| b));
    }
    if !definition["any"].is_null() {
        return Ok(each(&definition["any"])?.into_iter().any(|b| b));
    }
    if !definition["not"].is_null() {
        return Ok(!holds(prepared, &definition["not"], person, t, path)?);
    }
    if !definition["cohort"].is_null() {
        return holds(prepared, &definition["cohort"], person, t, path);
    }
    if let Some(ids) = definition["ids"].as_array() {
        let people = &prepared.people;
        let owner = |id: &str| {
            let user = people.user_ids.iter().find(|(_, ids)| ids.contains(id)).map(|(p, _)| *p);
            user.or(people.owners.get(id).copied())
        };
        return Ok(ids.iter().any(|id| owner(id.as_str().unwrap_or_default()) == Some(person)));
    }
    if !definition["property"].is_null() {
        return property(prepared, definition, person, t);
    }
    performed(prepared, definition, person, t)
}

/// The person's events up to `t`, in stream order.
fn stream<'p, 'w>(
    prepared: &'p Prepared<'w>,
    person: usize,
    t: Millis,
) -> impl Iterator<Item = &'p Seen<'w>> + use<'p, 'w> {
    prepared.events.iter().filter(move |e| e.person == Some(person) && e.event.time <= t)
}

/// The person's events up to `t` that match a selector, in stream order.
fn matching<'p, 'w>(
    prepared: &'p Prepared<'w>,
    selector: &Value,
    person: usize,
    t: Millis,
) -> Result<Vec<&'p Seen<'w>>, String> {
    let selector = if selector.is_object() { selector.clone() } else { json!({"event": selector}) };
    check_keys(&selector, "selector", &["event", "where", "nth", "nth_of"])?;
    let by_name = json!({"event": selector["event"]});
    let mut found = Vec::new();
    let mut count = 0;
    for seen in stream(prepared, person, t) {
        let matches = prepared.selects(seen, &selector)?;
        let counted = if selector["nth_of"] == "event" { prepared.selects(seen, &by_name)? } else { matches };
        count += u64::from(counted);
        let meant = selector["nth"].as_u64().is_none_or(|nth| counted && count == nth);
        if matches && meant {
            found.push(seen);
        }
    }
    Ok(found)
}

/// The half-open stretch a clause looks at; `None` if it is empty.
fn window(
    prepared: &Prepared,
    clause: &Value,
    person: usize,
    t: Millis,
) -> Result<Option<(Millis, Millis)>, String> {
    let clause = if clause["window"].is_null() { clause } else { &clause["window"] };
    let calendar = &prepared.calendar;
    let last = &clause["last"];
    if !last.is_null() {
        let n = last["n"].as_i64().ok_or("last.n is missing")?;
        let unit = last["unit"].as_str().ok_or("last.unit is missing")?;
        if last["rolling"] == true {
            // (T − n·U, T]
            return Ok(Some((t - n * unit_ms(unit)? + 1, t + 1)));
        }
        let mut bucket = calendar.bucket(t, unit)?;
        for _ in 1..n {
            bucket = calendar.bucket(bucket.start - 1, unit)?;
        }
        return Ok(Some((bucket.start, t + 1)));
    }
    if !clause["during"].is_null() {
        let (from, to) = calendar.range(&clause["during"], prepared.as_of)?;
        return Ok(Some((from, to.min(t + 1))));
    }
    if !clause["since"].is_null() {
        let (from, _) =
            calendar.range(&json!({"from": clause["since"], "to": "2100-01-01"}), prepared.as_of)?;
        return Ok(Some((from, t + 1)));
    }
    if !clause["within_first"].is_null() {
        let any = json!({"event": "*"});
        let first = matching(prepared, &any, person, t)?.first().map(|e| e.event.time);
        let length = duration_ms(&clause["within_first"], "within_first")?;
        return Ok(first.map(|first| (first, (first + length).min(t + 1))));
    }
    Ok(Some((Millis::MIN, t + 1)))
}

fn inside<'a, 'w>(events: &[&'a Seen<'w>], window: Option<(Millis, Millis)>) -> Vec<&'a Seen<'w>> {
    let in_window = |e: &&&Seen| window.is_some_and(|(from, to)| from <= e.event.time && e.event.time < to);
    events.iter().filter(in_window).copied().collect()
}

fn compares(op: &Value, operand: &Value, got: f64) -> Result<bool, String> {
    let bound = |v: &Value| number(v).ok_or(format!("not a number: {v}"));
    Ok(match op.as_str().ok_or("the operator is missing")? {
        "gte" => got >= bound(operand)?,
        "gt" => got > bound(operand)?,
        "lte" => got <= bound(operand)?,
        "lt" => got < bound(operand)?,
        "is" => got == bound(operand)?,
        "is_not" => got != bound(operand)?,
        "between" => bound(&operand[0])? <= got && got <= bound(&operand[1])?,
        other => return Err(format!("op: {other} is unknown")),
    })
}

fn performed(prepared: &Prepared, clause: &Value, person: usize, t: Millis) -> Result<bool, String> {
    let mut keys = vec!["performed", "window", "count", "distinct_days", "sum", "distinct", "more_than"];
    keys.extend(["nth_first", "then", "require_performed"]);
    keys.extend(WINDOW_KEYS);
    check_keys(clause, "clause", &keys)?;
    let window = window(prepared, clause, person, t)?;
    let all = matching(prepared, &clause["performed"], person, t)?;
    let events = inside(&all, window);
    if clause["require_performed"] == true && events.is_empty() {
        return Ok(false);
    }
    if clause["nth_first"] == true {
        let first: Vec<&Seen> = all.iter().take(1).copied().collect();
        if inside(&first, window).is_empty() {
            return Ok(false);
        }
    }
    if !clause["then"].is_null() {
        let within = duration_ms(&clause["then"]["within"], "within")?;
        let later = matching(prepared, &clause["then"]["event"], person, t)?;
        let place = |e: &Seen| (e.event.time, e.event.seq);
        let follows =
            |a: &&Seen| later.iter().any(|b| place(b) > place(a) && b.event.time - a.event.time <= within);
        if !events.iter().any(follows) {
            return Ok(false);
        }
    }
    comparison(prepared, clause, person, t, window, &events)
}

fn comparison(
    prepared: &Prepared,
    clause: &Value,
    person: usize,
    t: Millis,
    window: Option<(Millis, Millis)>,
    events: &[&Seen],
) -> Result<bool, String> {
    let value = |seen: &Seen, by: &Value| match by.as_str() {
        Some(name) => prepared.value(seen, "event", name),
        None => {
            let scope = by["scope"].as_str().unwrap_or("event");
            prepared.value(seen, scope, by["property"].as_str().unwrap_or_default())
        }
    };
    if let Some(test) = clause["distinct_days"].as_array() {
        let day = |e: &&Seen| prepared.calendar.bucket(e.event.time, "day").map(|b| b.start);
        let days = events.iter().map(day).collect::<Result<BTreeSet<_>, _>>()?;
        return compares(&test[0], &test[1], days.len() as f64);
    }
    if let Some(test) = clause["sum"].as_array() {
        let mut numbers = Vec::new();
        for seen in events {
            numbers.extend(value(seen, &test[0])?.as_ref().and_then(number));
        }
        // "Missing numeric properties never match."
        return Ok(!numbers.is_empty() && compares(&test[1], &test[2], numbers.iter().sum())?);
    }
    if let Some(test) = clause["distinct"].as_array() {
        let mut texts = BTreeSet::new();
        for seen in events {
            let elements = match value(seen, &test[0])? {
                Some(Value::Array(items)) => items,
                Some(single) => vec![single],
                None => Vec::new(),
            };
            texts.extend(elements.iter().filter(|v| !is_none(Some(v))).map(text));
        }
        return compares(&test[1], &test[2], texts.len() as f64);
    }
    if !clause["more_than"].is_null() {
        let others = matching(prepared, &clause["more_than"], person, t)?;
        return Ok(events.len() > inside(&others, window).len());
    }
    match clause["count"].as_array() {
        Some(test) => compares(&test[0], &test[1], events.len() as f64),
        None => Ok(!events.is_empty()),
    }
}

fn property(prepared: &Prepared, clause: &Value, person: usize, t: Millis) -> Result<bool, String> {
    let mut keys = vec!["scope", "property", "op", "value", "when", "window"];
    keys.extend(WINDOW_KEYS);
    check_keys(clause, "clause", &keys)?;
    let (op, operand) = (clause["op"].as_str().ok_or("op is missing")?, &clause["value"]);
    let path = clause["property"].as_str().ok_or("property is missing")?;
    let scope = clause["scope"].as_str().unwrap_or("user");
    let keep = prepared.empty_is_value.get();
    if clause["when"] != "any_time" {
        let mut current = Properties::new();
        for seen in stream(prepared, person, t) {
            seen.event.ops.iter().for_each(|op| fold(&mut current, op));
        }
        return compare(op, at_path(&current, path), operand, keep);
    }
    let window = window(prepared, clause, person, t)?;
    let all = matching(prepared, &json!("*"), person, t)?;
    for seen in inside(&all, window) {
        if compare(op, prepared.value(seen, scope, path)?.as_ref(), operand, keep)? {
            return Ok(true);
        }
    }
    Ok(false)
}
