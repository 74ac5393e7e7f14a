//! Segmentation, option by option.

use crate::cases::{ask, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn query(series: Value, more: Value) -> Value {
    let mut query = json!({"type": "segmentation", "series": series, "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-03", "to": "2025-01-05"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

/// (values, total) of every row.
fn lines(world: &World, series: Value, more: Value) -> Vec<(Value, Value)> {
    let answer = ask(world, query(series, more));
    let rows = answer["series"].as_array().unwrap();
    rows.iter().map(|r| (r["values"].clone(), r["total"].clone())).collect()
}

fn one(world: &World, series: Value, more: Value) -> (Value, Value) {
    lines(world, json!([series]), more).swap_remove(0)
}

fn refusal(series: Value, more: Value) -> String {
    let world = world(&[("2025-01-03T01:00:00Z", "a", "play", json!({}))]);
    run(&engine(&world, Layout::FRESH), &query(json!([series]), more)).unwrap_err().to_string()
}

/// a plays on the 1st, 3rd (twice) and 5th, b on the 2nd and 4th, c stops on the 5th; somebody unknown plays on the 3rd.
fn plays() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "play", json!({"v": 1})),
        ("2025-01-02T10:00:00Z", "b", "play", json!({"v": 2})),
        ("2025-01-03T10:00:00Z", "a", "play", json!({"v": 4, "tags": ["x", "x", "y"]})),
        ("2025-01-03T11:00:00Z", "a", "play", json!({"v": 8, "tags": "x"})),
        ("2025-01-03T12:00:00Z", "", "play", json!({"v": 16})),
        ("2025-01-04T10:00:00Z", "b", "play", json!({"v": 32, "tags": "y"})),
        ("2025-01-05T10:00:00Z", "a", "play", json!({"v": 64})),
        ("2025-01-05T11:00:00Z", "c", "stop", json!({})),
    ])
}

#[test]
fn the_kth_event_is_counted_over_all_history() {
    // a's second event is the first of the 3rd, b's that of the 4th; c has none, and nobody's event is no k-th one.
    assert_eq!(
        one(&plays(), json!({"event": "play", "nth": 2, "measure": "totals"}), json!({})),
        (json!([1, 1, 0]), json!(2))
    );
    // Among those with v >= 4, a's second is the later of the 3rd; b has but one.
    let filtered = json!({"event": "play", "nth": 2, "where": [{"property": "v", "op": "gte", "value": 4}]});
    assert_eq!(one(&plays(), filtered.clone(), json!({})), (json!([1, 0, 0]), json!(1)));
    // The second play of all, if it has v >= 4: a's on the 3rd, b's on the 4th.
    let mut of_event = filtered;
    of_event["nth_of"] = json!("event");
    assert_eq!(one(&plays(), of_event, json!({})), (json!([1, 1, 0]), json!(2)));
    // As of the 2nd nobody has a second event yet.
    let early = json!({"as_of": "2025-01-02T23:00:00Z", "range": {"from": "2025-01-01", "to": "2025-01-02"}});
    assert_eq!(one(&plays(), json!({"event": "play", "nth": 2}), early).1, json!(0));
}

#[test]
fn shares_of_the_active_and_sums_per_actor() {
    // On the 5th a and c are active and a plays: one half. Nobody is active on the 6th.
    let six = json!({"range": {"from": "2025-01-05", "to": "2025-01-06"}});
    let active = json!({"event": "play", "of_active": true});
    assert_eq!(one(&plays(), active.clone(), six.clone()), (json!([0.5, null]), json!(0.5)));
    let zero = json!({"range": {"from": "2025-01-05", "to": "2025-01-06"}, "div_zero": 0});
    assert_eq!(one(&plays(), active, zero).0, json!([0.5, 0]));
    // The 16 of nobody is no part of what is per actor: 12 of a, 32 of b, 64 of a; 108 of two.
    let per_actor = json!({"event": "play", "measure": "sum_per_actor", "property": "v"});
    assert_eq!(one(&plays(), per_actor, json!({})), (json!([12, 32, 64]), json!(54)));
    // Of three active ones in the range, and of two on the 5th.
    let of_active = json!({"event": "play", "measure": "sum_per_actor", "property": "v", "of_active": true});
    assert_eq!(one(&plays(), of_active, json!({})), (json!([12, 32, 32]), json!(36)));
}

#[test]
fn a_histogram_of_times() {
    // a plays twice on the 3rd and three times in the range, b once.
    let frequency = json!({"event": "play", "measure": "frequency"});
    let expected = (json!([{"2": 1}, {"1": 1}, {"1": 1}]), json!({"1": 1, "3": 1}));
    assert_eq!(one(&plays(), frequency, json!({})), expected);
}

