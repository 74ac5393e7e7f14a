//! Random queries of `type: "lifecycle"`.

use super::parts::{common, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A lifecycle query.
pub fn lifecycle() -> impl Strategy<Value = Value> {
    let interval = texts(&["day", "day", "week", "month", "hour"]);
    let new_by = texts(&["event", "person"]);
    let length = (1..4u32, texts(&["day", "week"])).prop_map(|(n, unit)| json!({"n": n, "unit": unit}));
    let usage = prop::option::weighted(0.25, length);
    (common(), selector(), interval, new_by, usage).prop_map(|(common, selector, interval, new_by, usage)| {
        let rules =
            json!({"type": "lifecycle", "interval": interval, "new_by": new_by, "usage_interval": usage});
        let mut query = with(with(rules, &common), &selector);
        if query["interval"] == "hour" {
            query["range"] = json!({"from": "2025-11-01", "to": "2025-11-02"});
        }
        query
    })
}
