//! Funnels: each option of chapter 3 with a person or two.

use crate::cases::{agreed, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

/// Each line is a person and what it did, one thing a minute from midnight on: `A`, `A=x` (its property c), `A,B` in
/// the same millisecond, `.` a minute of nothing.
fn people(lines: &[(&str, &str)]) -> World {
    let mut events = Vec::new();
    for (user, line) in lines {
        for (minute, at_once) in line.split_whitespace().enumerate() {
            for event in at_once.split(',').filter(|e| *e != ".") {
                let (name, properties) = match event.split_once('=') {
                    Some((name, "xx")) => (name, json!({"c": ["x", "x"], "n": 4})),
                    Some((name, "xy")) => (name, json!({"c": ["x", "y"], "n": 4})),
                    Some((name, c)) => (name, json!({"c": c, "n": 4})),
                    None => (event, json!({})),
                };
                let time = format!("2025-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
                events.push((time, *user, name.to_owned(), properties));
            }
        }
    }
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let borrowed: Vec<(&str, &str, &str, Value)> =
        events.iter().map(|(t, u, n, p)| (t.as_str(), *u, n.as_str(), p.clone())).collect();
    world(&borrowed)
}

fn query(steps: &str, more: Value) -> Value {
    let steps: Vec<Value> = steps.split_whitespace().map(|s| json!({"event": s})).collect();
    let mut query = json!({"type": "funnel", "steps": steps, "window": {"n": 1, "unit": "hour"},
        "range": {"from": "2025-01-01", "to": "2025-01-01"}, "as_of": "2025-02-01T00:00:00Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn ask(line: &str, steps: &str, more: Value) -> Value {
    agreed(&people(&[("u", line)]), query(steps, more))
}

fn counts(line: &str, steps: &str, more: Value) -> Value {
    ask(line, steps, more)["counts"].clone()
}

fn groups(line: &str, steps: &str, more: Value) -> Value {
    let answer = ask(line, steps, more);
    let row = |g: &Value| json!([g["breakdown"], g["counts"]]);
    answer["groups"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn totals_are_attempts_that_do_not_overlap() {
    let totals = |more: Value| {
        let mut all = json!({"count": "totals"});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        all
    };
    // The second V comes while the first attempt waits, and is part of nothing.
    assert_eq!(counts("V V R", "V R", totals(json!({}))), json!([1, 1]));
    assert_eq!(counts("V R V R", "V R", totals(json!({}))), json!([2, 2]));
    // The second V ends the first attempt; it is used up by that, the third begins anew.
    let excluded = json!({"exclusions": [{"event": "V", "from": 1, "to": 2}]});
    assert_eq!(counts("V V V R", "V R", totals(excluded)), json!([2, 1]));
    // An hour after the first V it has timed out, so the V of minute 61 is an entry and the one of minute 60 is not.
    let hour = format!("V {} V V", ". ".repeat(59));
    assert_eq!(counts(&hour, "V R", totals(json!({}))), json!([2, 0]));
}

#[test]
fn years_are_counted_like_days() {
    // More than a word has room for, so that events are held in another form.
    for from in ["2024-12-01", "2023-01-01"] {
        let range = |more: Value| {
            let mut all = json!({"range": {"from": from, "to": "2025-01-01"}});
            more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
            all
        };
        assert_eq!(counts("B A B A,C C", "A B C", range(json!({}))), json!([1, 1, 1]), "{from}");
        assert_eq!(counts("A C B", "A B C", range(json!({}))), json!([1, 1, 0]), "{from}");
        let by = range(json!({"breakdown": {"property": "c"}}));
        assert_eq!(groups("A=x A=y B", "A B", by), json!([["x", [1, 1]]]), "{from}");
        let tightest = range(json!({"breakdown": {"property": "c"}, "attempt": "tightest"}));
        assert_eq!(groups("A=x A=y B", "A B", tightest), json!([["y", [1, 1]]]), "{from}");
    }
}

#[test]
fn exact_order_lets_nothing_pass() {
    let exact = |line: &str, steps: &str| counts(line, steps, json!({"order": "exact_order"}));
    // The second B is another event between B and C.
    assert_eq!(exact("A B B C", "A B C"), json!([1, 1, 0]));
    let repeats = json!({"order": "exact_order", "exact_allow_repeats": true});
    assert_eq!(counts("A B B C", "A B C", repeats), json!([1, 1, 1]));
    // From the second A there is nothing in between.
    assert_eq!(exact("A A B", "A B"), json!([1, 1]));
    assert_eq!(exact("A X B", "A B"), json!([1, 0]));
    // In the same millisecond as a step is not between.
    assert_eq!(exact("A,X B", "A B"), json!([1, 1]));
    assert_eq!(exact("A X,B", "A B"), json!([1, 1]));
    // A tolerance of a minute reaches to X from both sides.
    let tolerant = json!({"order": "exact_order", "tie_tolerance_ms": 60_000});
    assert_eq!(counts("A X B", "A B", tolerant), json!([1, 1]));
}

#[test]
fn inactive_events_and_operations_are_not_in_the_way() {
    let mut world = people(&[("u", "A push $set B")]);
    world.inactive = vec!["push".into()];
    assert_eq!(agreed(&world, query("A B", json!({"order": "exact_order"})))["counts"], json!([1, 1]));
}

#[test]
fn any_order_fills_as_many_steps_as_it_can() {
    let any = |line: &str, steps: &str| counts(line, steps, json!({"order": "any_order"}));
    assert_eq!(any("C A B", "A B C"), json!([1, 1, 1]));
    // One event, one step: A fills one of the two.
    assert_eq!(any("A", "A *"), json!([1, 0]));
    // B can be either; A only the first.
    assert_eq!(any("B A", "* B"), json!([1, 1]));
    // Whoever lacks step 1 does not count at all, in Amplitude's way.
    let first = json!({"order": "any_order", "any_order_entry": "first_listed"});
    assert_eq!(any("B C", "A B C"), json!([1, 1, 0]));
    assert_eq!(counts("B C", "A B C", first), json!([0, 0, 0]));
    // X cuts the stream: A and C lie on one side, B on the other.
    let cut = json!({"order": "any_order", "exclusions": [{"event": "X"}]});
    assert_eq!(counts("B X C A", "A B C", cut.clone()), json!([1, 1, 0]));
    // A tie with the cut is on both sides of it.
    assert_eq!(counts("B X,C A", "A B C", cut), json!([1, 1, 0]));
}

#[test]
fn anchors_have_their_place_in_any_order() {
    let anchored = |line: &str, at: usize| {
        let mut query = query("A B C", json!({"order": "any_order"}));
        query["steps"][at]["anchor"] = json!(true);
        agreed(&people(&[("u", line)]), query)["counts"].clone()
    };
    // A first, then B and C as they come: the B before it is too early.
    assert_eq!(anchored("B A C", 0), json!([1, 1, 0]));
    assert_eq!(anchored("A C B", 0), json!([1, 1, 1]));
    // C last: it counts once A and B are there.
    assert_eq!(anchored("C B A", 2), json!([1, 1, 0]));
    assert_eq!(anchored("B A C", 2), json!([1, 1, 1]));
}

#[test]
fn exclusions_end_attempts_or_remove_people() {
    let with = |effect: &str, line: &str| {
        let exclusions = json!([{"event": "X", "from": 1, "to": 2}]);
        counts(line, "A B C", json!({"exclusions": exclusions, "exclusion_effect": effect}))
    };
    // It is active while waiting for B only.
    assert_eq!(with("break", "A B X C"), json!([1, 1, 1]));
    assert_eq!(with("break", "A X B C"), json!([1, 0, 0]));
    // The second A is clean.
    assert_eq!(with("break", "A X A B C"), json!([1, 1, 1]));
    // In the same millisecond as B it never hits.
    assert_eq!(with("break", "A X,B C"), json!([1, 1, 1]));
    // A later B does not repair the attempt; without a clean one the person is gone, also from step 1.
    assert_eq!(with("remove", "A X B C"), json!([0, 0, 0]));
    // Clean as deep as the hit attempt would have been: it counts.
    assert_eq!(with("remove", "A X A B C"), json!([1, 1, 1]));
    // The hit attempt would have reached 3 steps, the clean one reaches 1.
    assert_eq!(with("remove", "A X B C A"), json!([0, 0, 0]));
    // X after the window's only A, though B never came, hits too.
    assert_eq!(with("remove", "A X"), json!([0, 0, 0]));
    assert_eq!(with("break", "A X"), json!([1, 0, 0]));
}

#[test]
fn held_properties_make_units_of_values() {
    let hold = |line: &str, more: Value| {
        let mut all = json!({"hold": [{"property": "c"}]});
        more.as_object().into_iter().flatten().for_each(|(k, v)| all[k] = v.clone());
        counts(line, "A B", all)
    };
    // The B of y does not continue the A of x.
    assert_eq!(hold("A=x B=y", json!({})), json!([1, 0]));
    assert_eq!(hold("A=x B=y B=x", json!({})), json!([1, 1]));
    // Two pairs entered, one went on; the person counts once with the better.
    assert_eq!(hold("A=x A=y B=y", json!({})), json!([2, 1]));
    assert_eq!(hold("A=x A=y B=y", json!({"hold_unit": "actor"})), json!([1, 1]));
    // Mixpanel holds the value of the first entry.
    assert_eq!(hold("A=x A=y B=y", json!({"hold_unit": "actor", "attempt": "first_entry"})), json!([1, 0]));
    // A list belongs to each of its elements; what lacks the property takes no part.
    assert_eq!(hold("A=xy B=y", json!({})), json!([2, 1]));
    assert_eq!(hold("A B=x", json!({})), json!([0, 0]));
    // An element that a list holds twice is one value, and the event is one event.
    assert_eq!(counts("A=xx", "A *", json!({"hold": [{"property": "c"}]})), json!([1, 0]));
}

#[test]
fn a_limit_between_steps_and_optional_ones() {
    let mut within = query("A B", json!({}));
    within["steps"][1]["within"] = json!({"n": 1, "unit": "minute"});
    let of = |query: &Value, line: &str| agreed(&people(&[("u", line)]), query.clone())["counts"].clone();
    // Inclusive.
    assert_eq!((of(&within, "A B"), of(&within, "A . B")), (json!([1, 1]), json!([1, 0])));
    let mut optional = query("A B C", json!({}));
    optional["steps"][1]["optional"] = json!(true);
    // It never lowers later steps, and counts only between both of its neighbours.
    assert_eq!(of(&optional, "A C"), json!([1, 0, 1]));
    assert_eq!(of(&optional, "A B C"), json!([1, 1, 1]));
    assert_eq!(of(&optional, "A B"), json!([1, 0, 0]));
    let answer = agreed(&people(&[("u", "A . B C")]), optional);
    // Two minutes to B, one from B to C.
    assert_eq!(
        (&answer["step_times"][1]["avg_s"], &answer["step_times"][2]["avg_s"]),
        (&json!(120), &json!(60))
    );
}

#[test]
fn whose_value_a_breakdown_takes() {
    let by = |at: &str| json!({"breakdown": {"property": "c", "at": at}});
    let line = "A B=x C=y";
    assert_eq!(groups(line, "A B C", by("step:1")), json!([["(none)", [1, 1, 1]]]));
    assert_eq!(groups(line, "A B C", by("step:2")), json!([["x", [1, 1, 1]]]));
    assert_eq!(groups(line, "A B C", by("first_touch")), json!([["x", [1, 1, 1]]]));
    assert_eq!(groups(line, "A B C", by("last_touch")), json!([["y", [1, 1, 1]]]));
    assert_eq!(groups(line, "A B D", by("step:3")), json!([["(did not reach step)", [1, 1, 0]]]));
    // Choose, then label: the first A leads deepest and earliest. Filter, then choose: each A has its funnel.
    let line = "A=x A=y B=y";
    assert_eq!(groups(line, "A B", by("step:1")), json!([["x", [1, 1]]]));
    // Both have one entry; ties go by label.
    assert_eq!(groups(line, "A B", by("all_steps")), json!([["x", [1, 0]], ["y", [1, 1]]]));
    assert_eq!(groups(line, "A B", by("filter_step:2")), json!([["y", [1, 1]]]));
    assert_eq!(
        groups("A B=x B=y C", "A B C", by("filter_step:2")),
        json!([["x", [1, 1, 1]], ["y", [1, 1, 1]]])
    );
    // Tuples: every combination of the elements.
    let two = json!({"breakdown": [{"property": "c"}, {"property": "c", "at": "last_touch"}]});
    assert_eq!(groups("A=xy B=x", "A B", two), json!([[["x", "x"], [1, 1]], [["y", "x"], [1, 1]]]));
}

#[test]
fn the_rest_counts_each_person_once() {
    let lines = [("p", "A=x B"), ("q", "A=x"), ("r", "A=xy B"), ("s", "A=y")];
    let by = |at: &str| json!({"breakdown": {"property": "c", "at": at}, "limit": 1});
    for at in ["step:1", "filter_step:1"] {
        let answer = agreed(&people(&lines), query("A B", by(at)));
        // x: p, q, r. The rest is y: r and s.
        assert_eq!(answer["groups"][0]["counts"], json!([3, 2]), "{at}");
        assert_eq!(
            (&answer["groups"][1]["breakdown"], &answer["groups"][1]["counts"]),
            (&json!("$other"), &json!([2, 1])),
            "{at}"
        );
    }
}

#[test]
fn over_time_a_person_is_in_every_bucket_it_entered() {
    let lines = [("p", "A B A"), ("q", ". A")];
    let more = json!({"over_time": {"interval": "minute", "from_step": 1, "to_step": 2},
        "range": {"from": "2025-01-01T00:00:00Z", "to": "2025-01-01T00:03:00Z"}, "as_of": "2025-01-01T01:02:00Z"});
    let answer = agreed(&people(&lines), query("A B", more));
    assert_eq!((&answer["entered"], &answer["converted"]), (&json!([1, 1, 1]), &json!([1, 0, 0])));
    assert_eq!(answer["rate"], json!([1, 0, 0]));
    // With an hour of window, entries after minute 2 may still convert.
    assert_eq!(answer["open"], json!([false, false, true]));
    assert_eq!(answer["buckets"][2], "2025-01-01T00:02+00:00");
}

#[test]
fn times_percentiles_and_bars() {
    let lines = [("p", "A B"), ("q", "A . B"), ("r", "A . . . B"), ("s", "A")];
    let more = json!({"percentiles": [90], "histogram": {"width_s": 120, "min_s": 60}});
    let answer = agreed(&people(&lines), query("A B", more));
    // 60, 120 and 240 s: the mean is 140; the 90th percentile lies at rank 1.8: 120 + 0.8 · 120.
    assert_eq!(answer["total_time"], json!({"avg_s": 140, "median_s": 120, "p90_s": 216}));
    assert_eq!(
        answer["histogram"],
        json!([{"from_s": 60, "to_s": 180, "count": 2}, {"from_s": 180, "to_s": 300, "count": 1}])
    );
    assert_eq!((&answer["reached"], &answer["dropped"]), (&json!([4, 3]), &json!([1, 0])));
}

#[test]
fn what_happened_between_two_steps() {
    let lines = [("p", "A X=x X=x B"), ("q", "A B X=x"), ("r", "A X=x"), ("s", "A")];
    let more = json!({"between": {"event": "X", "property": "n"}});
    let answer = agreed(&people(&lines), query("A B", more));
    let row = &answer["between"][0];
    // p and q went on, with two X and none; r and s did not, with one and none. Each X carries a 4.
    assert_eq!(
        row["converted"],
        json!({"actors": 2, "with": 1, "events": 2, "frequency": [[0, 1], [2, 1]], "sum": 8})
    );
    assert_eq!(
        row["dropped"],
        json!({"actors": 2, "with": 1, "events": 1, "frequency": [[0, 1], [1, 1]], "sum": 4})
    );
    // As many with X as without on both sides.
    assert_eq!(row["correlation"], json!(0));
}

#[test]
fn segments_hold_for_the_first_step_or_for_all() {
    let segment = json!([{"property": "c", "op": "is", "value": "x"}]);
    assert_eq!(counts("A=x B=y", "A B", json!({"segment": segment})), json!([1, 1]));
    let all = json!({"segment": segment, "segment_scope": "all"});
    assert_eq!(counts("A=x B=y", "A B", all), json!([1, 0]));
}

#[test]
fn the_nth_event_may_be_a_step() {
    let mut query = query("A B", json!({}));
    query["steps"][1]["nth"] = json!(2);
    let of = |line: &str| agreed(&people(&[("u", line)]), query.clone())["counts"].clone();
    // The second B ever; the first came before A.
    assert_eq!((of("B A B"), of("A B")), (json!([1, 1]), json!([1, 0])));
}

#[test]
fn who_is_behind_a_number() {
    let world = people(&[("p", "A=x B"), ("q", "A=y"), ("r", "A=xy . B")]);
    let engine = engine(&world, Layout::MIXED);
    let names = |more: Value, point: Value| {
        let mut query = query("A B", more);
        query["microscope"] = point;
        let answer = run(&engine, &query).unwrap();
        let actors = answer["actors"].as_array().unwrap().iter();
        actors.map(|a| a["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(json!({}), json!({"step": 1, "state": "reached"})), "p q r");
    assert_eq!(names(json!({}), json!({"step": 1, "state": "dropped"})), "q");
    assert_eq!(names(json!({}), json!({"step": 2, "state": "reached"})), "p r");
    let by = json!({"breakdown": {"property": "c"}, "limit": 1});
    assert_eq!(names(by.clone(), json!({"step": 1, "breakdown": "x"})), "p r");
    assert_eq!(names(by, json!({"step": 1, "breakdown": "$other"})), "q r");
    let bars = json!({"histogram": {"width_s": 60}});
    assert_eq!(names(bars, json!({"bar": 2})), "r");
}
