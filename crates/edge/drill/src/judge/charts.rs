//! A battery of charts, and whether two instances give the same answers to it.

use crate::error::Result;
use crate::instance::Instance;
use serde_json::{Value, json};

/// What an answer says about itself rather than about the events.
const ENVELOPE: [&str; 10] = [
    "as_of",
    "complete",
    "complete_through",
    "definition_hash",
    "gaps",
    "identity_version",
    "incomplete",
    "restated",
    "restatements",
    "watermarks",
];

/// The questions: totals, people, breakdowns by event and user property, funnels, retention.
fn battery() -> Vec<(&'static str, Value)> {
    let range = json!({"last": 30, "unit": "day"});
    let trend = |event: &str, measure: &str, interval: &str| {
        json!({"type": "segmentation", "series": [{"event": event, "measure": measure}], "range": range,
               "interval": interval})
    };
    let broken_down = |event: &str, measure: &str, scope: &str, property: &str| {
        json!({"type": "segmentation", "series": [{"event": event, "measure": measure}], "range": range,
               "interval": "none", "breakdown": [{"scope": scope, "property": property}], "limit": 50})
    };
    let by_user = |op: &str| {
        json!({"type": "segmentation", "series": [{"event": "*", "measure": "uniques"}], "range": range,
               "interval": "none",
               "segment": [{"scope": "user", "property": "plan", "op": op, "value": ["free"]}]})
    };
    vec![
        ("views per hour", trend("view", "totals", "hour")),
        ("viewers per day", trend("view", "uniques", "day")),
        ("searches", trend("search", "totals", "none")),
        ("additions per day", trend("add", "totals", "day")),
        ("buyers", trend("buy", "uniques", "none")),
        ("everything", trend("*", "totals", "none")),
        ("everybody", trend("*", "uniques", "none")),
        ("views by country", broken_down("view", "totals", "event", "country")),
        ("viewers by country", broken_down("view", "uniques", "event", "country")),
        ("views by plan", broken_down("view", "totals", "user", "plan")),
        ("buyers by plan", broken_down("buy", "uniques", "user", "plan")),
        ("people on free", by_user("is")),
        ("people not on free", by_user("is_not")),
        (
            "funnel",
            json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "add"}, {"event": "buy"}],
                   "window": {"n": 7, "unit": "day"}, "range": range}),
        ),
        (
            "funnel by country",
            json!({"type": "funnel", "steps": [{"event": "search"}, {"event": "buy"}],
                   "window": {"n": 1, "unit": "day"}, "range": range,
                   "breakdown": {"property": "country"}}),
        ),
        (
            "retention",
            json!({"type": "retention", "start": {"event": "view"}, "return": {"event": "buy"},
                   "range": range, "interval": "day"}),
        ),
    ]
}

/// Answers to the battery, without what they say about themselves.
pub async fn ask_all(instance: &Instance) -> Result<Vec<(&'static str, Value)>> {
    let mut answers = Vec::new();
    for (name, query) in battery() {
        let mut answer = instance.query(&query).await?;
        if let Some(object) = answer.as_object_mut() {
            object.retain(|key, _| !ENVELOPE.contains(&key.as_str()));
        }
        forget_completeness(&mut answer);
        answers.push((name, answer));
    }
    Ok(answers)
}

/// Cohorts say of each cell whether it is complete already: that is about the clock, not about the events.
fn forget_completeness(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| key != "complete" && key != "incomplete");
            members.values_mut().for_each(forget_completeness);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_completeness),
        _ => {}
    }
}

/// Names of the charts that differ.
pub fn differences(left: &[(&'static str, Value)], right: &[(&'static str, Value)]) -> Vec<&'static str> {
    left.iter().zip(right).filter(|((_, a), (_, b))| a != b).map(|((name, _), _)| *name).collect()
}
