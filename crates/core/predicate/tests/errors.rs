//! Mistakes in conditions are named with their place and remedy; size is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use tallymark_predicate::{Condition, MAX_DEPTH, MAX_NODES};

fn error(condition: Value) -> String {
    let parsed = Condition::parse(&condition, "segment");
    parsed.and_then(|c| c.compile().map(drop)).expect_err(&condition.to_string()).to_string()
}

#[test]
fn every_mistake_has_a_place_and_a_remedy() {
    let leaf = json!({"property": "p", "op": "is", "value": 1});
    for (condition, place, says) in [
        (json!(5), "segment:", "not a number"),
        (json!([leaf, {"any": [leaf, "x"]}]), "segment[1].any[1]:", "not a string"),
        (json!({}), "segment:", "needs `property` and `op`"),
        (json!({"propertie": "p"}), "segment:", "unknown key `propertie`"),
        (json!({"property": "p", "op": "is", "value": 1, "valeu": 2}), "segment:", "unknown key `valeu`"),
        (json!({"all": [], "any": []}), "segment:", "`all` and `any`"),
        (json!({"not": {"all": leaf}}), "segment.not.all:", "a list of conditions"),
        (json!({"property": "", "op": "is", "value": 1}), "segment.property:", "the name of a property"),
        (json!({"property": "p"}), "segment:", "`op` is missing"),
        (json!({"property": "p", "op": "is"}), "segment:", "`value` is missing"),
        (json!({"property": "p", "op": "equals", "value": 1}), "segment.op:", "use one of is, is_not"),
        (json!({"property": "p", "op": 3, "value": 1}), "segment.op:", "found a number"),
        (
            json!({"scope": "device", "property": "p", "op": "is", "value": 1}),
            "segment.scope:",
            "group:<type>",
        ),
        (json!({"scope": "group:", "property": "p", "op": "is", "value": 1}), "segment.scope:", "`group:`"),
        (json!({"property": "p", "op": "gt", "value": [1]}), "segment.value:", "expected a number"),
        (json!({"property": "p", "op": "between", "value": [1]}), "segment.value:", "a list of two numbers"),
        (json!({"property": "p", "op": "contains", "value": null}), "segment.value:", "a text or a list"),
        (json!({"property": "p", "op": "before", "value": {}}), "segment.value:", "an instant"),
        (json!({"property": "p", "op": "is_set", "value": false}), "segment.value:", "take none"),
        (
            json!([leaf, {"property": "p", "op": "regex", "value": "a("}]),
            "segment[1].value:",
            "unclosed group",
        ),
        (json!({"cohort": 7, "at": "now"}), "segment.at:", "event_time"),
        (json!({"any": [{"cohort": 7}]}), "segment.any[0]:", "cohort conditions are not supported"),
    ] {
        let message = error(condition);
        assert!(message.starts_with(place) && message.contains(says), "{message}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let leaf = json!({"property": "p", "op": "is", "value": 1});
    let nested = |depth: usize| (1..depth).fold(leaf.clone(), |inner, _| json!({"not": inner}));
    assert!(Condition::parse(&nested(MAX_DEPTH), "where").is_ok());
    assert!(error(nested(MAX_DEPTH + 1)).contains("nested deeper than 64"));

    let many = |n: usize| Value::Array(vec![leaf.clone(); n]);
    assert!(Condition::parse(&many(MAX_NODES - 1), "where").is_ok());
    assert!(error(many(MAX_NODES)).contains("more than 10000"));
    let values: Vec<usize> = (0..MAX_NODES).collect();
    assert!(error(json!({"property": "p", "op": "is", "value": values})).contains("more than 10000"));
}
