//! The worked examples of the insight semantics, computed by the reference: who judges the engine must agree
//! with the text first.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use tallymark_model::{IdentityAction, Lane, Position, PropertyOp, PropertyOpKind, Seq};
use tallymark_testkit::reference::{RefEvent, World, run, try_run};

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Events `(time, name, user)`; log order is the order given.
fn world(events: &[(&str, &str, &str)]) -> World {
    let one = |(i, (time, event, user)): (usize, &(&str, &str, &str))| RefEvent {
        time: ms(time),
        event: (*event).to_owned(),
        user_id: Some((*user).to_owned()),
        ..at(i)
    };
    World { events: events.iter().enumerate().map(one).collect(), ..World::default() }
}

fn at(i: usize) -> RefEvent {
    let position = Position { lane: Lane::Live, partition: 0, offset: i as u64 };
    RefEvent { seq: Seq::new(1000, position), ..RefEvent::default() }
}

/// A funnel over one user's events at seconds after a day's noon.
fn funnel(events: &[(i64, &str)], steps: &[&str], more: Value) -> Value {
    let noon = ms("2025-05-01T12:00:00Z");
    let one = |(i, (s, event)): (usize, &(i64, &str))| RefEvent {
        time: noon + s * 1000,
        event: (*event).to_owned(),
        user_id: Some("u".into()),
        ..at(i)
    };
    let world = World { events: events.iter().enumerate().map(one).collect(), ..World::default() };
    let steps: Vec<Value> = steps.iter().map(|s| json!({"event": s})).collect();
    let mut query =
        json!({"type": "funnel", "steps": steps, "range": {"from": "2025-05-01", "to": "2025-05-01"}});
    more.as_object().unwrap().iter().for_each(|(k, v)| query[k] = v.clone());
    run(&world, &query)
}

#[test]
fn funnels_of_chapter_3() {
    let none = || json!({});
    let counts = |events: &[(i64, &str)], steps: &[&str], more| funnel(events, steps, more)["counts"].clone();
    assert_eq!(counts(&[(0, "A"), (1, "B"), (2, "B"), (3, "C")], &["A", "B", "C"], none()), json!([1, 1, 1]));
    assert_eq!(
        counts(&[(0, "A")], &["A", "A"], none()),
        json!([1, 0]),
        "two identical steps need two events"
    );
    assert_eq!(counts(&[(0, "A")], &["A", "*"], none()), json!([1, 0]), "one event never fills two steps");
    assert_eq!(counts(&[(0, "B"), (0, "A")], &["A", "B"], none()), json!([1, 1]), "either order in one ms");
    assert_eq!(counts(&[(0, "B"), (0, "A")], &["A", "B"], json!({"strict_increase": true})), json!([1, 0]));
    assert_eq!(counts(&[(0, "B"), (1, "A")], &["A", "B"], none()), json!([1, 0]));
    assert_eq!(counts(&[(0, "B"), (1, "A")], &["A", "B"], json!({"tie_tolerance_ms": 1000})), json!([1, 1]));

    // The window is measured from step 1, inclusive.
    let two_days = [(0, "A"), (86_399, "B"), (86_400, "C")];
    assert_eq!(counts(&two_days, &["A", "B", "C"], none()), json!([1, 1, 1]));
    let late = [(0, "A"), (86_399, "B"), (86_401, "C")];
    assert_eq!(counts(&late, &["A", "B", "C"], none()), json!([1, 1, 0]));

    // At one time, the candidate that lets the attempt go deepest.
    let tie = [(0, "A"), (5, "B"), (5, "C"), (5, "B")];
    assert_eq!(counts(&tie, &["A", "*", "*", "*"], none()), json!([1, 1, 1, 1]));
    assert_eq!(counts(&[(0, "A"), (5, "C"), (5, "B")], &["A", "*", "C"], none()), json!([1, 1, 1]));
}

