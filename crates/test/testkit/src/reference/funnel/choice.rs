//! 3.2, 3.5, 3.6, 3.8, 3.9: which attempts count.

use super::super::events::Prepared;
use super::rules::{Order, Rules};
use super::{Attempt, Units, any_order, attempt};
use serde_json::Value;
use std::collections::BTreeMap;

/// Attempts that count, each with the bucket it counts in (0 without `over_time`).
pub type Counted = Vec<(usize, Attempt)>;

pub fn counted(prepared: &Prepared, rules: &Rules, units: &Units) -> Counted {
    units
        .iter()
        .flat_map(|pairs| of_actor(prepared, rules, pairs))
        .filter(|(_, a)| passes(prepared, rules, a))
        .collect()
}

/// `segment_scope: "attribution"`: the segment is true of the attempt, whose properties are the first value that is not
/// none along its matched events; membership is the person's, as of the entry.
pub fn passes(prepared: &Prepared, rules: &Rules, attempt: &Attempt) -> bool {
    let Some(segment) = &rules.tested else { return true };
    holds(prepared, attempt, segment).unwrap_or(false)
}

fn holds(prepared: &Prepared, attempt: &Attempt, condition: &Value) -> Result<bool, String> {
    let each = |list: &Value| -> Result<Vec<bool>, String> {
        list.as_array().into_iter().flatten().map(|c| holds(prepared, attempt, c)).collect()
    };
    if condition.is_array() {
        return Ok(each(condition)?.into_iter().all(|b| b));
    }
    if let Some(list) = condition.get("all") {
        return Ok(each(list)?.into_iter().all(|b| b));
    }
    if let Some(list) = condition.get("any") {
        return Ok(each(list)?.into_iter().any(|b| b));
    }
    if let Some(inner) = condition.get("not") {
        return Ok(!holds(prepared, attempt, inner)?);
    }
    if !condition["cohort"].is_null() {
        return prepared.passes(&prepared.events[attempt.entry], condition);
    }
    let scope = condition["scope"].as_str().unwrap_or("event");
    let path = condition["property"].as_str().ok_or("not a condition")?;
    for event in attempt.steps.iter().flatten() {
        let seen = &prepared.events[*event];
        if !prepared.is_none(prepared.value(seen, scope, path)?.as_ref()) {
            return prepared.passes(seen, condition);
        }
    }
    // None of them has a value, so any of them tells what none is.
    prepared.passes(&prepared.events[attempt.entry], condition)
}

/// What counts for one actor, over its held values.
pub fn of_actor(prepared: &Prepared, rules: &Rules, pairs: &BTreeMap<Vec<String>, Vec<usize>>) -> Counted {
    let all: Vec<Counted> = pairs.values().map(|stream| of_pair(prepared, rules, stream)).collect();
    if rules.hold_actor { best_of(prepared, rules, all) } else { all.concat() }
}

/// Per bucket the best of several alternatives for one unit, the first of equals.
pub fn best_of(prepared: &Prepared, rules: &Rules, alternatives: Vec<Counted>) -> Counted {
    let mut best: BTreeMap<usize, Attempt> = BTreeMap::new();
    for (bucket, attempt) in alternatives.concat() {
        match best.get(&bucket) {
            Some(so_far) if !better(prepared, rules, &attempt, so_far) => {}
            _ => {
                best.insert(bucket, attempt);
            }
        }
    }
    best.into_iter().collect()
}

fn of_pair(prepared: &Prepared, rules: &Rules, stream: &[usize]) -> Counted {
    let entries: Vec<usize> = stream.iter().copied().filter(|i| rules.is_entry(*i)).collect();
    let bucket = |event: usize| match &rules.over_time {
        None => Some(0),
        Some(over_time) => {
            let t = prepared.events[event].event.time;
            over_time.buckets.iter().position(|b| b.start <= t && t < b.end)
        }
    };
    if rules.totals {
        let attempts = totals(prepared, rules, stream, &entries);
        return attempts.into_iter().filter_map(|a| Some((bucket(a.entry)?, a))).collect();
    }
    let mut by_bucket: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for entry in entries {
        if let Some(bucket) = bucket(entry) {
            by_bucket.entry(bucket).or_default().push(entry);
        }
    }
    let choose =
        |(bucket, entries): (usize, Vec<usize>)| Some((bucket, choose(prepared, rules, stream, &entries)?));
    by_bucket.into_iter().filter_map(choose).collect()
}

fn one(prepared: &Prepared, rules: &Rules, stream: &[usize], taken: &[usize], entry: usize) -> Attempt {
    match rules.order {
        Order::Any => any_order::attempt(prepared, rules, stream, taken, entry),
        _ => attempt::attempt(prepared, rules, stream, taken, entry),
    }
}

/// The attempt of a unit that counts, among these entries.
fn choose(prepared: &Prepared, rules: &Rules, stream: &[usize], entries: &[usize]) -> Option<Attempt> {
    let first_only = rules.attempt == "first_entry" && rules.over_time.is_none();
    let entries = if first_only { &entries[..entries.len().min(1)] } else { entries };
    let mut attempts: Vec<Attempt> = entries.iter().map(|e| one(prepared, rules, stream, &[], *e)).collect();
    if rules.remove && rules.order != Order::Any {
        let free = Rules { exclusions: Vec::new(), ..rules.clone() };
        let hit = attempts.iter().filter(|a| a.hit.is_some());
        let t = hit.map(|a| one(prepared, &free, stream, &[], a.entry).depth).max();
        attempts.retain(|a| a.hit.is_none());
        let c = attempts.iter().map(|a| a.depth).max();
        if c.is_none() || t > c {
            return None;
        }
    }
    let mut best: Option<Attempt> = None;
    for attempt in attempts.into_iter().filter(|a| a.depth > 0) {
        match &best {
            Some(so_far) if !better(prepared, rules, &attempt, so_far) => {}
            _ => best = Some(attempt),
        }
    }
    best
}

/// Whether an attempt is to be taken instead of another, by `attempt`.
fn better(prepared: &Prepared, rules: &Rules, new: &Attempt, old: &Attempt) -> bool {
    let end = |a: &Attempt| {
        let required = rules.required();
        a.steps[required[a.depth - 1]].map(|i| prepared.events[i].event.time)
    };
    let choice =
        if rules.attempt == "first_entry" && rules.over_time.is_some() { "best" } else { &rules.attempt };
    match choice {
        "first_entry" => (old.entry, new.depth) > (new.entry, old.depth),
        "tightest" if new.depth == old.depth => (end(old), new.entry) > (end(new), old.entry),
        _ => (new.depth, old.entry) > (old.depth, new.entry),
    }
}

/// 3.8: attempts that do not overlap; "each event is used once".
fn totals(prepared: &Prepared, rules: &Rules, stream: &[usize], entries: &[usize]) -> Vec<Attempt> {
    let time = |i: usize| prepared.events[i].event.time;
    let complete = rules.required().len();
    let mut taken: Vec<usize> = Vec::new();
    let mut attempts: Vec<Attempt> = Vec::new();
    for entry in entries {
        let over = attempts.last().is_none_or(|last| match (last.depth == complete, last.hit) {
            (true, _) => Some(*entry) > last.steps[rules.steps.len() - 1],
            (false, Some(x)) => *entry > x,
            (false, None) => time(*entry) > time(last.entry) + rules.window,
        });
        if over && !taken.contains(entry) {
            let attempt = one(prepared, rules, stream, &taken, *entry);
            if attempt.depth > 0 {
                taken.extend(attempt.steps.iter().flatten());
                attempts.push(attempt);
            }
        }
    }
    attempts
}