#[test]
fn sessions_that_contain_the_event() {
    // a's session of the 3rd ends before 11:00, for 60 minutes is too long a pause: two. b one, a one.
    let sessions = json!({"event": "play", "measure": "sessions"});
    assert_eq!(one(&plays(), sessions.clone(), json!({})), (json!([2, 1, 1]), json!(4)));
    let w = world(&[
        ("2025-01-03T23:50:00Z", "a", "open", json!({})),
        ("2025-01-04T00:10:00Z", "a", "play", json!({})),
        ("2025-01-04T00:20:00Z", "a", "play", json!({})),
        ("2025-01-04T09:00:00Z", "a", "open", json!({})),
    ]);
    // It began on the 3rd and holds two plays; the one of the 4th holds none.
    assert_eq!(one(&w, sessions, json!({})), (json!([1, 0, 0]), json!(1)));
}

#[test]
fn rolling_lines_look_back_before_the_range() {
    let rolling = |more: Value| {
        let mut series = json!({"event": "play"});
        more.as_object().unwrap().iter().for_each(|(k, v)| series[k] = v.clone());
        one(&plays(), series, json!({}))
    };
    // Two days together: b and a, a and b, b and a.
    assert_eq!(rolling(json!({"rolling_window": 2})), (json!([2, 2, 2]), json!(2)));
    assert_eq!(rolling(json!({"rolling_window": 2, "lookback": "range_only"})).0, json!([1, 2, 2]));
    // (1 + 1 + 1) / 3 everywhere; from the 3rd on alone the windows are shorter, not emptier.
    assert_eq!(rolling(json!({"rolling_average": 3})).0, json!([1, 1, 1]));
    // On the last of December nobody played: (0 + 1 + 1 + 1) / 4.
    assert_eq!(rolling(json!({"rolling_average": 4})).0, json!([0.75, 1, 1]));
    let totals = json!({"measure": "totals", "rolling_average": 2, "lookback": "range_only"});
    assert_eq!(rolling(totals), (json!([3, 2, 1]), json!(5)));
    assert_eq!(rolling(json!({"cumulative": true})), (json!([1, 2, 2]), json!(2)));
    assert_eq!(
        rolling(json!({"cumulative": true, "cumulative_uniques": "sum"})),
        (json!([1, 2, 3]), json!(2))
    );
    assert_eq!(rolling(json!({"cumulative": true, "measure": "totals"})), (json!([3, 4, 5]), json!(5)));
}

#[test]
fn a_window_takes_in_the_part_of_the_first_bucket_before_the_range() {
    // The range begins at 10:30 on the 3rd: the day counts one of a's plays and nobody's, the window all three.
    let range = json!({"range": {"from": "2025-01-03T10:30:00Z", "to": "2025-01-05T00:00:00Z"}});
    let totals = json!({"event": "play", "measure": "totals"});
    assert_eq!(one(&plays(), totals.clone(), range.clone()), (json!([2, 1]), json!(3)));
    let mut rolling = totals.clone();
    rolling["rolling_window"] = json!(2);
    assert_eq!(one(&plays(), rolling, range.clone()), (json!([4, 4]), json!(3)));
    let mut expanded = range;
    expanded["edge"] = json!("expand");
    assert_eq!(one(&plays(), totals, expanded), (json!([3, 1]), json!(4)));
}

#[test]
fn new_users_count_in_the_bucket_of_their_first_event_only() {
    let w = plays();
    let from = json!({"range": {"from": "2025-01-01", "to": "2025-01-05"}, "new_users_only": true});
    let any = json!({"event": "*", "measure": "totals"});
    assert_eq!(one(&w, any.clone(), from), (json!([1, 1, 0, 0, 1]), json!(3)));
    // In the week of the 1st everybody is new all week; nobody's event belongs to no one who could be new.
    let week = json!({"range": {"from": "2025-01-01", "to": "2025-01-05"}, "new_users_only": true, "interval": "week"});
    assert_eq!(one(&w, any, week), (json!([7]), json!(7)));
}

