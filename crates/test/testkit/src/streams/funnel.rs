//! Random queries of `type: "funnel"`.

use super::parts::{common, dimension, limits, selector, texts, with};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A funnel query: `this_order`, uniques, broken down by the first step or not.
pub fn funnel() -> impl Strategy<Value = Value> {
    let steps = prop::collection::vec(selector(), 1..5);
    let window = (1..60i64, texts(&["hour", "day"])).prop_map(|(n, unit)| json!({"n": n, "unit": unit}));
    let rules = (
        select(vec![0i64, 0, 0, 3_600_000, 7_200_000]),
        any::<bool>(),
        any::<bool>(),
        prop_oneof![3 => Just(json!("best")), 1 => texts(&["first_entry", "tightest"])],
    )
        .prop_map(|(tolerance, strict, confine, attempt)| {
            json!({"tie_tolerance_ms": tolerance, "strict_increase": strict && tolerance == 0,
                   "confine_to_range": confine, "attempt": attempt})
        });
    let breakdown = prop::option::of(dimension());
    (common(), steps, window, rules, breakdown, limits()).prop_map(
        |(common, steps, window, rules, breakdown, limits)| {
            let query = json!({"type": "funnel", "order": "this_order", "steps": steps, "window": window});
            let query = with(with(query, &common), &rules);
            let Some(mut by) = breakdown else { return query };
            by["at"] = json!("step:1");
            with(with(query, &limits), &json!({"breakdown": by}))
        },
    )
}
