//! The engagement matrix (chapter 10).

use crate::cases::{ask, world};
use serde_json::{Value, json};

#[test]
fn shares_and_averages_of_events() {
    let mut w = world(&[
        ("2025-01-01T10:00:00Z", "a", "look", json!({})),
        ("2025-01-01T11:00:00Z", "a", "look", json!({})),
        ("2025-01-02T10:00:00Z", "a", "look", json!({})),
        ("2025-01-01T10:00:00Z", "b", "look", json!({})),
        ("2025-01-01T10:00:00Z", "b", "buy", json!({})),
        ("2025-01-01T10:00:00Z", "c", "share", json!({})),
        ("2025-01-01T10:00:00Z", "d", "push", json!({})),
        ("2025-01-01T10:00:00Z", "", "look", json!({})),
    ]);
    w.inactive = vec!["push".into()];
    let of = |more: Value| {
        let mut query = json!({"type": "engagement", "range": {"from": "2025-01-01", "to": "2025-01-02"},
            "as_of": "2025-02-01T00:00:00Z"});
        more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        ask(&w, query)
    };
    let all = of(json!({}));
    // a, b and c are active; d only got a push. Two of three look, four times between them; nobody's look is
    // nobody's.
    assert_eq!(all["active"], 3);
    let third = 1.0 / 3.0;
    assert_eq!(
        all["events"],
        json!([{"event": "look", "actors": 2, "x": 2.0 / 3.0, "y": 2}, {"event": "buy", "actors": 1, "x": third, "y": 1},
            {"event": "share", "actors": 1, "x": third, "y": 1}])
    );
    assert_eq!(all["cross"], json!({"x": third, "y": 1}));
    // a looks on two days, b on one.
    let days = of(json!({"measure": "days", "cross": "mean", "limit": 2}));
    assert_eq!(days["events"][0]["y"], 1.5);
    assert_eq!(days["cross"], json!({"x": 0.5, "y": 1.25}));
    // What is inactive is shown when it is named.
    let named = of(json!({"event": ["push"]}));
    assert_eq!(named["events"], json!([{"event": "push", "actors": 1, "x": third, "y": 1}]));
}
