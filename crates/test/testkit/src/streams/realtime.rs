//! Random queries of `type: "realtime"`.

use super::parts::{conditions, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A realtime query; random worlds receive their events within minutes of 2025-10-24.
pub fn realtime() -> impl Strategy<Value = Value> {
    let as_of = texts(&["2025-10-24T00:00:05Z", "2025-10-24T00:20:30Z", "2025-10-24T00:30:00Z"]);
    let count_by = texts(&["person", "person", "device", "group:team", "event.colour"]);
    (as_of, count_by, conditions(), prop::option::of(selector()), 1..5u32).prop_map(
        |(as_of, count_by, segment, selector, limit)| {
            let query = json!({"type": "realtime", "as_of": as_of, "count_by": count_by, "segment": segment,
                "limit": limit});
            selector.map_or(query.clone(), |selector| with(query, &selector))
        },
    )
}
