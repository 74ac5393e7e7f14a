//! Compositions (chapter 10).

use crate::cases::{ask, world};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn shop() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "buy", json!({"size": "s", "n": 1})),
        ("2025-01-02T10:00:00Z", "a", "buy", json!({"size": "m", "n": 7})),
        ("2025-01-02T11:00:00Z", "a", "look", json!({"size": ""})),
        ("2025-01-01T10:00:00Z", "b", "buy", json!({"size": ["s", "m"], "n": "12"})),
        ("2025-01-01T10:00:00Z", "c", "look", json!({})),
        ("2025-01-02T10:00:00Z", "d", "buy", json!({"size": "m", "n": 7.5})),
        ("2025-01-09T10:00:00Z", "d", "buy", json!({"size": "l"})),
    ])
}

fn rows(more: Value) -> Value {
    let mut query = json!({"type": "composition", "range": {"from": "2025-01-01", "to": "2025-01-03"},
        "as_of": "2025-02-01T00:00:00Z", "breakdown": {"property": "size"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    let answer = ask(&shop(), query);
    let row = |r: &Value| json!([r["breakdown"], r["actors"]]);
    json!([answer["rows"].as_array().unwrap().iter().map(row).collect::<Vec<_>>(), answer["total"]])
}

#[test]
fn each_actor_counts_once_with_its_last_value() {
    // a had s, then m, then an event without a value; d's l lies after the range; a list is one value.
    let all = json!([[["m", 2], ["(none)", 1], ["[\"s\",\"m\"]", 1]], 4]);
    assert_eq!(rows(json!({})), all);
    // Of the buyers alone c is not; a's last purchase is m all the same.
    assert_eq!(rows(json!({"event": "buy"})), json!([[["m", 2], ["[\"s\",\"m\"]", 1]], 3]));
    assert_eq!(rows(json!({"limit": 1})), json!([[["m", 2], ["$other", 2]], 4]));
    assert_eq!(rows(json!({"limit": 1, "other": false})), json!([[["m", 2]], 2]));
}

#[test]
fn numbers_fall_into_bins() {
    let bins = json!({"breakdown": {"property": "n", "bins": [5, 10]}});
    // a 7, d 7.5, b 12 as text, c nothing.
    assert_eq!(rows(bins), json!([[["[5, 10)", 2], ["(none)", 1], [">= 10", 1]], 4]));
}
