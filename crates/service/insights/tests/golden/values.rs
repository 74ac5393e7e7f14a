//! Options about what values are: `empty_string`, `user_props`, `merge_props`, `segment_scope: "attribution"`, the
//! project's session timeout, `div_zero`.

use crate::cases::{agreed, at, world};
use serde_json::{Value, json};
use tallymark_model::{Lane, Position, PropertyOp, PropertyOpKind, Seq};
use tallymark_testkit::reference::{RefEvent, World};

const DAY: &str = "2025-01-01T";

fn chart(more: Value) -> Value {
    let mut query = json!({"type": "segmentation", "series": [{"event": "view", "measure": "totals"}],
        "range": {"from": "2025-01-01", "to": "2025-01-01"}, "as_of": "2025-02-01T00:00:00Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

/// (label, total) of every line.
fn lines(world: &World, query: Value) -> Value {
    let answer = agreed(world, query);
    answer["series"].as_array().unwrap().iter().map(|s| json!([s["breakdown"], s["total"]])).collect()
}

#[test]
fn empty_text_is_none_or_a_value() {
    let world = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({"colour": ""})),
        ("2025-01-01T10:01:00Z", "b", "view", json!({"colour": "red"})),
        ("2025-01-01T10:02:00Z", "c", "view", json!({"colour": ["", "red"]})),
        ("2025-01-01T10:03:00Z", "d", "view", json!({})),
    ]);
    let by = json!([{"property": "colour"}]);
    // a, d and the empty element of c's list are none; red is b's and c's.
    assert_eq!(lines(&world, chart(json!({"breakdown": by}))), json!([["(none)", 3], ["red", 2]]));
    // Kept apart: a and c have "", only d has nothing.
    let kept = chart(json!({"breakdown": by, "empty_string": "value"}));
    assert_eq!(lines(&world, kept), json!([["", 2], ["red", 2], ["(none)", 1]]));
    let total = |op: &str, value: Value, option: &str| {
        let segment = json!([{"property": "colour", "op": op, "value": value}]);
        lines(&world, chart(json!({"segment": segment, "empty_string": option})))[0][1].clone()
    };
    // Set: b and c, and with the option a. `is ""`: what is not set, a and d; with the option a and c carry it.
    assert_eq!(
        (total("is_set", Value::Null, "none"), total("is_set", Value::Null, "value")),
        (json!(2), json!(3))
    );
    assert_eq!((total("is", json!(""), "none"), total("is", json!(""), "value")), (json!(2), json!(2)));
    assert_eq!(
        (total("is_not", json!(""), "none"), total("is_not", json!(""), "value")),
        (json!(2), json!(2))
    );
    // Whose value: nobody without one, or an actor called "" (a), red (b), and what c's list reads.
    let count = |option: &str| {
        let mut query = chart(json!({"count_by": "event.colour", "empty_string": option}));
        query["series"][0]["measure"] = json!("uniques");
        lines(&world, query)[0][1].clone()
    };
    assert_eq!((count("none"), count("value")), (json!(2), json!(3)));
}

/// An event with a change of `plan`; received in the order of the list.
fn of(time: &str, user: &str, device: &str, name: &str, plan: Option<&str>) -> RefEvent {
    let id = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let set = |plan: &str| PropertyOp { kind: PropertyOpKind::Set, name: "plan".into(), value: json!(plan) };
    RefEvent {
        time: at(&format!("{DAY}{time}:00Z")),
        event: name.to_owned(),
        user_id: id(user),
        device_id: id(device),
        ops: plan.map(set).into_iter().collect(),
        ..RefEvent::default()
    }
}

fn log(events: Vec<RefEvent>) -> World {
    let place = |(i, e): (usize, RefEvent)| RefEvent {
        seq: Seq::new(
            at("2025-01-02T00:00:00Z") + i as i64,
            Position { lane: Lane::Live, partition: 0, offset: i as u64 },
        ),
        ..e
    };
    World { events: events.into_iter().enumerate().map(place).collect(), ..World::default() }
}

fn by_plan(world: &World, scope: &str, more: Value) -> Value {
    let mut query = chart(json!({"breakdown": [{"scope": scope, "property": "plan"}]}));
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    lines(world, query)
}

#[test]
fn user_properties_as_of_the_event_or_as_they_were_processed() {
    // What happened at nine arrived after the view of ten was processed.
    let late = log(vec![
        of("10:00", "u", "", "view", None),
        of("09:00", "u", "", "profile", Some("pro")),
        of("11:00", "u", "", "view", None),
    ]);
    assert_eq!(by_plan(&late, "user", json!({})), json!([["pro", 2]]));
    let frozen = json!({"user_props": "ingest_order"});
    assert_eq!(by_plan(&late, "user", frozen.clone()), json!([["(none)", 1], ["pro", 1]]));
    // What a person is now has no order of processing.
    assert_eq!(by_plan(&late, "person", frozen.clone()), json!([["pro", 2]]));
    // The anonymous view was processed before the merge, so it never saw the user's plan; the one after did.
    let merged = log(vec![
        of("09:00", "u", "", "profile", Some("pro")),
        of("10:00", "", "d", "view", None),
        of("11:00", "u", "d", "login", None),
        of("12:00", "", "d", "view", None),
    ]);
    assert_eq!(by_plan(&merged, "user", json!({})), json!([["pro", 2]]));
    assert_eq!(by_plan(&merged, "user", frozen), json!([["(none)", 1], ["pro", 1]]));
}

