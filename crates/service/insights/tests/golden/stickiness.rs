//! `type: "stickiness"`.

use crate::cases::{agreed, ask, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn stickiness(more: Value) -> Value {
    let mut query = json!({"type": "stickiness", "event": "play", "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-01", "to": "2025-01-04"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn players() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "play", json!({})),
        ("2025-01-01T10:00:00Z", "b", "play", json!({})),
        ("2025-01-01T20:00:00Z", "b", "play", json!({})),
        ("2025-01-02T10:00:00Z", "a", "play", json!({})),
        ("2025-01-02T11:00:00Z", "a", "play", json!({})),
        ("2025-01-03T10:00:00Z", "a", "play", json!({})),
        ("2025-01-05T00:00:00Z", "c", "play", json!({})),
    ])
}

#[test]
fn bars_count_days() {
    // a on three days, b on one, c outside the range.
    let answer = agreed(&players(), stickiness(json!({})));
    assert_eq!(answer["counts"], json!([1, 0, 1, 0]));
    assert_eq!(answer["share"], json!([0.5, 0, 0.5, 0]));
    let cumulative = agreed(&players(), stickiness(json!({"cumulative": true})));
    assert_eq!(cumulative["counts"], json!([2, 1, 1, 0]));
    // Two plays on a day: a on the 2nd, b on the 1st.
    let twice = agreed(&players(), stickiness(json!({"min_per_interval": 2})));
    assert_eq!(twice["counts"], json!([2, 0, 0, 0]));
    let nobody = agreed(&players(), stickiness(json!({"event": "absent"})));
    assert_eq!(nobody["share"], json!([null, null, null, null]));
}

#[test]
fn weeks_are_evaluated_alone_and_averaged() {
    let w = world(&[
        ("2025-01-06T10:00:00Z", "a", "play", json!({})),
        ("2025-01-07T10:00:00Z", "a", "play", json!({})),
        ("2025-01-13T10:00:00Z", "a", "play", json!({})),
        ("2025-01-19T10:00:00Z", "b", "play", json!({})),
    ]);
    let weeks = json!({"period": "week", "range": {"from": "2025-01-06", "to": "2025-01-19"}});
    let answer = ask(&w, stickiness(weeks.clone()));
    let period = |i: usize, key: &str| answer["periods"][i][key].clone();
    assert_eq!((period(0, "period"), period(1, "period")), (json!("2025-01-06"), json!("2025-01-13")));
    // a is in the bar of two days in the first week, and in that of one day in the second.
    assert_eq!(period(0, "counts"), json!([0, 1, 0, 0, 0, 0, 0]));
    assert_eq!(period(1, "counts"), json!([2, 0, 0, 0, 0, 0, 0]));
    assert_eq!(answer["counts"], json!([1, 0.5, 0, 0, 0, 0, 0]));
    assert_eq!(answer["share"], json!([0.5, 0.5, 0, 0, 0, 0, 0]));
    let mut query = stickiness(weeks);
    query["microscope"] = json!({"period": "2025-01-06", "n": 2});
    assert_eq!(ask(&w, query)["actors"][0]["name"], "a");
}

#[test]
fn months_have_their_own_days() {
    let w = world(&[("2025-02-28T10:00:00Z", "a", "play", json!({}))]);
    let more = json!({"period": "month", "range": {"from": "2025-01-15", "to": "2025-02-28"}, "as_of": "2025-02-28T12:00:00Z"});
    let answer = agreed(&w, stickiness(more));
    let bars = |i: usize| answer["periods"][i]["counts"].as_array().unwrap().len();
    assert_eq!((bars(0), bars(1)), (31, 28));
    assert_eq!(
        (&answer["periods"][0]["incomplete"], &answer["periods"][1]["incomplete"]),
        (&json!(false), &json!(true))
    );
    // Shares are averaged over months in which somebody came: February alone.
    assert_eq!((&answer["counts"][0], &answer["share"][0]), (&json!(0.5), &json!(1)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |more: Value| {
        let error = run(&engine(&players(), Layout::FRESH), &stickiness(more)).unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(refused(json!({"interval": "none"})).0, "TM0301");
    assert_eq!(refused(json!({"interval": "hour", "period": "week"})).0, "TM0301");
    assert_eq!(refused(json!({"breakdown": []})).0, "TM0302");
}
