//! The three great types.

use crate::cases::{ask, at, world};
use crate::support::{self, Layout, run};
use serde_json::{Value, json};
use tallymark_model::{IdentityAction, PropertyOp, PropertyOpKind};
use tallymark_testkit::reference::World;

fn segmentation(series: Value, more: Value) -> Value {
    let mut query = json!({"type": "segmentation", "series": series, "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-01", "to": "2025-01-03"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

#[test]
fn a_total_is_not_the_sum_of_the_days() {
    let w = world(&[
        ("2025-01-01T00:00:00Z", "a", "play", json!({})),
        ("2025-01-01T23:59:59.999Z", "b", "play", json!({})),
        ("2025-01-02T00:00:00Z", "a", "play", json!({})),
        ("2025-01-03T12:00:00Z", "a", "play", json!({})),
        ("2025-01-03T12:00:00Z", "", "play", json!({})),
        ("2025-01-03T12:00:00Z", "a", "$set", json!({})),
        ("2025-01-04T00:00:00Z", "c", "play", json!({})),
        ("2024-12-31T23:59:59.999Z", "c", "play", json!({})),
    ]);
    let series = json!([{"event": "play"}, {"event": "play", "measure": "totals"}, {"event": "*", "measure": "average"}]);
    let answer = ask(&w, segmentation(series, json!({})));
    assert_eq!(answer["buckets"], json!(["2025-01-01", "2025-01-02", "2025-01-03"]));
    assert_eq!(answer["incomplete"], json!([false, false, false]));
    let line = |i: usize| (answer["series"][i]["values"].clone(), answer["series"][i]["total"].clone());
    assert_eq!(line(0), (json!([2, 1, 1]), json!(2)));
    // Nobody's event counts in totals and in nothing per actor; operations count nowhere.
    assert_eq!(line(1), (json!([2, 1, 2]), json!(5)));
    assert_eq!(line(2), (json!([1, 1, 1]), json!(2)));
    assert_eq!(answer["as_of"], "2025-02-01T00:00:00.000Z");
    assert_eq!(answer["definition_hash"].as_str().unwrap().len(), 64);
}

#[test]
fn the_rest_of_a_breakdown_is_counted_from_events() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "a", "play", json!({"tags": ["x", "y", "z", "x"]})),
        ("2025-01-01T02:00:00Z", "b", "play", json!({"tags": ["x", "y"]})),
        ("2025-01-01T03:00:00Z", "c", "play", json!({"tags": "x"})),
        ("2025-01-01T04:00:00Z", "a", "play", json!({"tags": []})),
        ("2025-01-01T05:00:00Z", "d", "play", json!({"tags": ""})),
    ]);
    let more = json!({"breakdown": [{"property": "tags"}], "limit": 1, "interval": "none"});
    let rows = |measure: &str, more: &Value| {
        let answer = ask(&w, segmentation(json!([{"event": "play", "measure": measure}]), more.clone()));
        let row = |r: &Value| (r["breakdown"].as_str().unwrap().to_owned(), r["total"].as_i64().unwrap());
        answer["series"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let named = |rows: &[(&str, i64)]| rows.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect::<Vec<_>>();
    // x: a, b, c. The rest is y (a, b), z (a) and none (a, d): three people, and four events of which the first
    // is in both y and z but counts once.
    assert_eq!(rows("uniques", &more), named(&[("x", 3), ("$other", 3)]));
    assert_eq!(rows("totals", &more), named(&[("x", 3), ("$other", 4)]));
    // Ties go by label; `(none)` is a value like any other.
    let all = json!({"breakdown": [{"property": "tags"}], "interval": "none"});
    assert_eq!(rows("totals", &all), named(&[("x", 3), ("(none)", 2), ("y", 2), ("z", 1)]));
    let dropped =
        json!({"breakdown": [{"property": "tags"}], "limit": 1, "interval": "none", "other": false});
    assert_eq!(rows("totals", &dropped), named(&[("x", 3)]));
}

#[test]
fn measures_of_a_property() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "a", "buy", json!({"v": 1.5, "l": ["p", "q"]})),
        ("2025-01-01T02:00:00Z", "a", "buy", json!({"v": "2.5", "l": ["q", ""]})),
        ("2025-01-01T03:00:00Z", "b", "buy", json!({"v": "many", "l": 7})),
        ("2025-01-01T04:00:00Z", "b", "buy", json!({"v": true, "l": "7"})),
        ("2025-01-02T04:00:00Z", "b", "buy", json!({"v": 10})),
    ]);
    let measures = ["sum", "avg", "min", "max", "median", "p25", "distinct"];
    let series: Vec<Value> = measures
        .iter()
        .map(|m| json!({"event": "buy", "measure": m, "property": if *m == "distinct" { "l" } else { "v" }}))
        .collect();
    let answer = ask(&w, segmentation(json!(series), json!({})));
    let line = |i: usize| (answer["series"][i]["values"].clone(), answer["series"][i]["total"].clone());
    assert_eq!(line(0), (json!([4, 10, 0]), json!(14)));
    assert_eq!(line(1).0, json!([2, 10, null]));
    assert_eq!(line(2), (json!([1.5, 10, null]), json!(1.5)));
    assert_eq!(line(3), (json!([2.5, 10, null]), json!(10)));
    // 1.5, 2.5, 10: the middle, and a quarter of the way from the first to the second half.
    assert_eq!(line(4), (json!([2, 10, null]), json!(2.5)));
    assert_eq!(line(5), (json!([1.75, 10, null]), json!(2)));
    // p, q and 7: the number and the text are one value.
    assert_eq!(line(6), (json!([3, 0, 0]), json!(3)));
}

