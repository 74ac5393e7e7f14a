//! Random queries of `type: "funnel"`: every option with every other that it goes with.

use super::parts::{common, dimension, limits, property, selector, texts, with};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A funnel query.
pub fn funnel() -> impl Strategy<Value = Value> {
    let parts = (common(), steps(), rules(), exclusions(), hold(), breakdown(), shape());
    parts.prop_map(|(common, steps, rules, exclusions, hold, breakdown, shape)| {
        let mut query = json!({"type": "funnel", "steps": steps});
        for part in [common, rules, exclusions, hold, breakdown, shape] {
            query = with(query, &part);
        }
        sensible(query)
    })
}

fn rarely(value: impl Strategy<Value = Value> + 'static, weight: f64) -> BoxedStrategy<Value> {
    prop::option::weighted(weight, value).prop_map(|v| v.unwrap_or(Value::Null)).boxed()
}

fn duration() -> impl Strategy<Value = Value> {
    (1..60i64, texts(&["hour", "day"])).prop_map(|(n, unit)| json!({"n": n, "unit": unit}))
}

fn steps() -> impl Strategy<Value = Vec<Value>> {
    let nth = rarely((1..3u32).prop_map(Value::from), 0.08);
    let step = (selector(), nth, any::<bool>(), rarely(duration(), 0.15), 0..4u8, 0..4u8);
    let step = step.prop_map(|(mut step, nth, of_event, within, optional, anchor)| {
        if !nth.is_null() {
            step["nth"] = nth;
            if of_event {
                step["nth_of"] = json!("event");
            }
        }
        if !within.is_null() {
            step["within"] = within;
        }
        with(step, &json!({"optional": optional == 0, "anchor": anchor == 0}))
    });
    prop::collection::vec(step, 1..5)
}

fn rules() -> impl Strategy<Value = Value> {
    let order = prop_oneof![
        5 => Just(json!("this_order")),
        2 => Just(json!("exact_order")),
        2 => Just(json!("any_order")),
    ];
    let rules = (
        order,
        duration(),
        select(vec![0i64, 0, 0, 3_600_000, 7_200_000]),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
        prop_oneof![3 => Just(json!("best")), 1 => texts(&["first_entry", "tightest"])],
        any::<bool>(),
        texts(&["any", "anchors", "first_listed"]),
        prop_oneof![3 => Just(json!("first")), 1 => Just(json!("all")), 1 => Just(json!("attribution"))],
    );
    rules.prop_map(|(order, window, tolerance, strict, confine, attempt, repeats, entry, scope)| {
        json!({"order": order, "window": window, "tie_tolerance_ms": tolerance, "strict_increase": strict,
               "confine_to_range": confine, "attempt": attempt, "exact_allow_repeats": repeats,
               "any_order_entry": entry, "segment_scope": scope})
    })
}

fn exclusions() -> impl Strategy<Value = Value> {
    let one = (selector(), 1..4u32, 1..3u32)
        .prop_map(|(exclusion, from, more)| with(exclusion, &json!({"from": from, "to": from + more})));
    let list = prop_oneof![
        2 => Just(vec![]),
        1 => prop::collection::vec(one, 1..3),
    ];
    (list, texts(&["break", "remove"]))
        .prop_map(|(list, effect)| json!({"exclusions": list, "exclusion_effect": effect}))
}

fn hold() -> impl Strategy<Value = Value> {
    let one = property().prop_map(|(scope, name)| json!({"scope": scope, "property": name}));
    let list = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(one, 1..3)];
    (list, texts(&["pair", "actor"])).prop_map(|(list, unit)| json!({"hold": list, "hold_unit": unit}))
}

