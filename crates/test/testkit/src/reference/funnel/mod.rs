//! Chapter 3 from the text. Choices where the text leaves something open:
//! * an exclusion's lower bound is the time of its own `from` step; events that the attempt used never hit;
//! * optional steps, one after the other, take the earliest unused event between the required steps beside them
//!   (`tie_tolerance_ms` included), both of which must be matched; times count from the matched step before;
//! * in `any_order` the k-th event of an attempt is the one at which level k is first reached; a tie with an
//!   exclusion is on both sides of the cut; anchors part the steps into blocks: a block begins once all blocks
//!   before are complete, its events come no earlier than theirs, and an entry matches a step of the first block;
//! * held properties: exclusions and all events in between take part only with the value, too;
//! * `filter_step:k`: values of step-k matches within the window of an entry; `all_steps`: values of entries; the
//!   rest of either is every unit's best attempt among the rest's funnels, ties by label;
//! * several dimensions: each is labelled on its own, tuples are all combinations;
//! * over time the best attempt of the bucket's entries counts whatever `attempt` says; with totals, all attempts.

mod any_order;
mod attempt;
mod between;
mod breakdown;
mod choice;
mod report;
mod rules;

use super::check_keys;
use super::events::Prepared;
use rules::Rules;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KEYS: &[&str] = &[
    "type",
    "steps",
    "window",
    "range",
    "order",
    "exact_allow_repeats",
    "any_order_entry",
    "exclusions",
    "exclusion_effect",
    "hold",
    "hold_unit",
    "segment",
    "segment_scope",
    "breakdown",
    "limit",
    "other",
    "count",
    "attempt",
    "tie_tolerance_ms",
    "strict_increase",
    "confine_to_range",
    "over_time",
    "percentiles",
    "histogram",
    "between",
    "div_zero",
    "count_by",
    "as_of",
];

/// One try of one unit.
#[derive(Debug, Clone, Default)]
struct Attempt {
    /// Where it began: an index into the stream of all events.
    entry: usize,
    /// The event of each step, if there is one.
    steps: Vec<Option<usize>>,
    /// Steps reached, without optional ones.
    depth: usize,
    /// The exclusion that hit it.
    hit: Option<usize>,
    /// The events it was made from.
    stream: Vec<usize>,
}

/// The events of an actor, or of an actor with one held value; ordered by what names the value.
type Units = Vec<BTreeMap<Vec<String>, Vec<usize>>>;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    check_keys(query, "query", KEYS)?;
    let rules = Rules::new(prepared, query)?;
    let units = units(prepared, query)?;
    let mut answer = if query["breakdown"].is_null() || query["breakdown"] == json!([]) {
        let counted = choice::counted(prepared, &rules, &units);
        report::report(prepared, query, &rules, &counted)?
    } else {
        json!({"groups": breakdown::groups(prepared, query, &rules, &units)?})
    };
    if let Some(over_time) = &rules.over_time {
        let buckets = over_time.buckets.iter();
        answer["buckets"] = json!(buckets.clone().map(|b| b.label.clone()).collect::<Vec<_>>());
        let open = |b: &super::Bucket| b.end + rules.window > prepared.as_of;
        answer["open"] = json!(buckets.map(open).collect::<Vec<_>>());
    }
    answer["as_of"] = json!(prepared.as_of);
    Ok(answer)
}

/// `through` of paths: "actors between two matched events": actor, and the first and last event of the stream that are
/// in it. Who `dropped` is followed to the end of its window.
pub fn stretches(prepared: &Prepared, query: &Value) -> Result<Vec<(String, usize, usize)>, String> {
    let through = &query["through"];
    let mut funnel = through["funnel"].clone();
    for key in ["segment", "range", "count_by", "as_of"] {
        funnel[key] = query[key].clone();
    }
    let rules = Rules::new(prepared, &funnel)?;
    let last = rules.steps.len() as u64;
    let from = through["from_step"].as_u64().unwrap_or(1) as usize - 1;
    let to = through["to_step"].as_u64().unwrap_or(last) as usize - 1;
    let mut found = Vec::new();
    for (_, attempt) in choice::counted(prepared, &rules, &units(prepared, &funnel)?) {
        let Some(begin) = attempt.steps[from] else { continue };
        let actor = prepared.events[attempt.entry].actor.clone().unwrap_or_default();
        match (attempt.steps[to], through["state"] == "dropped") {
            (Some(end), false) => found.push((actor, begin.min(end), begin.max(end))),
            (None, true) => {
                let closes = prepared.events[attempt.entry].event.time + rules.window;
                let after = prepared.events.iter().filter(|e| e.event.time <= closes).count();
                found.push((actor, begin, after.max(1) - 1));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// "Only events that carry the property take part; a list value belongs to each of its elements."
fn units(prepared: &Prepared, query: &Value) -> Result<Units, String> {
    let none = Vec::new();
    let hold = query["hold"].as_array().unwrap_or(&none);
    let mut actors: BTreeMap<&str, BTreeMap<Vec<String>, Vec<usize>>> = BTreeMap::new();
    for (i, seen) in prepared.events.iter().enumerate() {
        let Some(actor) = &seen.actor else { continue };
        let mut tuples: Vec<Vec<String>> = vec![Vec::new()];
        for property in hold {
            let labels = prepared
                .labels(seen, &json!({"scope": property["scope"], "property": property["property"]}))?;
            let mut longer = Vec::new();
            for tuple in &tuples {
                for label in labels.iter().filter(|l| *l != "(none)") {
                    longer.push([tuple.clone(), vec![label.clone()]].concat());
                }
            }
            tuples = longer;
        }
        for tuple in tuples {
            actors.entry(actor).or_default().entry(tuple).or_default().push(i);
        }
    }
    Ok(actors.into_values().collect())
}