#[test]
fn the_end_of_summer_time_has_two_hours_of_one_name() {
    let mut w = world(&[
        ("2025-11-02T03:59:59.999Z", "a", "play", json!({})),
        ("2025-11-02T05:30:00Z", "a", "play", json!({})),
        ("2025-11-02T06:30:00Z", "a", "play", json!({})),
        ("2025-11-03T04:59:59.999Z", "a", "play", json!({})),
        ("2025-11-03T05:00:00Z", "a", "play", json!({})),
    ]);
    w.timezone = "America/New_York".into();
    let query = |interval: &str| {
        json!({"type": "segmentation", "series": [{"event": "play", "measure": "totals"}], "interval": interval,
               "range": {"from": "2025-11-02", "to": "2025-11-02"}, "as_of": "2025-12-01T00:00:00Z"})
    };
    let days = ask(&w, query("day"));
    assert_eq!((&days["buckets"], &days["series"][0]["values"]), (&json!(["2025-11-02"]), &json!([3])));
    let hours = ask(&w, query("hour"));
    let values = hours["series"][0]["values"].as_array().unwrap();
    assert_eq!((values.len(), &values[1], &values[2], &values[24]), (25, &json!(1), &json!(1), &json!(1)));
    assert_eq!(hours["buckets"][1], "2025-11-02T01:00-04:00");
    assert_eq!(hours["buckets"][2], "2025-11-02T01:00-05:00");
}

#[test]
fn formulas_divide_by_nothing_as_null() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "a", "view", json!({"c": "DE"})),
        ("2025-01-01T02:00:00Z", "b", "view", json!({"c": "DE"})),
        ("2025-01-01T03:00:00Z", "a", "buy", json!({"c": "DE"})),
        ("2025-01-02T03:00:00Z", "a", "buy", json!({"c": "US"})),
    ]);
    let series = json!([{"event": "buy"}, {"event": "view"}]);
    let answer = ask(&w, segmentation(series.clone(), json!({"formula": ["A / B"]})));
    assert_eq!(answer["series"][2], json!({"key": "A / B", "values": [0.5, null, null], "total": 0.5}));
    let answer = ask(
        &w,
        segmentation(
            series,
            json!({"formula": "B + 1", "interval": "none", "breakdown": [{"property": "c"}]}),
        ),
    );
    let rows: Vec<&Value> =
        answer["series"].as_array().unwrap().iter().filter(|r| r["key"] == "B + 1").collect();
    assert_eq!(rows[0], &json!({"key": "B + 1", "breakdown": "DE", "values": [], "total": 3}));
    // No view in US: that series counts 0 there.
    assert_eq!(rows[1], &json!({"key": "B + 1", "breakdown": "US", "values": [], "total": 1}));
}

