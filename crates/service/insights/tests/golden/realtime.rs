//! `type: "realtime"`.

use crate::cases::{agreed, ask, at, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

/// Received 10 ms after they happened, but for the last one, which is a day late.
fn now() -> World {
    let mut w = world(&[
        ("2025-01-01T09:30:59.985Z", "z", "view", json!({})),
        ("2025-01-01T09:30:59.990Z", "a", "view", json!({})),
        ("2025-01-01T09:59:00Z", "a", "view", json!({})),
        ("2025-01-01T09:59:01Z", "", "view", json!({})),
        ("2024-12-31T08:00:00Z", "b", "buy", json!({})),
    ]);
    w.events[4].seq.received_at = at("2025-01-01T10:00:10Z");
    w
}

fn realtime(more: Value) -> Value {
    let mut query = json!({"type": "realtime", "as_of": "2025-01-01T10:00:30Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

#[test]
fn events_are_where_they_were_received() {
    let answer = agreed(&now(), realtime(json!({})));
    let last = |key: &str, n: usize| answer[key].as_array().unwrap()[30 - n..].to_vec();
    assert_eq!(answer["buckets"].as_array().unwrap().len(), 30);
    assert_eq!(answer["buckets"][0], "2025-01-01T09:31+00:00");
    // Received at 09:31:00.000, so in the first minute; the one 5 ms earlier is too old.
    assert_eq!((&answer["totals"][0], &answer["uniques"][0]), (&json!(1), &json!(1)));
    assert_eq!((last("totals", 2), last("uniques", 2)), (vec![json!(2), json!(1)], vec![json!(1), json!(1)]));
    assert_eq!(last("incomplete", 2), [json!(false), json!(true)]);
    assert_eq!(answer["total"], json!({"totals": 4, "uniques": 2}));
    let names =
        json!([{"event": "view", "totals": 3, "uniques": 1}, {"event": "buy", "totals": 1, "uniques": 1}]);
    assert_eq!(answer["events"], names);
    assert_eq!(answer["restated"], false);
}

#[test]
fn it_can_be_narrowed_and_looked_into() {
    assert_eq!(ask(&now(), realtime(json!({"event": "buy"})))["total"], json!({"totals": 1, "uniques": 1}));
    let names = |point: Value| {
        let answer = ask(&now(), realtime(json!({"microscope": point})));
        answer["actors"].as_array().unwrap().iter().map(|a| a["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({})), ["a", "b"]);
    assert_eq!(names(json!({"event": "buy"})), ["b"]);
    assert_eq!(names(json!({"bucket": "2025-01-01T09:59+00:00"})), ["a"]);
    let ranged = realtime(json!({"range": {"last": 1, "unit": "day"}}));
    assert_eq!(run(&engine(&now(), Layout::FRESH), &ranged).unwrap_err().code(), "TM0301");
}