#[test]
fn on_a_merge_histories_interleave_or_the_target_wins() {
    // The device, nobody's yet, says free at ten; the user has been pro since nine.
    let conflict = log(vec![
        of("09:00", "u", "", "profile", Some("pro")),
        of("10:00", "", "d", "view", Some("free")),
        of("11:00", "u", "d", "login", None),
        of("12:00", "u", "", "view", None),
        of("13:00", "u", "", "view", Some("team")),
    ]);
    assert_eq!(by_plan(&conflict, "user", json!({})), json!([["free", 2], ["team", 1]]));
    let wins = json!({"merge_props": "target_wins"});
    // The device's value never was; what the user says after the merge counts as ever.
    assert_eq!(by_plan(&conflict, "user", wins.clone()), json!([["pro", 2], ["team", 1]]));
    // A value of the target counts that is later than the range, if it stood in the log when the two merged: the
    // device's was forgotten then, and at ten there was none.
    let mut later = of("14:00", "u", "", "profile", Some("team"));
    later.time += 86_400_000;
    let merged = log(vec![
        later,
        of("09:00", "", "d", "view", Some("free")),
        of("11:00", "u", "d", "login", None),
        of("12:00", "u", "", "view", None),
    ]);
    assert_eq!(by_plan(&merged, "user", json!({})), json!([["free", 2]]));
    assert_eq!(by_plan(&merged, "user", wins.clone()), json!([["(none)", 2]]));
    // Without a value of the target there is no conflict.
    let none = log(vec![
        of("10:00", "", "d", "view", Some("free")),
        of("09:00", "u", "", "profile", None),
        of("11:00", "u", "d", "login", None),
        of("12:00", "u", "", "view", None),
    ]);
    assert_eq!(by_plan(&none, "user", wins), json!([["free", 2]]));
}

#[test]
fn a_segment_may_be_tested_on_the_attempt() {
    let world = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:01:00Z", "a", "buy", json!({"utm": "ad"})),
        ("2025-01-01T10:00:00Z", "b", "view", json!({"utm": "mail"})),
        ("2025-01-01T10:01:00Z", "b", "buy", json!({"utm": "ad"})),
        ("2025-01-01T10:00:00Z", "c", "view", json!({"utm": "ad"})),
        ("2025-01-01T10:00:00Z", "d", "view", json!({})),
    ]);
    let counts = |scope: &str, op: &str| {
        let query = json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "window": {"n": 1, "unit": "hour"},
            "range": {"from": "2025-01-01", "to": "2025-01-01"}, "as_of": "2025-02-01T00:00:00Z",
            "segment": [{"property": "utm", "op": op, "value": "ad"}], "segment_scope": scope});
        agreed(&world, query)["counts"].clone()
    };
    // On step 1 only c carries it. On every step nobody but c, who has no second one.
    assert_eq!(counts("first", "is"), json!([1, 0]));
    assert_eq!(counts("all", "is"), json!([1, 0]));
    // First value along the attempt: a's is the purchase's, b's is the mail, c's the ad, d has none.
    assert_eq!(counts("attribution", "is"), json!([2, 1]));
    assert_eq!(counts("attribution", "is_not"), json!([2, 1]));
}

#[test]
fn a_project_says_how_long_a_pause_may_be() {
    let mut world = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:05:00Z", "a", "view", json!({})),
        ("2025-01-01T10:11:00Z", "a", "view", json!({})),
    ]);
    let sessions = |world: &World, more: Value| {
        let mut query = json!({"type": "sessions", "interval": "none", "range": {"from": "2025-01-01", "to": "2025-01-01"},
            "as_of": "2025-02-01T00:00:00Z"});
        more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        agreed(world, query)["total"]["sessions"].clone()
    };
    assert_eq!(sessions(&world, json!({})), 1);
    world.session_timeout_min = 5.0;
    // Five minutes do not end a session, six do; a query may know better.
    assert_eq!(sessions(&world, json!({})), 2);
    assert_eq!(sessions(&world, json!({"timeout_min": 6})), 1);
}

#[test]
fn nobody_entering_is_no_rate_or_zero() {
    let world = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:01:00Z", "a", "buy", json!({})),
    ]);
    let rates = |more: Value| {
        let mut query = json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "window": {"n": 1, "unit": "hour"},
            "range": {"from": "2025-01-01", "to": "2025-01-02"}, "as_of": "2025-02-01T00:00:00Z", "over_time": {"interval": "day"}});
        more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        agreed(&world, query)["rate"].clone()
    };
    // Nobody enters on the second day.
    assert_eq!(rates(json!({})), json!([1, null]));
    assert_eq!(rates(json!({"div_zero": 0})), json!([1, 0]));
}
