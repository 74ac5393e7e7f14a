//! 3.7: "choose, then label" and "filter, then choose".

use super::super::events::Prepared;
use super::choice::{Counted, best_of, counted, of_actor, passes};
use super::report::{rank, report};
use super::rules::Rules;
use super::{Attempt, Units};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Label = Vec<String>;

pub fn groups(
    prepared: &Prepared,
    query: &Value,
    rules: &Rules,
    units: &Units,
) -> Result<Vec<Value>, String> {
    let dimensions = match &query["breakdown"] {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    };
    let at = dimensions[0]["at"].as_str().unwrap_or("step:1").to_owned();
    let filters = at == "all_steps" || at.starts_with("filter_step:");
    let mut by_label: BTreeMap<Label, Counted> = BTreeMap::new();
    let mut labelled: Vec<(BTreeSet<Label>, (usize, Attempt))> = Vec::new();
    if filters {
        for label in values(prepared, rules, units, &dimensions, &at)? {
            let units = units_with(prepared, rules, units, &dimensions, &at, &label)?;
            let rules = restricted(prepared, rules, &dimensions, &at, &label)?;
            by_label.insert(label, counted(prepared, &rules, &units));
        }
        by_label.retain(|_, counted| !counted.is_empty());
    } else {
        for one in counted(prepared, rules, units) {
            let labels = labels(prepared, &dimensions, &one.1)?;
            for label in &labels {
                by_label.entry(label.clone()).or_default().push(one.clone());
            }
            labelled.push((labels, one));
        }
    }
    let mut ranked: Vec<(Label, Counted)> = by_label.into_iter().collect();
    // The map gave label order, and sorting is stable: ties stay by label bytes.
    ranked.sort_by_key(|(_, counted)| std::cmp::Reverse(rank(rules, counted)));
    let limit = query["limit"].as_u64().unwrap_or(100) as usize;
    let rest: BTreeSet<Label> = ranked.iter().skip(limit).map(|(l, _)| l.clone()).collect();
    ranked.truncate(limit);
    let name = |l: Label| if query["breakdown"].is_array() && l.len() > 1 { json!(l) } else { json!(l[0]) };
    let mut rows: Vec<(Value, Counted)> = ranked.into_iter().map(|(l, c)| (name(l), c)).collect();
    if !rest.is_empty() && query["other"] != false {
        let pooled = if filters {
            pooled(prepared, rules, units, &dimensions, &at, &rest)?
        } else {
            let in_rest = |labels: &BTreeSet<Label>| labels.iter().any(|l| rest.contains(l));
            labelled.into_iter().filter(|(labels, _)| in_rest(labels)).map(|(_, one)| one).collect()
        };
        rows.push((json!("$other"), pooled));
    }
    let row = |(name, counted): (Value, Counted)| {
        let mut row = report(prepared, query, rules, &counted)?;
        row["breakdown"] = name;
        Ok(row)
    };
    rows.into_iter().map(row).collect()
}

/// All combinations of one label per dimension.
fn product(per_dimension: Vec<Vec<String>>) -> BTreeSet<Label> {
    let mut tuples: Vec<Label> = vec![Vec::new()];
    for labels in per_dimension {
        let mut longer = Vec::new();
        for tuple in &tuples {
            longer.extend(labels.iter().map(|l| [tuple.clone(), vec![l.clone()]].concat()));
        }
        tuples = longer;
    }
    tuples.into_iter().collect()
}

fn of_event(prepared: &Prepared, dimensions: &[Value], event: usize) -> Result<BTreeSet<Label>, String> {
    let labels: Result<_, String> =
        dimensions.iter().map(|d| prepared.labels(&prepared.events[event], d)).collect();
    Ok(product(labels?))
}

/// Labels of a chosen attempt.
fn labels(prepared: &Prepared, dimensions: &[Value], attempt: &Attempt) -> Result<BTreeSet<Label>, String> {
    let one = |by: &Value| -> Result<Vec<String>, String> {
        let of = |i: usize| prepared.labels(&prepared.events[i], by);
        let none = vec!["(none)".to_owned()];
        let at = by["at"].as_str().unwrap_or("step:1");
        if let Some(k) = at.strip_prefix("step:").and_then(|k| k.parse::<usize>().ok()) {
            return match attempt.steps[k - 1] {
                Some(event) => of(event),
                None => Ok(vec!["(did not reach step)".to_owned()]),
            };
        }
        let mut touches: Vec<usize> = attempt.steps.iter().flatten().copied().collect();
        match at {
            "first_touch" => {}
            "last_touch" => touches.reverse(),
            other => return Err(format!("breakdown.at: {other} is not computed by the reference")),
        }
        for event in touches {
            let labels = of(event)?;
            if labels != none {
                return Ok(labels);
            }
        }
        Ok(none)
    };
    Ok(product(dimensions.iter().map(one).collect::<Result<_, _>>()?))
}

