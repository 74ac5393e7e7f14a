//! Random queries of `type: "paths"`.

use super::parts::{common, property, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A paths query.
pub fn paths() -> impl Strategy<Value = Value> {
    let items = || texts(&["view", "cart", "buy", "red", "*e*", "absent"]);
    let names = prop::collection::vec(texts(&["view", "cart", "buy", "push"]), 1..4).prop_map(Value::Array);
    let item = (property(), prop::option::of(Just(json!(["view", "cart"])))).prop_map(
        |((scope, property), events)| json!({"scope": scope, "property": property, "events": events}),
    );
    let what = (
        prop::option::weighted(0.3, names),
        prop::option::weighted(0.3, prop::collection::vec(items(), 1..3).prop_map(Value::Array)),
        prop::option::weighted(0.4, item),
        prop::option::weighted(0.3, Just(json!(["b*", "*e*", "(none)"]))),
    )
        .prop_map(|(include, exclude, item, groupings)| {
            json!({"include": include, "exclude": exclude, "item": item, "groupings": groupings})
        });
    let cut = prop_oneof![
        4 => Just(json!({})),
        2 => texts(&["5", "60", "600"]).prop_map(|m| json!({"gap_min": m.as_str().and_then(|m| m.parse::<i64>().ok())})),
        2 => Just(json!({"gap_by": "session"})),
        1 => Just(json!({"gap_by": "session", "timeout_min": 600})),
        2 => (1..30u32).prop_map(|n| json!({"within": {"n": n, "unit": "hour"}})),
    ];
    let ends = (prop::option::weighted(0.4, items()), prop::option::weighted(0.4, items()))
        .prop_map(|(start, end)| json!({"start": start, "end": end}));
    let shape = (1..7u32, any::<bool>(), any::<bool>(), texts(&["uniques", "totals"]))
        .prop_map(|(limit, collapse, first, measure)| {
            json!({"step_limit": limit, "collapse": collapse, "first_only": first, "measure": measure})
        });
    let folds = (prop::option::weighted(0.3, 1..4u32), prop::option::weighted(0.2, 1..4u32))
        .prop_map(|(top, min)| json!({"top": top, "min_weight": min}));
    let parts = (common(), what, cut, ends, shape, folds);
    (parts, prop::option::weighted(0.25, through())).prop_map(
        |((common, what, cut, ends, shape, folds), through)| {
            let through = json!({"through": through});
            [what, cut, ends, shape, folds, through]
                .iter()
                .fold(with(json!({"type": "paths"}), &common), with)
        },
    )
}

/// A stretch between two steps of a small funnel.
fn through() -> impl Strategy<Value = Value> {
    let steps = prop::collection::vec(selector(), 2..4).prop_map(Value::Array);
    let rules = (
        texts(&["this_order", "exact_order", "any_order"]),
        texts(&["best", "first_entry", "tightest"]),
        (1..72u32).prop_map(|n| json!({"n": n, "unit": "hour"})),
        texts(&["reached", "dropped"]),
        any::<bool>(),
    );
    (steps, rules).prop_map(|(steps, (order, attempt, window, state, early))| {
        let mut through = json!({"state": state, "funnel": {"steps": steps, "order": order, "attempt": attempt, "window": window}});
        if early {
            through["to_step"] = json!(2);
        }
        through
    })
}