#[test]
fn attempts_and_times_of_chapter_3() {
    let events = [(0, "A"), (10, "A"), (12, "B"), (20, "A"), (21, "B")];
    let total = |attempt: &str| {
        let answer = funnel(&events, &["A", "B"], json!({"attempt": attempt, "percentiles": [90]}));
        assert_eq!(answer["counts"], json!([1, 1]));
        assert_eq!(answer["step_times"][0], Value::Null);
        assert_eq!(answer["step_times"][1]["avg_s"], answer["total_time"]["p90_s"]);
        answer["total_time"]["median_s"].clone()
    };
    assert_eq!(total("best"), json!(12.0), "the earliest entry");
    assert_eq!(total("first_entry"), json!(12.0));
    assert_eq!(total("tightest"), json!(2.0), "the earliest completion, then the latest entry");
    let deeper = [(0, "A"), (90_000, "A"), (90_001, "B")];
    let range = json!({"from": "2025-05-01", "to": "2025-05-03"});
    let by = |attempt: &str| {
        funnel(&deeper, &["A", "B"], json!({"attempt": attempt, "range": range}))["counts"].clone()
    };
    assert_eq!(by("best"), json!([1, 1]));
    assert_eq!(by("first_entry"), json!([1, 0]));
}

#[test]
fn totals_of_chapter_3_8() {
    let totals =
        |events: &[(i64, &str)]| funnel(events, &["V", "R"], json!({"count": "totals"}))["counts"].clone();
    assert_eq!(totals(&[(0, "V"), (1, "V"), (2, "R")]), json!([1, 1]));
    assert_eq!(totals(&[(0, "V"), (1, "R"), (2, "V"), (3, "R")]), json!([2, 2]));
    assert_eq!(totals(&[(0, "V"), (1, "V")]), json!([1, 0]));
    // exclusions_of_chapter_3_8: "V V V R with V excluded between 1 and 2 = 2 entries, 1 conversion".
    let excluded = json!({"count": "totals", "exclusions": [{"event": "V", "from": 1, "to": 2}]});
    let events = [(0, "V"), (1, "V"), (2, "V"), (3, "R")];
    assert_eq!(funnel(&events, &["V", "R"], excluded)["counts"], json!([2, 1]));
}

#[test]
fn exact_order_of_chapter_3_4() {
    let exact = |events: &[(i64, &str)], steps: &[&str]| {
        funnel(events, steps, json!({"order": "exact_order"}))["counts"].clone()
    };
    assert_eq!(exact(&[(0, "A"), (1, "B"), (2, "B"), (3, "C")], &["A", "B", "C"]), json!([1, 1, 0]));
    assert_eq!(exact(&[(0, "A"), (1, "A"), (2, "B")], &["A", "B"]), json!([1, 1]), "from the second A");
}

fn retention(events: &[(&str, &str, &str)], more: Value) -> Value {
    let mut query = json!({"type": "retention", "start": {"event": "S"}, "return": {"event": "R"},
        "as_of": "2025-12-01T00:00:00Z", "range": {"from": "2025-01-01", "to": "2025-01-31"}});
    more.as_object().unwrap().iter().for_each(|(k, v)| query[k] = v.clone());
    run(&world(events), &query)
}

#[test]
fn offsets_of_chapter_4() {
    let row = |answer: &Value, cohort: &str| {
        let rows = answer["cohorts"].as_array().unwrap().clone();
        rows.into_iter().find(|r| r["cohort"] == cohort).unwrap()["values"].clone()
    };
    // Exactly 24 h later is Day 1 when rolling; 23 h later is Day 1 of the calendar.
    let events = [
        ("2025-01-10T20:00:00Z", "S", "a"),
        ("2025-01-11T19:00:00Z", "R", "a"),
        ("2025-01-12T20:00:00Z", "R", "a"),
    ];
    let day = |mode: &str| retention(&events, json!({"interval": "day", "periods": 2, "mode": mode}));
    assert_eq!(row(&day("calendar"), "2025-01-10"), json!([1, 1, 1]));
    assert_eq!(row(&day("rolling"), "2025-01-10"), json!([1, 0, 1]));
    let exactly = [("2025-01-10T20:00:00Z", "S", "a"), ("2025-01-11T20:00:00Z", "R", "a")];
    let answer = retention(&exactly, json!({"interval": "day", "periods": 1, "mode": "rolling"}));
    assert_eq!(row(&answer, "2025-01-10"), json!([1, 1]));
    // 31 Jan -> 1 Feb is Month 1 of the calendar, Month 0 rolling; -> 2 Mar is rolling Month 1.
    let months = [
        ("2025-01-31T00:00:00Z", "S", "a"),
        ("2025-02-01T00:00:00Z", "R", "a"),
        ("2025-03-02T00:00:00Z", "R", "a"),
    ];
    let month = |mode: &str| {
        let more = json!({"interval": "month", "periods": 2, "mode": mode, "day0": "returned"});
        row(&retention(&months, more), "2025-01-01")
    };
    assert_eq!(month("calendar"), json!([0, 1, 1]));
    assert_eq!(month("rolling"), json!([1, 1, 0]));
}

