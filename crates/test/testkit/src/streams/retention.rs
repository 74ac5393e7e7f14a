//! Random queries of `type: "retention"`: every option with every other that it goes with.

use super::parts::{common, dimension, limits, selector, texts, with};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A retention query.
pub fn retention() -> impl Strategy<Value = Value> {
    let parts = (common(), side(), side(), rules(), more(), breakdown());
    parts.prop_map(|(common, start, back, rules, more, breakdown)| {
        let mut query = json!({"type": "retention", "start": start, "return": back});
        for part in [common, rules, more, breakdown] {
            query = with(query, &part);
        }
        sensible(query)
    })
}

fn side() -> impl Strategy<Value = Value> {
    let nth = prop::option::weighted(0.1, (1..3u32, any::<bool>()));
    (selector(), nth).prop_map(|(selector, nth)| match nth {
        None => selector,
        Some((k, true)) => with(selector, &json!({"nth": k, "nth_of": "event"})),
        Some((k, false)) => with(selector, &json!({"nth": k})),
    })
}

fn rules() -> impl Strategy<Value = Value> {
    let rules = (
        texts(&["day", "day", "week", "month", "hour"]),
        0..6u32,
        texts(&["calendar", "rolling"]),
        texts(&["on", "on", "on_or_after", "bracket", "streak", "on_or_before", "usage_interval"]),
        texts(&["any", "first_time", "first_in_range"]),
        texts(&["size", "returned"]),
        prop_oneof![3 => Just(1u32), 1 => Just(2u32)],
    );
    rules.prop_map(|(interval, periods, mode, kind, cohort_by, day0, min)| {
        json!({"interval": interval, "periods": periods, "mode": mode, "kind": kind, "cohort_by": cohort_by,
               "day0": day0, "min_returns": min})
    })
}

fn more() -> impl Strategy<Value = Value> {
    let bracket = (0..4i64, 0..3i64).prop_map(|(a, more)| json!([a, a + more]));
    let measure = select(vec![json!({"sum": "amount"}), json!({"avg": "amount"}), json!({"sum": "mixed"})]);
    let more = (
        prop::collection::vec(bracket, 1..4),
        prop::option::weighted(0.25, measure),
        prop::option::weighted(0.3, Just("hour")),
        texts(&["weighted", "dedup_actors"]),
        prop_oneof![3 => Just(json!("first")), 1 => Just(json!("all"))],
    );
    more.prop_map(|(brackets, measure, round, overall, scope)| {
        json!({"brackets": brackets, "measure": measure, "rolling_round": round, "overall": overall,
               "segment_scope": scope})
    })
}

fn breakdown() -> impl Strategy<Value = Value> {
    let by = (prop::collection::vec(dimension(), 1..3), limits())
        .prop_map(|(by, limits)| with(limits, &json!({"breakdown": by})));
    prop_oneof![2 => Just(json!({})), 1 => by]
}

/// Without what means nothing together, which is refused.
fn sensible(mut query: Value) -> Value {
    // Hour cohorts of two weeks are many and say nothing that two days do not.
    if query["interval"] == "hour" {
        query["range"] = json!({"from": "2025-11-01", "to": "2025-11-02"});
    }
    if query["kind"] != "bracket" {
        query["brackets"] = Value::Null;
    }
    if query["kind"] == "usage_interval" {
        for key in [
            "return",
            "measure",
            "breakdown",
            "mode",
            "cohort_by",
            "day0",
            "min_returns",
            "overall",
            "interval",
        ] {
            query[key] = Value::Null;
        }
        query["periods"] = json!(1 + query["periods"].as_u64().unwrap_or(0));
    }
    if query["mode"] != "rolling" {
        query["rolling_round"] = Value::Null;
    }
    if !query["measure"].is_null() {
        query["overall"] = Value::Null;
    }
    query
}
