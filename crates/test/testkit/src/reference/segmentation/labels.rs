//! Labels of an event in all dimensions of a breakdown (chapter 1.7).

use super::matching;
use crate::reference::calendar::duration_ms;
use crate::reference::events::{Prepared, Seen};
use serde_json::{Value, json};

/// All combinations; more than once if an element is there more than once and every element counts.
pub fn tuples(prepared: &Prepared, seen: &Seen, dimensions: &[Value]) -> Result<Vec<Vec<String>>, String> {
    let mut tuples: Vec<Vec<String>> = vec![Vec::new()];
    for dimension in dimensions {
        let labels = labels(prepared, seen, dimension)?;
        let extend = |t: &Vec<String>| {
            let t = t.clone();
            labels.iter().map(move |l| [t.clone(), vec![l.clone()]].concat()).collect::<Vec<_>>()
        };
        tuples = tuples.iter().flat_map(extend).collect();
    }
    Ok(tuples)
}

fn labels(prepared: &Prepared, seen: &Seen, dimension: &Value) -> Result<Vec<String>, String> {
    if dimension["attribution"].is_null() {
        return prepared.labels(seen, dimension);
    }
    match touch(prepared, seen, dimension)? {
        Some(touch) => prepared.labels(touch, dimension),
        None => Ok(vec!["(none)".to_owned()]),
    }
}

/// "among the actor's touch events in [t − lookback, t] (both ends in; not after the event in stream order; may be
/// the event itself) that have a non-none value, the first or last one"
fn touch<'p, 'w>(
    prepared: &'p Prepared<'w>,
    seen: &Seen,
    dimension: &Value,
) -> Result<Option<&'p Seen<'w>>, String> {
    let by = &dimension["attribution"];
    let earliest = seen.event.time - duration_ms(&by["lookback"], "lookback")?;
    let scope = dimension["scope"].as_str().unwrap_or("event");
    let path = dimension["property"].as_str().ok_or("breakdown: `property` is missing")?;
    let mut touches = Vec::new();
    for (touch, matches) in prepared.events.iter().zip(matching(prepared, &by["touch"])?) {
        let mine = seen.actor.is_some() && touch.actor == seen.actor;
        let before = (touch.event.time, touch.event.seq) <= (seen.event.time, seen.event.seq);
        if matches && mine && before && touch.event.time >= earliest {
            let value = prepared.value(touch, scope, path)?;
            touches.extend(Some(touch).filter(|_| !prepared.is_none(value.as_ref())));
        }
    }
    match by["model"].as_str() {
        Some("first") => Ok(touches.first().copied()),
        Some("last") => Ok(touches.last().copied()),
        other => Err(format!("attribution.model: {:?}", json!(other))),
    }
}