#[test]
fn cells_begin_and_complete_by_as_of() {
    let events = [
        ("2025-01-01T00:00:00Z", "S", "a"),
        ("2025-01-02T00:00:00Z", "S", "b"),
        ("2025-01-02T01:00:00Z", "R", "a"),
    ];
    let answer = retention(
        &events,
        json!({"interval": "day", "periods": 2, "as_of": "2025-01-03T12:00:00Z", "range": {"from": "2025-01-01", "to": "2025-01-02"}}),
    );
    assert_eq!(answer["cohorts"][0]["values"], json!([1, 1, 0]));
    assert_eq!(answer["cohorts"][0]["complete"], json!([true, true, false]));
    assert_eq!(answer["cohorts"][1]["values"], json!([1, 0, null]));
    assert_eq!(answer["overall"], json!([1.0, 1.0, null]));
}

fn with_properties(events: &[(&str, &str, Value)]) -> World {
    let mut world = world(&events.iter().map(|(t, u, _)| (*t, "e", *u)).collect::<Vec<_>>());
    for (event, (_, _, properties)) in world.events.iter_mut().zip(events) {
        event.properties = properties.as_object().unwrap().clone();
    }
    world
}

fn segmentation(world: &World, series: Value, more: Value) -> Value {
    let mut query = json!({"type": "segmentation", "series": [series], "interval": "day",
        "range": {"from": "2025-05-01", "to": "2025-05-02"}});
    more.as_object().unwrap().iter().for_each(|(k, v)| query[k] = v.clone());
    run(world, &query)
}

#[test]
fn totals_of_uniques_are_distinct_over_the_range() {
    let world = world(&[
        ("2025-05-01T01:00:00Z", "e", "a"),
        ("2025-05-02T01:00:00Z", "e", "a"),
        ("2025-05-02T01:00:00Z", "e", "b"),
    ]);
    let answer = segmentation(&world, json!({"event": "e"}), json!({}));
    assert_eq!(answer["series"], json!([{"key": "A", "values": [1, 2], "total": 2}]));
    assert_eq!(answer["buckets"], json!(["2025-05-01", "2025-05-02"]));
}

#[test]
fn breakdowns_rank_pool_and_split_lists() {
    let day = "2025-05-01T01:00:00Z";
    let world = with_properties(&[
        (day, "a", json!({"t": ["x", "y", "x"], "n": 5})),
        (day, "a", json!({"t": "z", "n": 10})),
        (day, "b", json!({"t": "x", "n": "25"})),
        (day, "c", json!({"t": "w", "n": 20})),
        (day, "c", json!({"n": "many"})),
    ]);
    let rows = |answer: Value| -> Vec<Value> {
        let list = answer["series"].as_array().unwrap().clone();
        list.into_iter().map(|r| json!([r["breakdown"], r["total"]])).collect()
    };
    let by_t = json!([{"scope": "event", "property": "t"}]);
    let all = rows(segmentation(&world, json!({"event": "e"}), json!({"breakdown": by_t})));
    assert_eq!(json!(all), json!([["x", 2], ["(none)", 1], ["w", 1], ["y", 1], ["z", 1]]));
    let top = rows(segmentation(&world, json!({"event": "e"}), json!({"breakdown": by_t, "limit": 1})));
    assert_eq!(json!(top), json!([["x", 2], ["$other", 2]]), "distinct actors of the rest together");
    let bins = json!([{"scope": "event", "property": "n", "bins": [10, 20]}]);
    let binned =
        rows(segmentation(&world, json!({"event": "e", "measure": "totals"}), json!({"breakdown": bins})));
    assert_eq!(json!(binned), json!([[">= 20", 2], ["(none)", 1], ["< 10", 1], ["[10, 20)", 1]]));
}