#[test]
fn user_properties_are_read_as_of_the_event_and_person_properties_at_the_end() {
    let mut w = world(&[
        ("2025-01-01T01:00:00Z", "a", "play", json!({})),
        ("2025-01-01T02:00:00Z", "a", "play", json!({})),
        ("2025-01-01T03:00:00Z", "a", "play", json!({})),
        ("2025-01-01T04:00:00Z", "b", "play", json!({})),
    ]);
    let set = |kind, value: Value| vec![PropertyOp { kind, name: "plan".into(), value }];
    w.events[1].ops = set(PropertyOpKind::Set, json!("pro"));
    w.events[2].ops = set(PropertyOpKind::SetOnce, json!("never"));
    let by = |scope: &str| {
        let more = json!({"interval": "none", "breakdown": [{"scope": scope, "property": "plan"}]});
        let answer = ask(&w, segmentation(json!([{"event": "play", "measure": "totals"}]), more));
        answer["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| (r["breakdown"].clone(), r["total"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(by("user"), [(json!("(none)"), json!(2)), (json!("pro"), json!(2))]);
    assert_eq!(by("person"), [(json!("pro"), json!(3)), (json!("(none)"), json!(1))]);
    let filtered = |op: &str| {
        let more = json!({"interval": "none", "segment": [{"scope": "user", "property": "plan", "op": op, "value": "pro"}]});
        ask(&w, segmentation(json!([{"event": "play", "measure": "totals"}]), more))["series"][0]["total"]
            .clone()
    };
    assert_eq!((filtered("is"), filtered("is_not")), (json!(2), json!(2)));
}

#[test]
fn a_login_makes_the_past_of_the_device_the_users() {
    let mut w = world(&[
        ("2025-01-01T01:00:00Z", "", "view", json!({})),
        ("2025-01-01T02:00:00Z", "u", "buy", json!({})),
        ("2025-01-01T03:00:00Z", "v", "view", json!({})),
    ]);
    w.events[0].device_id = Some("d".into());
    w.events[1].device_id = Some("d".into());
    let funnel = json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-01", "to": "2025-01-01"}});
    assert_eq!(ask(&w, funnel.clone())["counts"], json!([2, 1]));
    // By device there is one actor, and it did both.
    let mut by_device = funnel;
    by_device["count_by"] = json!("device");
    assert_eq!(ask(&w, by_device)["counts"], json!([1, 1]));
}

fn funnel(w: &World, more: Value) -> Value {
    let mut query = json!({"type": "funnel", "steps": [{"event": "a"}, {"event": "b"}], "window": {"n": 1, "unit": "hour"},
        "as_of": "2025-02-01T00:00:00Z", "range": {"from": "2025-01-01", "to": "2025-01-01"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    ask(w, query)
}

#[test]
fn the_window_of_a_funnel_is_inclusive_and_may_leave_the_range() {
    let w = world(&[
        ("2025-01-01T23:30:00Z", "in", "a", json!({"c": "x"})),
        ("2025-01-02T00:30:00Z", "in", "b", json!({})),
        ("2025-01-01T10:00:00Z", "out", "a", json!({"c": "y"})),
        ("2025-01-01T11:00:00.001Z", "out", "b", json!({})),
        ("2025-01-01T12:00:00Z", "tie", "b", json!({})),
        ("2025-01-01T12:00:00Z", "tie", "a", json!({"c": ["x", "y"]})),
        ("2024-12-31T23:59:59.999Z", "early", "a", json!({})),
        ("2025-01-01T00:00:00Z", "early", "b", json!({})),
    ]);
    let answer = funnel(&w, json!({}));
    assert_eq!(answer["counts"], json!([3, 2]));
    // 3600 s and 0 s.
    assert_eq!(answer["step_times"], json!([null, {"avg_s": 1800, "median_s": 1800}]));
    assert_eq!(answer["total_time"], json!({"avg_s": 1800, "median_s": 1800}));
    assert_eq!(funnel(&w, json!({"confine_to_range": true}))["counts"], json!([3, 1]));
    assert_eq!(funnel(&w, json!({"strict_increase": true}))["counts"], json!([3, 1]));
    assert_eq!(funnel(&w, json!({"window": {"n": 2, "unit": "hour"}}))["counts"], json!([3, 3]));
    assert_eq!(funnel(&w, json!({"as_of": "2025-01-01T23:59:00Z"}))["counts"], json!([3, 1]));
    let groups = funnel(&w, json!({"breakdown": {"property": "c", "at": "step:1"}}))["groups"].clone();
    let row = |r: &Value| (r["breakdown"].clone(), r["counts"].clone());
    assert_eq!(
        groups.as_array().unwrap().iter().map(row).collect::<Vec<_>>(),
        [(json!("x"), json!([2, 2])), (json!("y"), json!([2, 1])),]
    );
    let rest = funnel(&w, json!({"breakdown": {"property": "c"}, "limit": 1}))["groups"].clone();
    assert_eq!(row(&rest[1]), (json!("$other"), json!([2, 1])));
}

#[test]
fn one_event_fills_one_step() {
    let w = world(&[
        ("2025-01-01T01:00:00Z", "p", "a", json!({})),
        ("2025-01-01T02:00:00Z", "q", "a", json!({})),
        ("2025-01-01T02:00:00Z", "q", "a", json!({})),
    ]);
    let counts = funnel(&w, json!({"steps": [{"event": "a"}, {"event": "*"}]}))["counts"].clone();
    assert_eq!(counts, json!([2, 1]));
}

#[test]
fn retention_cells_are_null_before_they_begin_and_incomplete_until_they_end() {
    let w = world(&[
        ("2025-01-01T10:00:00Z", "a", "start", json!({})),
        ("2025-01-02T09:00:00Z", "a", "back", json!({})),
        ("2025-01-02T12:00:00Z", "b", "start", json!({})),
        ("2025-01-03T06:00:00Z", "b", "back", json!({})),
        ("2025-01-03T07:00:00Z", "a", "back", json!({})),
    ]);
    let query = |mode: &str| {
        json!({"type": "retention", "start": {"event": "start"}, "return": {"event": "back"}, "mode": mode, "periods": 2,
            "range": {"from": "2025-01-01", "to": "2025-01-03"}, "as_of": "2025-01-03T08:00:00Z"})
    };
    let calendar = ask(&w, query("calendar"));
    assert_eq!(
        calendar["cohorts"],
        json!([
            {"cohort": "2025-01-01", "size": 1, "values": [1, 1, 1], "complete": [true, true, false]},
            {"cohort": "2025-01-02", "size": 1, "values": [1, 1, null], "complete": [true, false, false]},
            {"cohort": "2025-01-03", "size": 0, "values": [0, null, null], "complete": [false, false, false]},
        ])
    );
    assert_eq!(calendar["overall"], json!([1, 1, null]));
    // 23 h after the start is day 0, 45 h is day 1; a cell is complete when the last start's window has closed.
    let rolling = ask(&w, query("rolling"));
    assert_eq!(
        rolling["cohorts"][0],
        json!({"cohort": "2025-01-01", "size": 1, "values": [1, 1, 0], "complete": [true, false, false]})
    );
    assert_eq!(
        rolling["cohorts"][1],
        json!({"cohort": "2025-01-02", "size": 1, "values": [1, 0, null], "complete": [false, false, false]})
    );
}

#[test]
fn late_events_are_told() {
    let mut w = world(&[("2025-01-01T10:00:00Z", "a", "play", json!({}))]);
    let query = segmentation(json!([{"event": "play"}]), json!({}));
    assert_eq!(ask(&w, query.clone())["restated"], json!(false));
    w.events[0].seq.received_at = at("2025-01-02T00:00:00Z");
    assert_eq!(ask(&w, query.clone())["restated"], json!(true));
    let mut other = query;
    other["series"][0]["event"] = json!("pause");
    assert_eq!(ask(&w, other)["restated"], json!(false));
}

#[test]
fn what_was_not_processed_yet_makes_buckets_incomplete() {
    let w = world(&[("2025-01-01T10:00:00Z", "a", "play", json!({}))]);
    let mut source = support::source(&w, Layout::FRESH);
    source.complete_through = Some(at("2025-01-02T12:00:00Z"));
    let engine = tallymark_insights::Engine::new(std::sync::Arc::new(source), 1);
    let answer = run(&engine, &segmentation(json!([{"event": "play"}]), json!({}))).unwrap();
    assert_eq!(answer["incomplete"], json!([false, true, true]));
    assert_eq!(answer["complete_through"], "2025-01-02T12:00:00.000Z");
}

/// The answer over records that were received between these times and skipped, and others decided again.
fn over_a_gap(received: (&str, &str), restated: (&str, &str)) -> Value {
    use tallymark_ledger::{Account, Interval, Restatement, Tally};
    let w = world(&[("2025-01-01T10:00:00Z", "a", "play", json!({}))]);
    let mut source = support::source(&w, Layout::FRESH);
    source.complete_through = Some(at("2026-01-01T00:00:00Z"));
    let interval = Interval::new(support::CLUTTERED, 5, 25);
    let account = Account::Skipped { by: "ops".into(), reason: "poison".into() };
    let skipped = tallymark_catalog::LedgerRow {
        interval,
        account: account.clone(),
        received_from: at(received.0),
        received_to: at(received.1),
        tally: Tally::default(),
        visible: Default::default(),
    };
    let again = |at_ms| tallymark_catalog::RestatedRow {
        seq: tallymark_model::CommitSeq(9),
        at: at_ms,
        origin: tallymark_catalog::Origin::Replay { job: 1 },
        restatement: Restatement {
            interval,
            was: account.clone(),
            was_parts: Vec::new(),
            now: account.clone(),
            now_parts: Vec::new(),
            received_from: at(restated.0),
            received_to: at(restated.1),
        },
    };
    let now = at("2025-02-01T00:00:00Z");
    let rows = [again(now - 5), again(now - 7), again(now - 3 * 86_400_000)];
    let known = tallymark_query::Completeness::of(&[], &[skipped], &rows, now);
    source.completeness = std::sync::Arc::new(known);
    let engine = tallymark_insights::Engine::new(std::sync::Arc::new(source), 1);
    run(&engine, &segmentation(json!([{"event": "play"}]), json!({}))).unwrap()
}

#[test]
fn an_answer_over_a_gap_says_so() {
    let elsewhere = ("2024-06-01T00:00:00Z", "2024-06-02T00:00:00Z");
    let touched = over_a_gap(("2025-01-02T05:00:00Z", "2025-01-02T06:00:00Z"), elsewhere);
    assert_eq!(touched["incomplete"], json!([false, true, false]));
    assert_eq!((&touched["complete"], &touched["restated"]), (&json!(false), &json!(false)));
    assert_eq!(
        touched["gaps"],
        json!([{
            "lane": "bulk", "partition": 7, "from": 5, "to": 25, "count": 20,
            "received_from": "2025-01-02T05:00:00.000Z", "received_to": "2025-01-02T06:00:00.000Z",
            "state": "skipped", "reason": "skipped by ops: poison",
        }])
    );
    let untouched = over_a_gap(elsewhere, elsewhere);
    assert_eq!(untouched["incomplete"], json!([false, false, false]));
    assert_eq!((&untouched["complete"], &untouched["gaps"]), (&json!(true), &json!([])));
}

#[test]
fn an_answer_over_records_that_were_decided_again_says_so_for_a_day() {
    let elsewhere = ("2024-06-01T00:00:00Z", "2024-06-02T00:00:00Z");
    let restated = over_a_gap(elsewhere, ("2025-01-02T05:00:00Z", "2025-01-02T06:00:00Z"));
    assert_eq!((&restated["restated"], &restated["complete"]), (&json!(true), &json!(true)));
    let listed = &restated["restatements"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "one piece of work, and not what is older than a day");
    assert_eq!((&listed[0]["kind"], &listed[0]["records"]), (&json!("replay"), &json!(40)));
    assert_eq!(over_a_gap(elsewhere, elsewhere)["restatements"], json!([]));
}

#[test]
fn resets_and_devices_that_change_hands() {
    let mut w = world(&[
        ("2025-01-01T01:00:00Z", "", "view", json!({})),
        ("2025-01-01T02:00:00Z", "u", "view", json!({})),
        ("2025-01-01T03:00:00Z", "", "$reset", json!({})),
        ("2025-01-01T04:00:00Z", "", "view", json!({})),
        ("2025-01-01T05:00:00Z", "v", "view", json!({})),
        ("2025-01-01T06:00:00Z", "", "view", json!({})),
    ]);
    w.events.iter_mut().for_each(|e| e.device_id = Some("shared".into()));
    w.events[2].action = IdentityAction::Reset;
    let series = json!([{"event": "view"}, {"event": "view", "measure": "totals"}]);
    let answer = ask(&w, segmentation(series, json!({"interval": "none"})));
    // Before the reset everything is u's, after it v's.
    assert_eq!((&answer["series"][0]["total"], &answer["series"][1]["total"]), (&json!(2), &json!(5)));
}
