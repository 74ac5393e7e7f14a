//! Meaning of the operators: worked examples of chapter 1.3, the complement invariant (14.3), and that typed
//! scalars are judged like the same values in JSON.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_predicate::{Condition, Expr, Matcher, Operator};

fn expr(condition: &Value) -> Expr {
    Condition::parse(condition, "where").unwrap().compile().unwrap()
}

fn matcher(op: &str, operand: &Value) -> Matcher {
    match expr(&json!({"property": "p", "op": op, "value": operand})) {
        Expr::Leaf(leaf) => leaf.matcher,
        other => panic!("{other:?}"),
    }
}

fn matches(condition: Value, properties: Value) -> bool {
    expr(&condition).matches(properties.as_object().unwrap())
}

#[test]
fn operators_on_worked_examples() {
    // (operator, operand, values that match, values that do not; null stands for absent)
    let cases = [
        ("is", json!(1), json!([1, 1.0, "1", [2, "1"]]), json!(["1.0", true, null, "", [], "11"])),
        ("is", json!("1"), json!([1, 1.0, "1"]), json!(["1.0", 11])),
        ("is", json!(true), json!([true, "true"]), json!(["True", 1, false])),
        ("is", json!(["a", "b"]), json!(["a", "b", ["c", "b"]]), json!(["c", "A", "ab"])),
        ("is", json!(""), json!([null, "", []]), json!(["x", 0, false, ["", "a"]])),
        ("is", json!(["", "x"]), json!([null, "x"]), json!(["y"])),
        ("is_not", json!("a"), json!([null, "", "b", ["b", "c"]]), json!(["a", ["b", "a"]])),
        ("contains", json!("EE"), json!(["green", "Beet"]), json!(["red", null, 0])),
        ("contains", json!(["x", 5]), json!(["xyz", 151, "X"]), json!(["abc"])),
        ("not_contains", json!("e"), json!([null, "a", 1]), json!(["e", ["a", "e"]])),
        ("starts_with", json!("gr"), json!(["Green", ["x", "gray"]]), json!(["agreen", null])),
        ("ends_with", json!(["EN", "d"]), json!(["green", "red"]), json!(["blue"])),
        ("regex", json!("^g.*n$"), json!(["green", ["x", "gun"]]), json!(["Green", null, ""])),
        ("not_regex", json!("^g"), json!(["red", null]), json!(["green"])),
        ("gt", json!(2), json!([3, "2.5", " 3 ", [1, 5]]), json!([2, "x", true, null, "3x"])),
        ("gte", json!("2"), json!([2, 2.0, "2"]), json!([1.9])),
        ("lt", json!(2), json!([1, "-5", ".5"]), json!([2, null, "", false])),
        ("lte", json!(2), json!([2]), json!([2.1])),
        ("gt", json!("many"), json!([]), json!([1, "many", null])),
        ("between", json!([1, 2]), json!([1, 2, "1.5"]), json!([0.9, 2.1, null])),
        ("before", json!("2025-01-02"), json!(["2025-01-01T23:59:59Z", 0]), json!(["2025-01-02", "x", null])),
        (
            "after",
            json!(1_735_776_000),
            json!(["2025-01-02T00:00:00.001Z"]),
            json!(["2025-01-02", 1_735_776_000_000i64]),
        ),
        ("is_set", json!(null), json!([0, false, "x", [""], {}]), json!([null, "", []])),
        ("is_not_set", json!(null), json!([null, "", []]), json!([0, "x"])),
    ];
    for (op, operand, yes, no) in cases {
        let matcher = matcher(op, &operand);
        for (list, expected) in [(yes, true), (no, false)] {
            for value in list.as_array().unwrap() {
                assert_eq!(matcher.eval_json(value), expected, "{value} {op} {operand}");
                if value.is_null() {
                    assert_eq!(matcher.eval(None), expected, "absent {op} {operand}");
                }
            }
        }
    }
}

#[test]
fn paths_prefer_the_literal_key() {
    let is = |path: &str| json!({"property": path, "op": "is", "value": 1});
    assert!(matches(is("a.b"), json!({"a.b": 1, "a": {"b": 2}})));
    assert!(matches(is("a.b"), json!({"a": {"b": 1}})));
    assert!(matches(is("a.b"), json!({"a.b": null, "a": {"b": 1}})));
    assert!(matches(is("a.b.c"), json!({"a": {"b": {"c": [2, 1]}}})));
    assert!(!matches(is("a.b"), json!({"a": [{"b": 1}]})));
    assert!(!matches(is("a.b"), json!({"a": 1})));
}