/// Steps that must carry the value.
fn restricted_steps(rules: &Rules, at: &str) -> Vec<usize> {
    match at.strip_prefix("filter_step:").and_then(|k| k.parse::<usize>().ok()) {
        Some(k) => vec![k - 1],
        None => (0..rules.steps.len()).collect(),
    }
}

fn restricted(
    prepared: &Prepared,
    rules: &Rules,
    dimensions: &[Value],
    at: &str,
    label: &Label,
) -> Result<Rules, String> {
    let mut rules = rules.clone();
    for event in 0..prepared.events.len() {
        let carries = of_event(prepared, dimensions, event)?.contains(label);
        for step in restricted_steps(&rules, at) {
            rules.steps[step][event] = rules.steps[step][event] && carries;
        }
    }
    Ok(rules)
}

/// Values that have a funnel of their own.
fn values(
    prepared: &Prepared,
    rules: &Rules,
    units: &Units,
    dimensions: &[Value],
    at: &str,
) -> Result<BTreeSet<Label>, String> {
    let mut all = BTreeSet::new();
    for stream in units.iter().flat_map(|u| u.values()) {
        for event in values_seen(prepared, rules, stream, at) {
            all.extend(of_event(prepared, dimensions, event)?);
        }
    }
    Ok(all)
}

/// The units that have a funnel for this value.
fn units_with(
    prepared: &Prepared,
    rules: &Rules,
    units: &Units,
    dimensions: &[Value],
    at: &str,
    label: &Label,
) -> Result<Units, String> {
    let mut kept = Vec::new();
    for pairs in units {
        let mut with = BTreeMap::new();
        for (value, stream) in pairs {
            for event in values_seen(prepared, rules, stream, at) {
                if of_event(prepared, dimensions, event)?.contains(label) {
                    with.insert(value.clone(), stream.clone());
                }
            }
        }
        kept.push(with);
    }
    Ok(kept)
}

/// The events of a unit whose values it has funnels for.
fn values_seen(prepared: &Prepared, rules: &Rules, stream: &[usize], at: &str) -> Vec<usize> {
    let time = |i: usize| prepared.events[i].event.time;
    let entries: Vec<usize> = stream.iter().copied().filter(|i| rules.is_entry(*i)).collect();
    let k = match at.strip_prefix("filter_step:").and_then(|k| k.parse::<usize>().ok()) {
        None => return entries,
        Some(k) => k - 1,
    };
    let in_a_window = |y: &usize| {
        entries
            .iter()
            .any(|e| time(*e) - k as i64 * rules.tolerance <= time(*y) && time(*y) <= time(*e) + rules.window)
    };
    stream.iter().copied().filter(|y| rules.steps[k][*y] && in_a_window(y)).collect()
}

/// The rest: every unit's best attempt among the rest's funnels; with totals all of their attempts.
fn pooled(
    prepared: &Prepared,
    rules: &Rules,
    units: &Units,
    dimensions: &[Value],
    at: &str,
    rest: &BTreeSet<Label>,
) -> Result<Counted, String> {
    // Per value of the rest: its rules, and the units that have a funnel for it.
    let mut funnels = Vec::new();
    for label in rest {
        let rules_of = restricted(prepared, rules, dimensions, at, label)?;
        funnels.push((rules_of, units_with(prepared, rules, units, dimensions, at, label)?));
    }
    let mut all = Vec::new();
    for (actor, pairs) in units.iter().enumerate() {
        // A unit is the actor, or one of its pairs.
        let groups: Vec<Vec<&Label>> = match rules.hold_actor {
            true => vec![pairs.keys().collect()],
            false => pairs.keys().map(|value| vec![value]).collect(),
        };
        for group in groups {
            let of = |(rules, units): &(Rules, Units)| {
                let own = units[actor].iter().filter(|(value, _)| group.contains(value));
                of_actor(prepared, rules, &own.map(|(v, s)| (v.clone(), s.clone())).collect())
            };
            let alternatives: Vec<Counted> = funnels.iter().map(of).collect();
            all.extend(if rules.totals {
                alternatives.concat()
            } else {
                best_of(prepared, rules, alternatives)
            });
        }
    }
    all.retain(|(_, attempt)| passes(prepared, rules, attempt));
    Ok(all)
}
