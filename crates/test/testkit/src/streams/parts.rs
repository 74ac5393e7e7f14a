//! What random queries of all types are made of.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(super) fn texts(list: &[&'static str]) -> impl Strategy<Value = Value> + use<> {
    select(list.to_vec()).prop_map(Value::from)
}

/// A property of the random worlds: (scope, name).
pub(super) fn property() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("event", "mixed"),
        ("event", "amount"),
        ("event", "colour"),
        ("event", "mixed.inner"),
        ("event", "missing"),
        ("user", "plan"),
        ("user", "score"),
        ("user", "tags"),
        ("user", "profile.city"),
        ("person", "plan"),
        ("person", "tags"),
        ("group:team", "plan"),
        ("group:team", "tags"),
        ("group_latest:team", "score"),
    ])
}

pub(super) fn operand() -> impl Strategy<Value = Value> {
    prop_oneof![
        texts(&["red", "blue", "e", "1", "true", "2.5", "", "gre"]),
        (-4..20i32).prop_map(|q| json!(f64::from(q) * 0.5)),
        (-4..20i32).prop_map(Value::from),
    ]
}

pub(super) fn test() -> impl Strategy<Value = Value> {
    let scalar = (
        texts(&["is", "is_not", "contains", "not_contains", "starts_with", "ends_with"]),
        prop_oneof![3 => operand(), 1 => prop::collection::vec(operand(), 1..3).prop_map(Value::Array)],
    );
    let number = (texts(&["gt", "gte", "lt", "lte"]), operand());
    let between = (Just(json!("between")), (-2..5i32, 2..8i32).prop_map(|(a, b)| json!([a, b])));
    let regex = (texts(&["regex", "not_regex"]), texts(&["^r", "e$", "[bg]", "^$", "(?i)RED"]));
    let instants = texts(&["2025-10-26", "2025-11-02T01:00:00-05:00"]);
    let instant = (texts(&["before", "after"]), instants);
    let set = (texts(&["is_set", "is_not_set"]), Just(Value::Null));
    (property(), prop_oneof![4 => scalar, 2 => number, 1 => between, 1 => regex, 1 => instant, 1 => set])
        .prop_map(|((scope, property), (op, value))| {
            json!({"scope": scope, "property": property, "op": op, "value": value})
        })
}

pub(super) fn condition() -> impl Strategy<Value = Value> {
    test().prop_recursive(2, 6, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            list.clone().prop_map(|l| json!({"all": l})),
            list.prop_map(|l| json!({"any": l})),
            inner.prop_map(|c| json!({"not": c})),
        ]
    })
}

pub(super) fn conditions() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!([])),
        1 => prop::collection::vec(condition(), 1..3).prop_map(Value::Array),
    ]
}

pub(super) fn selector() -> impl Strategy<Value = Value> {
    let event = prop_oneof![
        8 => texts(&["view", "cart", "buy"]),
        1 => Just(json!("absent")),
        3 => Just(json!("*")),
        1 => Just(json!("$active")),
        1 => Just(json!(["view", "buy"])),
    ];
    (event, conditions()).prop_map(|(event, conditions)| json!({"event": event, "where": conditions}))
}

pub(super) fn range() -> impl Strategy<Value = Value> {
    let dates = (24..31u32, 1..8u32)
        .prop_map(|(from, to)| json!({"from": format!("2025-10-{from}"), "to": format!("2025-11-0{to}")}));
    let instants = (24..31u32, 0..24u32, 1..8u32).prop_map(|(from, hour, to)| {
        json!({"from": format!("2025-10-{from}T{hour:02}:30:00Z"), "to": format!("2025-11-0{to}T12:00:00-05:00")})
    });
    let last = (1..12u32, texts(&["day", "week", "month"]), any::<bool>())
        .prop_map(|(n, unit, exclude)| json!({"last": n, "unit": unit, "exclude_current": exclude}));
    prop_oneof![2 => dates, 1 => instants, 1 => last]
}

pub(super) fn common() -> impl Strategy<Value = Value> {
    let as_of = texts(&["2025-11-03T05:00:00Z", "2025-11-06T17:30:00Z", "2025-12-01T00:00:00Z"]);
    let count_by = prop_oneof![
        6 => Just(json!("person")),
        1 => texts(&["device", "group:team", "event.colour", "user.plan"]),
    ];
    (range(), as_of, count_by, conditions(), values()).prop_map(
        |(range, as_of, count_by, segment, values)| {
            let query = json!({"range": range, "as_of": as_of, "count_by": count_by, "segment": segment});
            with(query, &values)
        },
    )
}

/// Options about what values are, which every type has.
pub(super) fn values() -> impl Strategy<Value = Value> {
    let rarely = || prop::bool::weighted(0.15);
    (rarely(), rarely(), rarely()).prop_map(|(empty, ingest, target)| {
        let mut options = json!({});
        if empty {
            options["empty_string"] = json!("value");
        }
        if ingest {
            options["user_props"] = json!("ingest_order");
        }
        if target {
            options["merge_props"] = json!("target_wins");
        }
        options
    })
}

pub(super) fn with(mut query: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        query[key] = value.clone();
    }
    query
}

pub(super) fn dimension() -> impl Strategy<Value = Value> {
    let bins = prop::option::weighted(0.3, Just(json!([0, 2.5, 5])));
    (property(), bins).prop_map(|((scope, property), bins)| {
        let mut by = json!({"scope": scope, "property": property});
        if let Some(bins) = bins {
            by["bins"] = bins;
        }
        by
    })
}

/// A dimension with the options that only segmentation has.
pub(super) fn attributed_dimension() -> impl Strategy<Value = Value> {
    let items = prop::option::weighted(0.2, Just(json!("all")));
    let lookback = (0..60u32, texts(&["hour", "day"])).prop_map(|(n, unit)| json!({"n": n, "unit": unit}));
    let attribution = (texts(&["first", "last"]), nth_selector(), lookback)
        .prop_map(|(model, touch, lookback)| json!({"model": model, "touch": touch, "lookback": lookback}));
    (dimension(), items, prop::option::weighted(0.3, attribution)).prop_map(|(mut by, items, attribution)| {
        items.into_iter().for_each(|items| by["items"] = items);
        attribution.into_iter().for_each(|attribution| by["attribution"] = attribution);
        by
    })
}

/// A selector that now and then means the k-th event ever.
pub(super) fn nth_selector() -> impl Strategy<Value = Value> {
    let nth = prop_oneof![
        6 => Just(json!({})),
        1 => (1..4u32).prop_map(|k| json!({"nth": k})),
        1 => (1..4u32).prop_map(|k| json!({"nth": k, "nth_of": "event"})),
    ];
    (selector(), nth).prop_map(|(selector, nth)| with(selector, &nth))
}

/// `limit` and `other`, often so small that there is a rest.
pub(super) fn limits() -> impl Strategy<Value = Value> {
    (1..6u32, prop::bool::weighted(0.8)).prop_map(|(limit, other)| json!({"limit": limit, "other": other}))
}
