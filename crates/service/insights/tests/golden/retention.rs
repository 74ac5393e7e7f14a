//! Retention: each option of chapter 4 with a person or two.

use crate::cases::{agreed, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

/// Each line is a person and what it did at noon, one token a day from 1 January: `S` starts, `R` returns, `R=5` with
/// an amount, `S,R` both in this order an hour apart, `.` nothing.
fn people(lines: &[(&str, &str)]) -> World {
    let mut events = Vec::new();
    for (user, line) in lines {
        for (day, tokens) in line.split_whitespace().enumerate() {
            for (hour, token) in tokens.split(',').enumerate().filter(|(_, t)| *t != ".") {
                let (name, amount) = token.split_once('=').unwrap_or((token, ""));
                let properties = amount.parse::<f64>().map_or(json!({}), |n| json!({"amount": n}));
                let time = format!("2025-01-{:02}T{:02}:00:00Z", day + 1, 12 + hour);
                events.push((time, *user, name.to_owned(), properties));
            }
        }
    }
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let borrowed: Vec<(&str, &str, &str, Value)> =
        events.iter().map(|(t, u, n, p)| (t.as_str(), *u, n.as_str(), p.clone())).collect();
    world(&borrowed)
}

fn query(more: Value) -> Value {
    let mut query = json!({"type": "retention", "start": {"event": "S"}, "return": {"event": "R"}, "periods": 3,
        "range": {"from": "2025-01-01", "to": "2025-01-02"}, "as_of": "2025-03-01T00:00:00Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

/// Values of the first cohort.
fn first(lines: &[(&str, &str)], more: Value) -> Value {
    agreed(&people(lines), query(more))["cohorts"][0]["values"].clone()
}

#[test]
fn kinds_of_returning() {
    let line = [("p", "S R R . R"), ("q", "S . R")];
    let kind = |kind: &str, more: Value| {
        let mut all = json!({"kind": kind, "periods": 4});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        first(&line, all)
    };
    assert_eq!(kind("on", json!({})), json!([2, 1, 2, 0, 1]));
    assert_eq!(kind("on_or_after", json!({})), json!([2, 2, 2, 1, 1]));
    // Up to day k; day 1 for p, day 2 for both.
    assert_eq!(kind("on_or_before", json!({})), json!([2, 1, 2, 2, 2]));
    // p was there on days 1 and 2, then missed one; q missed day 1.
    assert_eq!(kind("streak", json!({})), json!([2, 1, 1, 0, 0]));
    // [0,0] is the size; days 1 to 2: both; 3 to 4: p.
    assert_eq!(kind("bracket", json!({"brackets": [[0, 0], [1, 2], [3, 4]]})), json!([2, 2, 1]));
}

#[test]
fn two_returns_are_asked_of_an_offset_a_bracket_or_each_bucket() {
    let line = [("p", "S R,R R R,R")];
    let two = |kind: &str, more: Value| {
        let mut all = json!({"kind": kind, "min_returns": 2});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        first(&line, all)
    };
    assert_eq!(two("on", json!({})), json!([1, 1, 0, 1]));
    // Inside one single offset: day 3 has two.
    assert_eq!(two("on_or_after", json!({})), json!([1, 1, 1, 1]));
    assert_eq!(two("streak", json!({})), json!([1, 1, 0, 0]));
    // A bracket sums: one on day 2 is not enough, days 2 and 3 together are.
    assert_eq!(two("bracket", json!({"brackets": [[2, 2], [2, 3]]})), json!([0, 1]));
}

#[test]
fn day_zero_is_the_size_or_who_came_back_at_once() {
    let line = [("p", "S,R"), ("q", "S")];
    assert_eq!(first(&line, json!({}))[0], 2);
    assert_eq!(first(&line, json!({"day0": "returned"}))[0], 1);
    let bracket = json!({"kind": "bracket", "brackets": [[0, 0], [0, 1]], "day0": "returned"});
    assert_eq!(first(&line, bracket), json!([1, 1]));
}

#[test]
fn rolling_days_are_elapsed_and_may_be_rounded_to_the_hour() {
    let w = world(&[
        ("2025-01-01T10:40:00Z", "p", "S", json!({})),
        ("2025-01-02T10:20:00Z", "p", "R", json!({})),
    ]);
    let at = |more: Value| {
        let mut all = json!({"mode": "rolling", "day0": "returned"});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        agreed(&w, query(all))["cohorts"][0]["values"].clone()
    };
    // 23 h 40 min are day 0; from 10 to 10 o'clock is a whole day.
    assert_eq!(at(json!({})), json!([1, 0, 0, 0]));
    assert_eq!(at(json!({"rolling_round": "hour"})), json!([0, 1, 0, 0]));
}

#[test]
fn every_start_of_a_rolling_cohort_opens_windows_and_a_return_is_summed_once() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "p", "S", json!({})),
        ("2025-01-01T02:00:00Z", "p", "S", json!({})),
        ("2025-01-02T03:00:00Z", "p", "R", json!({"amount": 5})),
    ]);
    let more = json!({"mode": "rolling", "measure": {"sum": "amount"}});
    // Day 1 after both starts, but one return of 5.
    assert_eq!(agreed(&w, query(more))["cohorts"][0]["values"], json!([0, 5, 0, 0]));
}

