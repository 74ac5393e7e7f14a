//! Revenue by days of life (chapter 10).

use crate::cases::{ask, world};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn shop() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "join", json!({})),
        ("2025-01-01T11:00:00Z", "a", "buy", json!({"amount": 10})),
        ("2025-01-02T09:59:59.999Z", "a", "buy", json!({"amount": 5})),
        ("2025-01-02T10:00:00Z", "a", "buy", json!({"amount": "2"})),
        ("2025-01-02T10:00:00Z", "b", "join", json!({})),
        ("2025-01-03T12:00:00Z", "b", "buy", json!({"amount": 8})),
        ("2025-01-03T00:00:00Z", "c", "join", json!({})),
        ("2025-01-03T01:00:00Z", "c", "buy", json!({"amount": -1})),
        ("2024-12-31T00:00:00Z", "old", "join", json!({})),
        ("2025-01-01T00:00:00Z", "old", "buy", json!({"amount": 1000})),
    ])
}

fn days(more: Value) -> Vec<Value> {
    let mut query = json!({"type": "ltv", "range": {"from": "2025-01-01", "to": "2025-01-03"},
        "revenue": {"event": "buy", "property": "amount"}, "periods": 2, "as_of": "2025-01-04T10:00:00Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    let answer = ask(&shop(), query);
    let day = |d: &Value| json!([d["actors"], d["payers"], d["revenue"], d["arpu"], d["arppu"]]);
    answer["days"].as_array().unwrap().iter().map(day).collect()
}

#[test]
fn a_day_counts_those_whose_day_is_over() {
    // Day 0: a paid 10 + 5 in its first 24 hours, b nothing, c took 1 back: 14 over three actors, a alone paid.
    // Day 1: a's two more exactly at 24 hours, b's 8; c's day 1 ends only on the 5th: 17 + 8 over two, both paid.
    // Day 2: only a is so old, exactly at as_of.
    assert_eq!(
        days(json!({})),
        [json!([3, 1, 14, 14.0 / 3.0, 14]), json!([2, 2, 25, 12.5, 12.5]), json!([1, 1, 17, 17, 17])]
    );
    // Whoever pays at all is a payer from day 0.
    assert_eq!(days(json!({"payers": "ever"}))[0], json!([3, 2, 14, 14.0 / 3.0, 7]));
}

#[test]
fn a_life_may_begin_with_another_event_and_without_anybody_there_is_no_mean() {
    // Lives begin with the first purchase: a's at 11:00, so that its 2 comes on day 0 as well; old's first lies in
    // the range too; b's day 0 is not over. 17 - 1 + 1000.
    assert_eq!(days(json!({"start": {"event": "buy"}}))[0], json!([3, 2, 1016, 1016.0 / 3.0, 508]));
    let nobody = json!({"start": {"event": "never"}});
    assert_eq!(days(nobody)[0], json!([0, 0, 0, null, null]));
    assert_eq!(days(json!({"start": {"event": "never"}, "div_zero": 0}))[0], json!([0, 0, 0, 0, 0]));
    // The segment holds for the first event: c's and everybody's joins carry no amount.
    let segment = json!([{"property": "amount", "op": "is_set"}]);
    assert_eq!(days(json!({"segment": segment}))[0], json!([0, 0, 0, null, null]));
}
