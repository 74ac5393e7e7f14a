//! `type: "lifecycle"`.

use crate::cases::{agreed, ask, world};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn lifecycle(more: Value) -> Value {
    let mut query = json!({"type": "lifecycle", "event": "play", "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-02", "to": "2025-01-05"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn players() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "play", json!({})),
        ("2025-01-01T11:00:00Z", "c", "signup", json!({})),
        ("2025-01-02T10:00:00Z", "a", "play", json!({})),
        ("2025-01-02T23:59:59.999Z", "b", "play", json!({})),
        ("2025-01-03T00:00:00Z", "b", "play", json!({})),
        ("2025-01-03T10:00:00Z", "c", "play", json!({"from": "ad"})),
        ("2025-01-04T10:00:00Z", "a", "play", json!({"from": "ad"})),
        ("2025-01-05T10:00:00Z", "d", "play", json!({})),
        ("2025-01-05T10:00:00Z", "", "play", json!({})),
    ])
}

fn states(answer: &Value) -> Value {
    json!([answer["new"], answer["returning"], answer["resurrecting"], answer["dormant"]])
}

#[test]
fn everybody_has_one_state_a_day() {
    let answer = agreed(&players(), lifecycle(json!({})));
    // a played on the 1st, before the range, so returns on the 2nd; skips the 3rd and comes back on the 4th.
    // b and c are dormant only on their first silent day. Nobody's event is no actor's.
    let expected = json!([[1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 2, 1]]);
    assert_eq!(states(&answer), expected);
    assert_eq!(answer["pulse"], json!([null, 1, 0.5, 1]));
    assert_eq!(answer["buckets"], json!(["2025-01-02", "2025-01-03", "2025-01-04", "2025-01-05"]));
    assert_eq!(answer["incomplete"], json!([false, false, false, false]));
}

#[test]
fn new_by_person_is_new_in_the_product() {
    // c signed up on the 1st, so the first play on the 3rd is no beginning any more.
    let answer = agreed(&players(), lifecycle(json!({"new_by": "person"})));
    assert_eq!(states(&answer), json!([[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 2, 1]]));
}

#[test]
fn a_segment_filters_every_event() {
    // Only c on the 3rd and a on the 4th remain; both are first matching events.
    let answer =
        agreed(&players(), lifecycle(json!({"segment": [{"property": "from", "op": "is", "value": "ad"}]})));
    assert_eq!(states(&answer), json!([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]));
}

#[test]
fn windows_of_two_days_end_with_each_bucket() {
    let answer = agreed(&players(), lifecycle(json!({"usage_interval": {"n": 2, "unit": "day"}})));
    // 2nd: a and b began within [1st, 2nd]. 3rd: b and c began within [2nd, 3rd], a was there before. 4th: c is new
    // still, a and b return. 5th: d is new, a returns, b and c are gone.
    assert_eq!(states(&answer), json!([[2, 2, 1, 1], [0, 1, 2, 1], [0, 0, 0, 0], [0, 0, 0, 2]]));
}

#[test]
fn what_has_not_ended_is_provisional() {
    let answer = agreed(&players(), lifecycle(json!({"as_of": "2025-01-04T12:00:00Z"})));
    assert_eq!(answer["incomplete"], json!([false, false, true, true]));
    // The 5th knows nothing yet but that a has not come.
    assert_eq!(states(&answer), json!([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 2, 1]]));
}

#[test]
fn days_are_local_also_when_one_lasts_23_hours() {
    let mut w = world(&[
        ("2025-03-08T05:00:00Z", "x", "play", json!({})),
        ("2025-03-10T03:59:00Z", "x", "play", json!({})),
    ]);
    w.timezone = "America/New_York".into();
    let query =
        lifecycle(json!({"range": {"from": "2025-03-08", "to": "2025-03-10"}, "as_of": "2025-04-01"}));
    // The second play is still on the 9th, which ends at 04:00 UTC.
    assert_eq!(states(&agreed(&w, query)), json!([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]));
}

#[test]
fn the_microscope_names_who_went_silent() {
    let point = json!({"microscope": {"bucket": "2025-01-04", "state": "dormant"}});
    let answer = ask(&players(), lifecycle(point));
    let names: Vec<&Value> = answer["actors"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert_eq!(names, ["b", "c"]);
}