#[test]
fn measures_ignore_what_is_not_a_number() {
    let day = "2025-05-01T01:00:00Z";
    let world = with_properties(&[
        (day, "a", json!({"n": 1})),
        (day, "a", json!({"n": "3.5"})),
        (day, "b", json!({"n": true})),
        (day, "b", json!({"n": 10})),
    ]);
    let total = |measure: &str| {
        segmentation(&world, json!({"event": "e", "measure": measure, "property": "n"}), json!({}))["series"]
            [0]["total"]
            .clone()
    };
    assert_eq!(total("sum"), json!(14.5));
    assert_eq!(total("avg"), json!(14.5 / 3.0));
    assert_eq!(total("median"), json!(3.5));
    assert_eq!(total("p90"), json!(3.5 + (10.0 - 3.5) * 0.8));
    assert_eq!(total("distinct"), json!(4));
    assert_eq!(total("average"), json!(2.0));
    let empty = segmentation(&world, json!({"event": "none", "measure": "avg", "property": "n"}), json!({}));
    assert_eq!(empty["series"][0]["total"], Value::Null);
}

#[test]
fn user_properties_are_those_of_the_event_s_time() {
    let mut world = world(&[
        ("2025-05-01T01:00:00Z", "e", "a"),
        ("2025-05-02T01:00:00Z", "e", "a"),
        // Arrives last, happened between the two.
        ("2025-05-01T12:00:00Z", "$identify", "a"),
    ]);
    let set = PropertyOp { kind: PropertyOpKind::Set, name: "plan".into(), value: json!("pro") };
    world.events[2].ops = vec![set];
    let pro = |scope: &str| {
        let condition = json!([{"scope": scope, "property": "plan", "op": "is", "value": "pro"}]);
        segmentation(&world, json!({"event": "e"}), json!({"segment": condition}))["series"][0]["values"]
            .clone()
    };
    assert_eq!(pro("user"), json!([0, 1]));
    assert_eq!(pro("person"), json!([1, 1]));
}

#[test]
fn empty_text_that_is_a_value_is_nobody_else() {
    let events =
        [("2025-05-01T00:00:00Z", "a", json!({})), ("2025-05-02T00:00:00Z", "a", json!({"colour": ""}))];
    let first = json!({"event": "e", "nth": 1});
    // The first event of the actor "" is the second of all: the one before it is nobody's.
    let more = json!({"count_by": "event.colour", "empty_string": "value"});
    assert_eq!(segmentation(&with_properties(&events), first, more)["series"][0]["values"], json!([0, 1]));
    // A cohort in the query is part of it: who has no plan has not the plan "".
    let free = json!({"not": {"scope": "user", "property": "plan", "op": "is", "value": ""}});
    let count = |more: Value| {
        let mut query = json!({"segment": [{"cohort": free}]});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        segmentation(&with_properties(&events), json!({"event": "e"}), query)["series"][0]["total"].clone()
    };
    assert_eq!((count(json!({})), count(json!({"empty_string": "value"}))), (json!(0), json!(1)));
}

#[test]
fn anonymous_history_becomes_the_users_and_duplicates_count_once() {
    let mut world = world(&[
        ("2025-05-01T01:00:00Z", "e", ""),
        ("2025-05-01T02:00:00Z", "e", "u"),
        ("2025-05-01T02:00:00Z", "e", "u"),
    ]);
    world.events[0].user_id = None;
    world.events.iter_mut().for_each(|e| e.device_id = Some("d".into()));
    world.events[1].insert_id = Some("i".into());
    world.events[2].insert_id = Some("i".into());
    let total = |measure: &str| {
        segmentation(&world, json!({"event": "e", "measure": measure}), json!({}))["series"][0]["total"]
            .clone()
    };
    assert_eq!(total("uniques"), json!(1));
    assert_eq!(total("totals"), json!(2));
    world.events[1].action = IdentityAction::Reset;
    world.events[1].event = "$reset".into();
    world.events[1].user_id = None;
    world.events[2].insert_id = None;
    let uniques = segmentation(&world, json!({"event": "e"}), json!({}))["series"][0]["total"].clone();
    assert_eq!(uniques, json!(2), "the device was freed in between");
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    let query = json!({"type": "funnel", "steps": [{"event": "a"}], "range": {"last": 1, "unit": "day"}, "holds": []});
    assert!(try_run(&World::default(), &query).unwrap_err().contains("`holds`"));
    assert!(
        try_run(&World::default(), &json!({"type": "chart", "range": {"last": 1, "unit": "day"}})).is_err()
    );
}