#[test]
fn measures_sum_a_property_of_the_returns() {
    let line = [("p", "S R=5 R=2"), ("q", "S,R=4 R=1")];
    let measured = |more: Value| {
        let mut all = json!({"periods": 2});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        agreed(&people(&line), query(all))
    };
    let sum = measured(json!({"measure": {"sum": "amount"}}));
    assert_eq!(sum["cohorts"][0]["values"], json!([4, 6, 2]));
    assert_eq!(sum["overall"], json!([2, 3, 1]));
    // Two members.
    assert_eq!(measured(json!({"measure": {"avg": "amount"}}))["cohorts"][0]["values"], json!([2, 3, 1]));
    // Value of life up to day k.
    let ltv = measured(json!({"measure": {"sum": "amount"}, "kind": "on_or_before"}));
    assert_eq!(ltv["cohorts"][0]["values"], json!([4, 10, 12]));
}

#[test]
fn overall_lines_weigh_cohorts_or_count_people_once() {
    // p starts on both days and returns the day after each; q starts on the second and never returns.
    let line = [("p", "S S,R R"), ("q", ". S")];
    let overall = |overall: &str| {
        agreed(&people(&line), query(json!({"overall": overall, "periods": 1})))["overall"].clone()
    };
    // Pairs of member and cohort: p twice, q once; two of three returned.
    assert_eq!(overall("weighted"), json!([1, 2.0 / 3.0]));
    assert_eq!(overall("dedup_actors"), json!([1, 0.5]));
}

#[test]
fn which_start_makes_a_cohort() {
    let w = world(&[
        ("2024-12-01T12:00:00Z", "old", "S", json!({})),
        ("2025-01-01T12:00:00Z", "old", "S", json!({})),
        ("2025-01-01T12:00:00Z", "new", "S", json!({})),
        ("2025-01-02T12:00:00Z", "new", "S", json!({})),
    ]);
    let sizes = |by: &str| {
        let answer = agreed(&w, query(json!({"cohort_by": by})));
        json!([answer["cohorts"][0]["size"], answer["cohorts"][1]["size"]])
    };
    assert_eq!(sizes("any"), json!([2, 1]));
    assert_eq!(sizes("first_in_range"), json!([2, 0]));
    assert_eq!(sizes("first_time"), json!([1, 0]));
}

#[test]
fn months_clamp_and_rolling_months_are_thirty_days() {
    let w = world(&[
        ("2025-01-31T00:00:00Z", "p", "S", json!({})),
        ("2025-02-01T00:00:00Z", "p", "R", json!({})),
        ("2025-03-02T00:00:00Z", "p", "R", json!({})),
    ]);
    let values = |mode: &str| {
        let more = json!({"mode": mode, "interval": "month", "periods": 2, "day0": "returned",
            "range": {"from": "2025-01-01", "to": "2025-01-31"}, "as_of": "2025-12-01T00:00:00Z"});
        agreed(&w, query(more))["cohorts"][0]["values"].clone()
    };
    assert_eq!(values("calendar"), json!([0, 1, 1]));
    assert_eq!(values("rolling"), json!([1, 1, 0]));
}

#[test]
fn a_day_of_25_hours_is_one_day_of_the_calendar() {
    let mut w = world(&[
        ("2025-11-02T04:30:00Z", "p", "S", json!({})),
        ("2025-11-03T04:45:00Z", "p", "R", json!({})),
        ("2025-11-03T05:15:00Z", "p", "R", json!({})),
    ]);
    w.timezone = "America/New_York".into();
    let values = |mode: &str| {
        let more = json!({"mode": mode, "periods": 1, "day0": "returned", "min_returns": 2, "kind": "bracket",
            "brackets": [[0, 0], [0, 1], [1, 1]], "range": {"from": "2025-11-02", "to": "2025-11-02"},
            "as_of": "2025-12-01T00:00:00Z"});
        agreed(&w, query(more))["cohorts"][0]["values"].clone()
    };
    // 23:45 of the long day belongs to it; half past midnight does not. By the clock both are day 1.
    assert_eq!(values("calendar"), json!([0, 1, 0]));
    assert_eq!(values("rolling"), json!([0, 1, 1]));
}