#[test]
fn formulas_go_by_bucket_and_by_total() {
    let series = json!([{"event": "play", "measure": "totals"}, {"event": "play"}, {"event": "stop", "measure": "totals"}]);
    let formulas = json!({"formula": ["A / B", "B / C", "TRENDLINE(A) - A", "LOG(B * 50, 10)"]});
    let found = lines(&plays(), series.clone(), formulas);
    assert_eq!(found[3], (json!([3, 1, 1]), json!(2.5)));
    assert_eq!(found[4], (json!([null, null, 1]), json!(2)));
    // Through 3, 1, 1 goes 8/3, 5/3, 2/3; a total is its own trend.
    let off: Vec<f64> = found[5].0.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(
        off.iter().zip([-1.0 / 3.0, 2.0 / 3.0, -1.0 / 3.0]).all(|(a, b)| (a - b).abs() < 1e-12),
        "{off:?}"
    );
    assert_eq!(found[5].1, json!(0));
    assert!((found[6].1.as_f64().unwrap() - 2.0).abs() < 1e-12);
    let zero = lines(&plays(), series, json!({"formula": "B / C", "div_zero": 0}));
    assert_eq!(zero[3].0, json!([0, 0, 1]));
}

#[test]
fn every_item_counts_with_items_all() {
    let totals = |items: &str, limit: u32| {
        let by =
            json!({"breakdown": [{"property": "tags", "items": items}], "limit": limit, "interval": "none"});
        let answer = ask(&plays(), query(json!([{"event": "play", "measure": "totals"}]), by));
        let row = |r: &Value| (r["breakdown"].as_str().unwrap().to_owned(), r["total"].as_i64().unwrap());
        answer["series"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let named = |rows: &[(&str, i64)]| rows.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect::<Vec<_>>();
    // Tags of the range: [x, x, y], x, none, y, none.
    assert_eq!(totals("distinct", 9), named(&[("(none)", 2), ("x", 2), ("y", 2)]));
    assert_eq!(totals("all", 9), named(&[("x", 3), ("(none)", 2), ("y", 2)]));
    assert_eq!(totals("all", 1), named(&[("x", 3), ("$other", 4)]));
}

#[test]
fn a_value_may_be_that_of_an_earlier_touch() {
    let w = world(&[
        ("2025-01-01T10:00:00Z", "a", "visit", json!({"from": "ad"})),
        ("2025-01-02T10:00:00Z", "a", "visit", json!({"from": "mail"})),
        ("2025-01-02T11:00:00Z", "a", "visit", json!({"from": ""})),
        ("2025-01-03T10:00:00Z", "a", "buy", json!({})),
        ("2025-01-03T10:00:00Z", "b", "visit", json!({"from": "late"})),
        ("2025-01-03T09:59:59.999Z", "b", "buy", json!({})),
    ]);
    let rows = |model: &str, hours: u32| {
        let by =
            json!({"model": model, "touch": {"event": "visit"}, "lookback": {"n": hours, "unit": "hour"}});
        let more = json!({"breakdown": [{"property": "from", "attribution": by}], "interval": "none"});
        let answer = ask(&w, query(json!([{"event": "buy"}]), more));
        let rows = answer["series"].as_array().unwrap().clone();
        rows.iter().map(|r| r["breakdown"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Exactly 48 hours reach the ad; a visit without a value is no touch, and b's comes after the purchase.
    assert_eq!(rows("first", 48), ["(none)", "ad"]);
    assert_eq!(rows("last", 48), ["(none)", "mail"]);
    assert_eq!(rows("first", 47), ["(none)", "mail"]);
    assert_eq!(rows("last", 1), ["(none)"]);
}

#[test]
fn comparison_is_the_query_some_units_earlier() {
    let more =
        json!({"range": {"from": "2025-01-04", "to": "2025-01-05"}, "compare": {"n": 2, "unit": "day"}});
    let answer = ask(&plays(), query(json!([{"event": "play", "measure": "totals"}]), more));
    assert_eq!(answer["series"][0]["values"], json!([1, 1]));
    assert_eq!(answer["compare"]["buckets"], json!(["2025-01-02", "2025-01-03"]));
    assert_eq!(answer["compare"]["series"][0]["values"], json!([1, 3]));
    assert_eq!(answer["compare"]["series"][0]["total"], json!(4));
}

#[test]
fn hours_of_a_longer_day_have_labels_of_their_own() {
    let mut w = world(&[
        ("2025-11-02T05:30:00Z", "a", "play", json!({})),
        ("2025-11-02T06:30:00Z", "a", "play", json!({})),
        ("2025-11-02T06:31:00Z", "b", "play", json!({})),
    ]);
    w.timezone = "America/New_York".into();
    let more = json!({"interval": "hour", "as_of": "2025-12-01T00:00:00Z", "range": {"from": "2025-11-02", "to": "2025-11-02"}});
    let answer = ask(&w, query(json!([{"event": "play", "rolling_window": 2}]), more));
    assert_eq!(answer["buckets"].as_array().unwrap().len(), 25);
    assert_eq!(
        (&answer["buckets"][1], &answer["buckets"][2]),
        (&json!("2025-11-02T01:00-04:00"), &json!("2025-11-02T01:00-05:00"))
    );
    assert_eq!(answer["series"][0]["values"].as_array().unwrap()[..5], [0, 1, 2, 2, 0].map(Value::from));
}

#[test]
fn who_is_behind_a_point() {
    let ask_who = |series: Value, more: Value, point: Value| {
        let mut query = query(json!([series]), more);
        query["microscope"] = point;
        let page = ask(&plays(), query);
        let names = page["actors"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned());
        (page["size"].as_i64().unwrap(), names.collect::<Vec<_>>())
    };
    let play = json!({"event": "play"});
    assert_eq!(ask_who(play.clone(), json!({}), json!({"series": "A"})), (2, vec!["a".into(), "b".into()]));
    assert_eq!(
        ask_who(play, json!({}), json!({"series": "A", "bucket": "2025-01-04"})),
        (1, vec!["b".into()])
    );
    let rolling = json!({"event": "play", "rolling_window": 2});
    assert_eq!(ask_who(rolling, json!({}), json!({"bucket": "2025-01-03"})).0, 2);
    let frequency = json!({"event": "play", "measure": "frequency"});
    assert_eq!(ask_who(frequency, json!({}), json!({"series": "A", "bar": 3})), (1, vec!["a".into()]));
    // a and b have the tag y; x and none are a's alone.
    let by = json!({"breakdown": [{"property": "tags"}], "limit": 1});
    assert_eq!(
        ask_who(json!({"event": "play"}), by, json!({"series": "A", "breakdown": "$other"})),
        (1, vec!["a".into()])
    );
}

#[test]
fn what_makes_no_sense_together_is_refused_by_name() {
    let play = |more: Value| {
        let mut series = json!({"event": "play"});
        more.as_object().unwrap().iter().for_each(|(k, v)| series[k] = v.clone());
        series
    };
    for (series, more, named) in [
        (play(json!({"rolling_window": 2, "cumulative": true})), json!({}), "cumulative"),
        (play(json!({"lookback": "range_only"})), json!({}), "lookback"),
        (play(json!({"measure": "totals", "of_active": true})), json!({}), "of_active"),
        (play(json!({"cumulative_uniques": "sum"})), json!({}), "cumulative_uniques"),
        (play(json!({"measure": "frequency", "rolling_average": 2})), json!({}), "rolling_average"),
        (play(json!({"measure": "frequency"})), json!({"formula": "A * 2"}), "formula"),
        (play(json!({"rolling_window": 400})), json!({}), "too long"),
        (play(json!({"nth_of": "event"})), json!({}), "nth"),
        (play(json!({})), json!({"microscope": {"series": "A", "bar": 1}}), "bar"),
        (play(json!({"rolling_average": 2})), json!({"microscope": {"bucket": "2025-01-03"}}), "bucket"),
    ] {
        let said = refusal(series.clone(), more);
        assert!(said.contains(named), "{series}: {said}");
    }
}

#[test]
fn an_answer_that_may_be_approximate_says_that_it_is_exact() {
    let answer = ask(&plays(), query(json!([{"event": "play"}]), json!({"approx": true})));
    assert_eq!((&answer["approx"], &answer["series"][0]["total"]), (&json!(false), &json!(2)));
    assert!(ask(&plays(), query(json!([{"event": "play"}]), json!({}))).get("approx").is_none());
}

#[test]
fn series_over_the_same_events_are_what_each_is_alone() {
    let of = |measure: &str| json!({"event": "play", "measure": measure, "property": "v"});
    let large = json!([{"scope": "event", "property": "v", "op": "gt", "value": 8}]);
    let series = json!([
        of("median"), of("p90"), of("sum"), of("avg"), of("min"), of("max"),
        {"event": "play", "measure": "median", "property": "v", "where": large},
        {"event": "play", "measure": "median", "property": "v", "nth": 1},
        {"event": "stop", "measure": "p90", "property": "v"},
        of("median"), {"event": "play", "measure": "totals"}, {"event": "play", "measure": "totals"},
    ]);
    let breakdowns = [
        json!({}),
        json!({"breakdown": {"scope": "event", "property": "tags"}, "limit": 1}),
        json!({"compare": {"n": 1, "unit": "day"}, "formula": ["A - J", "B / C"]}),
    ];
    for more in breakdowns {
        let mut alone = Vec::new();
        for one in series.as_array().unwrap() {
            let mut more = more.clone();
            more.as_object_mut().unwrap().remove("formula");
            alone.extend(lines(&plays(), json!([one]), more));
        }
        let together = lines(&plays(), series.clone(), more);
        assert_eq!(together[..alone.len()], alone);
    }
}
