//! The compiled operators against the reference's reading of chapter 1.3, on random values and operands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tallymark_predicate::{Condition, Operator};
use tallymark_testkit::reference::operator;

fn scalar() -> impl Strategy<Value = Value> {
    let texts = vec![
        "",
        "a",
        "A",
        "ab",
        "Straße",
        "STRASSE",
        "1",
        "1.0",
        "+1",
        " 1 ",
        "1e0",
        ".5",
        "1_000",
        "true",
        "null",
        "[1]",
        "2025-01-01",
        "2025-01-01T00:00:00Z",
        "2025-01-01T01:00:00+01:00",
        "2025-01-01 00:00",
        "1735689600",
    ];
    let numbers =
        vec![json!(0), json!(1), json!(1.0), json!(-1), json!(0.5), json!(2.5), json!(1_735_689_600)];
    let large = vec![json!(1_735_689_600_000i64), json!(1e12), json!(-0.0), json!(9_007_199_254_740_993u64)];
    prop_oneof![
        6 => select(texts).prop_map(Value::from),
        4 => select(numbers),
        1 => select(large),
        1 => any::<bool>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let element =
        prop_oneof![6 => scalar(), 1 => Just(Value::Null), 1 => Just(json!([])), 1 => Just(json!(["a"]))];
    prop_oneof![
        6 => scalar(),
        1 => Just(Value::Null),
        3 => prop::collection::vec(element, 0..4).prop_map(Value::Array),
        1 => scalar().prop_map(|v| json!({"k": v, "a": 1.0})),
    ]
}

fn test() -> impl Strategy<Value = (&'static str, Value)> {
    let names: Vec<&str> = Operator::ALL.iter().map(|(name, _)| *name).collect();
    select(names).prop_flat_map(|name| {
        let list = || {
            prop_oneof![
                scalar().boxed(),
                prop::collection::vec(scalar(), 1..3).prop_map(Value::Array).boxed()
            ]
        };
        let operand = match name {
            "is_set" | "is_not_set" => Just(Value::Null).boxed(),
            "is" | "is_not" => prop_oneof![value().boxed(), list().boxed()].boxed(),
            "contains" | "not_contains" | "starts_with" | "ends_with" => list().boxed(),
            "regex" | "not_regex" => {
                select(vec!["a", "^[0-9.]+$", "^$", "(?i)STRA", "1|t"]).prop_map(Value::from).boxed()
            }
            "between" => (scalar(), scalar()).prop_map(|(a, b)| json!([a, b])).boxed(),
            _ => scalar().boxed(),
        };
        (Just(name), operand)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operators_mean_what_the_text_says((name, operand) in test(), value in prop::option::weighted(0.95, value())) {
        let condition = json!({"property": "p", "op": name, "value": operand});
        let row: serde_json::Map<String, Value> = value.iter().map(|v| ("p".to_owned(), v.clone())).collect();
        let compiled = Condition::parse(&condition, "where").unwrap().compile().unwrap();
        let expected = operator(name, value.as_ref(), &operand, false).unwrap();
        prop_assert_eq!(compiled.matches(&row), expected, "{:?} {} {}", value, name, operand);
    }
}