#[test]
fn groups_combine_and_lists_mean_all() {
    let a = json!({"property": "a", "op": "is", "value": 1});
    let b = json!({"property": "b", "op": "is", "value": 1});
    let one = json!({"a": 1});
    assert!(matches(json!({"any": [a, b]}), one.clone()));
    assert!(!matches(json!({"all": [a, b]}), one.clone()));
    assert!(!matches(json!([a, b]), one.clone()));
    assert!(matches(json!([a, {"not": b}]), one.clone()));
    assert!(matches(json!([]), one.clone()));
    assert!(!matches(json!({"any": []}), one));
}

#[test]
fn properties_are_listed_once_for_column_pruning() {
    let expr = expr(&json!([
        {"scope": "user", "property": "plan", "op": "is", "value": "pro"},
        {"any": [{"property": "x.y", "op": "is_set"}, {"not": {"property": "x.y", "op": "gt", "value": 1}}]},
    ]));
    let listed: Vec<String> = expr.properties().iter().map(|p| format!("{} {}", p.scope, p.path)).collect();
    assert_eq!(listed, ["event x.y", "user plan"]);
    assert_eq!(tallymark_predicate::path_columns("x.y.z").collect::<Vec<_>>(), ["x.y.z", "x"]);
    assert_eq!(tallymark_predicate::path_columns("plan").collect::<Vec<_>>(), ["plan"]);
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["", "a", "A", "ab", "1", "1.0", " 1", "true", "2025-01-01", "é", "İ", "ß"])
            .prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-3..3i64).prop_map(Value::from),
        (-12..12i32).prop_map(|q| json!(f64::from(q) * 0.25)),
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite()).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        1 => Just(Value::Null),
        2 => prop::collection::vec(prop_oneof![5 => scalar(), 1 => Just(Value::Null)], 0..4).prop_map(Value::Array),
        1 => scalar().prop_map(|v| json!({"k": v})),
    ]
}

fn operand(op: Operator) -> BoxedStrategy<Value> {
    let list = || prop::collection::vec(scalar(), 1..3).prop_map(Value::Array);
    match op.complement_of().unwrap_or(op) {
        Operator::IsSet => Just(Value::Null).boxed(),
        Operator::Regex => {
            prop::sample::select(vec!["^a", "1$", "", "^$", "(?i)a|b", "\\d"]).prop_map(Value::from).boxed()
        }
        Operator::Between => (scalar(), scalar()).prop_map(|(a, b)| json!([a, b])).boxed(),
        Operator::Is => prop_oneof![value(), list()].boxed(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            prop_oneof![scalar(), list()].boxed()
        }
        _ => scalar().boxed(),
    }
}

fn test() -> impl Strategy<Value = (Operator, Value)> {
    let ops: Vec<Operator> = Operator::ALL.iter().map(|(_, op)| *op).collect();
    prop::sample::select(ops).prop_flat_map(|op| (Just(op), operand(op)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_negative_operator_is_the_exact_complement((op, operand) in test(), value in value()) {
        let Some(positive) = op.complement_of() else { return Ok(()) };
        let (negative, positive) = (matcher(op.name(), &operand), matcher(positive.name(), &operand));
        prop_assert_ne!(negative.eval_json(&value), positive.eval_json(&value));
        prop_assert_ne!(negative.eval_none(), positive.eval_none());
    }

    #[test]
    fn typed_scalars_are_judged_like_json((op, operand) in test(), value in scalar()) {
        let matcher = matcher(op.name(), &operand);
        let typed = match &value {
            Value::String(s) => matcher.eval_str(s),
            Value::Bool(b) => matcher.eval_bool(*b),
            Value::Number(n) => matcher.eval_num(n.as_f64().unwrap()),
            _ => unreachable!(),
        };
        prop_assert_eq!(typed, matcher.eval_json(&value), "{} {} {}", value, op.name(), operand);
    }

    #[test]
    fn a_list_matches_through_its_elements((op, operand) in test(), items in prop::collection::vec(scalar(), 1..4)) {
        // Not for `is_set`, which asks about the list itself.
        let positive = op.complement_of().unwrap_or(op);
        prop_assume!(positive != Operator::IsSet);
        let matcher = matcher(positive.name(), &operand);
        let any = items.iter().any(|v| *v != json!("") && matcher.eval_json(v));
        prop_assert_eq!(matcher.eval_json(&Value::Array(items)), any);
    }
}
