//! Random queries of `type: "sessions"`.

use super::parts::{common, dimension, limits, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A sessions query.
pub fn sessions() -> impl Strategy<Value = Value> {
    let interval = texts(&["day", "day", "hour", "week", "none"]);
    let timeout =
        prop_oneof![3 => Just(json!(30)), 1 => Just(json!(5)), 2 => Just(json!(600)), 1 => Just(json!(1440))];
    let by = prop::option::weighted(0.2, texts(&["event.colour", "event.mixed"]));
    let ends = (prop::option::weighted(0.2, selector()), prop::option::weighted(0.2, selector()));
    let contains = prop::option::weighted(0.3, selector());
    let histogram = prop::option::weighted(
        0.4,
        (texts(&["0", "600"]), 1..5i64).prop_map(|(min, width)| {
            json!({"width_s": width * 900, "min_s": min.as_str().and_then(|m| m.parse::<i64>().ok())})
        }),
    );
    let breakdown = prop::option::weighted(
        0.3,
        (dimension(), texts(&["entry", "exit"])).prop_map(|(by, at)| with(by, &json!({"at": at}))),
    );
    let rules = (interval, timeout, any::<bool>(), by, ends, contains, histogram);
    (common(), rules, breakdown, limits()).prop_map(|(common, rules, breakdown, limits)| {
        let (interval, timeout, midnight, by, (start, end), contains, histogram) = rules;
        let mut query = json!({"type": "sessions", "interval": interval, "timeout_min": timeout,
            "reset_at_midnight": midnight, "contains": contains, "histogram": histogram});
        match by {
            Some(by) => query["session_by"] = by,
            None => query = with(query, &json!({"start": start, "end": end})),
        }
        let mut query = with(query, &common);
        if query["interval"] == "hour" {
            query["range"] = json!({"from": "2025-11-01", "to": "2025-11-02"});
        }
        match breakdown {
            Some(by) => with(with(query, &limits), &json!({"breakdown": by})),
            None => query,
        }
    })
}