#[test]
fn groups_by_the_starts_value_and_the_rest() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "p", "S", json!({"c": "x"})),
        ("2025-01-01T01:00:00Z", "q", "S", json!({"c": ["x", "y"]})),
        ("2025-01-01T01:00:00Z", "r", "S", json!({})),
        ("2025-01-02T01:00:00Z", "q", "R", json!({})),
    ]);
    for kind in ["on", "streak"] {
        let more = json!({"breakdown": [{"property": "c"}], "limit": 1, "kind": kind, "periods": 1});
        let answer = agreed(&w, query(more));
        let row = |i: usize| {
            (answer["groups"][i]["breakdown"].clone(), answer["groups"][i]["cohorts"][0]["values"].clone())
        };
        // x: p and q. The rest is y (q) and none (r).
        assert_eq!((row(0), row(1)), ((json!("x"), json!([2, 1])), (json!("$other"), json!([2, 1]))));
    }
}

#[test]
fn streaks_begin_with_their_last_bucket_and_value_of_life_at_once() {
    let line = [("p", "S R=1")];
    let values = |kind: &str, more: Value| {
        let mut all = json!({"kind": kind, "as_of": "2025-01-02T18:00:00Z",
            "range": {"from": "2025-01-01", "to": "2025-01-01"}});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        let answer = agreed(&people(&line), query(all));
        (answer["cohorts"][0]["values"].clone(), answer["cohorts"][0]["complete"].clone())
    };
    assert_eq!(values("streak", json!({})), (json!([1, 1, null, null]), json!([true, false, false, false])));
    let ltv = values("on_or_before", json!({"measure": {"sum": "amount"}}));
    assert_eq!(ltv, (json!([0, 1, 1, 1]), json!([true, false, false, false])));
}

#[test]
fn days_between_active_days() {
    // p: gaps of 1 and 3 days, median 2; q: one day only; r: a gap of 1.
    let lines = [("p", "S S . . S"), ("q", "S,S"), ("r", "S S")];
    let more = json!({"kind": "usage_interval", "return": null, "range": {"from": "2025-01-01", "to": "2025-01-10"}});
    let answer = agreed(&people(&lines), query(more.clone()));
    assert_eq!((&answer["actors"], &answer["median_days"]), (&json!(2), &json!(1.5)));
    assert_eq!((&answer["counts"], &answer["share"]), (&json!([1, 2, 2]), &json!([0.5, 1, 1])));
    let mut who = query(more);
    who["microscope"] = json!({"days": 1});
    let crowd = run(&engine(&people(&lines), Layout::FRESH), &who).unwrap();
    assert_eq!((&crowd["size"], &crowd["actors"][0]["name"]), (&json!(1), &json!("r")));
}

#[test]
fn who_is_behind_a_cell() {
    let w = people(&[("p", "S R"), ("q", "S"), ("r", ". S")]);
    let names = |point: Value| {
        let mut query = query(json!({}));
        query["microscope"] = point;
        let answer = run(&engine(&w, Layout::MIXED), &query).unwrap();
        let actors = answer["actors"].as_array().unwrap().iter();
        actors.map(|a| a["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let cell = |period: u32, state: &str| json!({"cohort": "2025-01-01", "period": period, "state": state});
    assert_eq!(names(cell(0, "returned")), "p q");
    assert_eq!(names(cell(1, "returned")), "p");
    assert_eq!(names(cell(1, "not")), "q");
    assert_eq!(names(json!({"cohort": "2025-01-02", "state": "started"})), "r");
}

#[test]
fn segments_hold_for_starts_or_for_both_sides() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "p", "S", json!({"c": "x"})),
        ("2025-01-02T01:00:00Z", "p", "R", json!({})),
    ]);
    let segment = json!([{"property": "c", "op": "is", "value": "x"}]);
    let values = |scope: &str| {
        let more = json!({"segment": segment, "segment_scope": scope, "periods": 1});
        agreed(&w, query(more))["cohorts"][0]["values"].clone()
    };
    assert_eq!((values("first"), values("all")), (json!([1, 1]), json!([1, 0])));
}