fn breakdown() -> impl Strategy<Value = Value> {
    let filter = texts(&["all_steps", "filter_step:1", "filter_step:2"]);
    let label = || texts(&["step:1", "step:1", "step:2", "first_touch", "last_touch"]);
    let dimensions = prop::collection::vec((dimension(), label()), 1..3);
    let by = (dimensions, prop::option::weighted(0.4, filter)).prop_map(|(dimensions, filter)| {
        let one = |(by, at): (Value, Value)| with(by, &json!({"at": filter.clone().unwrap_or(at)}));
        Value::Array(dimensions.into_iter().map(one).collect())
    });
    prop_oneof![
        1 => Just(json!({})),
        1 => (by, limits()).prop_map(|(by, limits)| with(limits, &json!({"breakdown": by}))),
    ]
}

/// What is asked of the attempts.
fn shape() -> impl Strategy<Value = Value> {
    let over_time = (texts(&["day", "week", "hour"]), 1..3u32, 1..4u32)
        .prop_map(|(interval, from, to)| json!({"interval": interval, "from_step": from, "to_step": to}));
    let between = (selector(), any::<bool>()).prop_map(|(selector, sums)| match sums {
        true => with(selector, &json!({"property": "amount"})),
        false => selector,
    });
    let histogram =
        (600..90_000u32, 0..9000u32).prop_map(|(width, min)| json!({"width_s": width, "min_s": min}));
    let shape = (
        prop_oneof![3 => Just(json!("uniques")), 1 => Just(json!("totals"))],
        rarely(over_time, 0.2),
        rarely(between, 0.2),
        rarely(histogram, 0.3),
        select(vec![json!([]), json!([90]), json!([25, 99.5])]),
    );
    shape.prop_map(|(count, over_time, between, histogram, percentiles)| {
        json!({"count": count, "over_time": over_time, "between": between, "histogram": histogram,
               "percentiles": percentiles})
    })
}

/// Without what means nothing together, which is refused.
fn sensible(mut query: Value) -> Value {
    let steps = query["steps"].as_array().map_or(0, Vec::len);
    let (this, any) = (query["order"] == "this_order", query["order"] == "any_order");
    for k in 0..steps {
        let step = &mut query["steps"][k];
        step["optional"] = json!(step["optional"] == true && this && k > 0 && k + 1 < steps);
        step["anchor"] = json!(step["anchor"] == true && any);
        if k == 0 || any {
            step["within"] = Value::Null;
        }
    }
    let required: Vec<usize> = (0..steps).filter(|k| query["steps"][*k]["optional"] != true).collect();
    let fits = |k: &Value| k.as_u64().is_some_and(|k| required.contains(&(k as usize).wrapping_sub(1)));
    if let Some(list) = query["exclusions"].as_array_mut() {
        if steps == 1 {
            list.clear();
        }
        for exclusion in list {
            if any || !fits(&exclusion["from"]) || !fits(&exclusion["to"]) {
                exclusion["from"] = Value::Null;
                exclusion["to"] = Value::Null;
            }
        }
    }
    if any {
        query["strict_increase"] = json!(false);
    }
    if let Some(list) = query["breakdown"].as_array_mut() {
        for by in list {
            if by["at"].as_str().is_some_and(|at| at.ends_with(":2") && steps < 2) {
                by["at"] = json!(by["at"].as_str().unwrap_or_default().replace(":2", ":1"));
            }
        }
    }
    if query["over_time"].is_object() {
        let over_time = query["over_time"].clone();
        let ordered = over_time["from_step"].as_u64() <= over_time["to_step"].as_u64();
        if !ordered || !fits(&over_time["from_step"]) || !fits(&over_time["to_step"]) {
            query["over_time"] = json!({"interval": over_time["interval"]});
        }
        // Hours of months are many and say nothing that two days do not.
        if over_time["interval"] == "hour" {
            query["range"] = json!({"from": "2025-11-01", "to": "2025-11-02"});
        }
        for key in ["between", "histogram", "percentiles"] {
            query[key] = Value::Null;
        }
    }
    if query["count"] == "totals" {
        query["hold_unit"] = json!("pair");
        if !any {
            query["exclusion_effect"] = json!("break");
        }
    }
    query
}
