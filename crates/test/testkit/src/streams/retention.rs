//! Random queries of `type: "retention"`.

use super::parts::{common, dimension, limits, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A retention query.
pub fn retention() -> impl Strategy<Value = Value> {
    let rules = (
        texts(&["day", "day", "week", "month", "hour"]),
        0..6u32,
        texts(&["calendar", "rolling"]),
        texts(&["on", "on_or_after"]),
        texts(&["any", "first_time", "first_in_range"]),
        texts(&["size", "returned"]),
        prop_oneof![3 => Just(1u32), 1 => Just(2u32)],
    )
        .prop_map(|(interval, periods, mode, kind, cohort_by, day0, min)| {
            json!({"interval": interval, "periods": periods, "mode": mode, "kind": kind, "cohort_by": cohort_by,
                   "day0": day0, "min_returns": min})
        });
    let breakdown = prop::option::weighted(0.3, dimension());
    (common(), selector(), selector(), rules, breakdown, limits()).prop_map(
        |(common, start, back, rules, breakdown, limits)| {
            let mut query =
                with(with(json!({"type": "retention", "start": start, "return": back}), &common), &rules);
            // Hour cohorts of two weeks are many and say nothing that two days do not.
            if query["interval"] == "hour" {
                query["range"] = json!({"from": "2025-11-01", "to": "2025-11-02"});
            }
            match breakdown {
                Some(by) => with(with(query, &limits), &json!({"breakdown": by})),
                None => query,
            }
        },
    )
}
