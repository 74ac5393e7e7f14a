//! Random queries of `type: "cohort"`, and random cohort conditions for queries of other types.

use super::parts::{conditions, property, range, selector, test, texts, with};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn window() -> impl Strategy<Value = Value> {
    let unit = || texts(&["hour", "day", "week", "month"]);
    let last = (1..6u32, unit(), any::<bool>())
        .prop_map(|(n, unit, rolling)| json!({"last": {"n": n, "unit": unit, "rolling": rolling}}));
    let during = (24..31u32, 1..7u32).prop_map(
        |(a, b)| json!({"during": {"from": format!("2025-10-{a}"), "to": format!("2025-11-0{b}")}}),
    );
    let since =
        texts(&["2025-10-28", "2025-11-02", "2025-10-30T12:00:00Z"]).prop_map(|d| json!({"since": d}));
    let first = (1..80u32, texts(&["hour", "day"]))
        .prop_map(|(n, unit)| json!({"within_first": {"n": n, "unit": unit}}));
    prop_oneof![2 => Just(json!({})), 3 => last, 1 => during, 1 => since, 1 => first]
}

fn comparison() -> impl Strategy<Value = Value> {
    let op = || texts(&["gte", "gt", "lte", "lt", "is", "is_not"]);
    let test = || {
        prop_oneof![
            5 => (op(), 0..4u32).prop_map(|(op, n)| vec![op, json!(n)]),
            1 => (0..2u32, 1..4u32).prop_map(|(a, b)| vec![json!("between"), json!([a, b])]),
        ]
    };
    let of = || {
        prop_oneof![
            2 => texts(&["amount", "mixed", "colour"]),
            1 => property().prop_map(|(scope, name)| json!({"scope": scope, "property": name})),
        ]
    };
    let three = move |key: &'static str| {
        (of(), test()).prop_map(move |(of, test)| json!({key: [of, test[0], test[1]]}))
    };
    prop_oneof![
        2 => Just(json!({})),
        4 => test().prop_map(|t| json!({"count": t})),
        2 => test().prop_map(|t| json!({"distinct_days": t})),
        2 => three("sum"),
        2 => three("distinct"),
        1 => selector().prop_map(|s| json!({"more_than": s})),
    ]
}

fn performed() -> impl Strategy<Value = Value> {
    let nth = prop::option::weighted(0.15, 1..4u32);
    let then = prop::option::weighted(
        0.2,
        (selector(), 0..40u32)
            .prop_map(|(event, n)| json!({"event": event, "within": {"n": n, "unit": "hour"}})),
    );
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (selector(), nth, window(), comparison(), then, flags).prop_map(
        |(mut event, nth, window, comparison, then, (first, require))| {
            if let Some(nth) = nth {
                event["nth"] = json!(nth);
            }
            let mut clause = with(with(json!({"performed": event}), &window), &comparison);
            if let Some(then) = then {
                clause["then"] = then;
            }
            if first {
                clause["nth_first"] = json!(true);
            }
            if require {
                clause["require_performed"] = json!(true);
            }
            clause
        },
    )
}

fn on_property() -> impl Strategy<Value = Value> {
    let current = test().prop_map(|mut test| {
        // Only persons have a current value.
        if test["scope"] != "user" && test["scope"] != "person" {
            test["scope"] = json!("user");
            test["property"] = json!("plan");
        }
        test
    });
    let any_time =
        (test(), window()).prop_map(|(test, window)| with(with(test, &json!({"when": "any_time"})), &window));
    prop_oneof![current, any_time]
}

fn ids() -> impl Strategy<Value = Value> {
    let id = select(vec!["u0", "u1", "u2", "u3", "d0", "d1", "nobody"]);
    prop::collection::vec(id, 0..3).prop_map(|ids| json!({"ids": ids}))
}

/// A definition.
pub fn definition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![6 => performed(), 2 => on_property(), 1 => ids()];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            list.clone().prop_map(|l| json!({"all": l})),
            list.prop_map(|l| json!({"any": l})),
            inner.clone().prop_map(|d| json!({"not": d})),
            inner.prop_map(|d| json!({"cohort": d})),
        ]
    })
}

/// A condition on membership, alone or beside others.
pub fn cohort_conditions() -> impl Strategy<Value = Value> {
    let one = (definition(), any::<bool>(), any::<bool>()).prop_map(|(cohort, event_time, not)| {
        let mut condition = json!({"cohort": cohort});
        if event_time {
            condition["at"] = json!("event_time");
        }
        if not { json!({"not": condition}) } else { condition }
    });
    (one, conditions()).prop_map(|(one, more)| {
        let mut all = vec![one];
        all.extend(more.as_array().into_iter().flatten().cloned());
        Value::Array(all)
    })
}

/// A cohort query.
pub fn cohort() -> impl Strategy<Value = Value> {
    let as_of = texts(&["2025-10-29T03:30:00Z", "2025-11-03T05:00:00Z", "2025-12-01T00:00:00Z"]);
    let over = prop::option::weighted(0.3, (range(), texts(&["day", "week", "month"])));
    (definition(), as_of, over).prop_map(|(cohort, as_of, over)| {
        let mut query = json!({"type": "cohort", "cohort": cohort, "as_of": as_of});
        if let Some((range, interval)) = over {
            query["range"] = range;
            query["interval"] = interval;
        }
        query
    })
}
