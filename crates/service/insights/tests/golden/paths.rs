//! `type: "paths"`.

use crate::cases::{agreed, ask, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn paths(more: Value) -> Value {
    let mut query = json!({"type": "paths", "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-01", "to": "2025-01-01"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn shoppers() -> World {
    let mut w = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:05:00Z", "a", "cart", json!({})),
        ("2025-01-01T10:06:00Z", "a", "cart", json!({})),
        ("2025-01-01T10:07:00Z", "a", "push", json!({})),
        ("2025-01-01T10:10:00Z", "a", "buy", json!({})),
        ("2025-01-01T10:20:00Z", "b", "view", json!({})),
        ("2025-01-01T10:50:00Z", "b", "buy", json!({})),
        ("2025-01-01T11:00:00Z", "a", "view", json!({})),
        ("2025-01-02T00:00:00Z", "a", "buy", json!({})),
    ]);
    w.inactive = vec!["push".into()];
    w
}

/// (step, from, to, count, avg_s) of every edge.
fn edges(answer: &Value) -> Vec<(u64, String, String, u64, Value)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let edge = |e: &Value| {
        (
            e["step"].as_u64().unwrap(),
            text(&e["from"]),
            text(&e["to"]),
            e["count"].as_u64().unwrap(),
            e["avg_s"].clone(),
        )
    };
    answer["edges"].as_array().unwrap().iter().map(edge).collect()
}

fn named(edges: &[(u64, &str, &str, u64, Value)]) -> Vec<(u64, String, String, u64, Value)> {
    edges.iter().map(|(s, f, t, n, a)| (*s, (*f).to_owned(), (*t).to_owned(), *n, a.clone())).collect()
}

#[test]
fn a_pause_cuts_and_equal_neighbours_are_one() {
    let answer = agreed(&shoppers(), paths(json!({})));
    // a: view, cart (the first one's time), buy; after 50 minutes view. b: view, buy exactly 30 minutes later.
    let expected = named(&[
        (1, "view", "buy", 1, json!(1800)),
        (1, "view", "cart", 1, json!(300)),
        (2, "cart", "buy", 1, json!(300)),
    ]);
    assert_eq!(edges(&answer), expected);
    assert_eq!(answer["nodes"], json!([[1, "view", 2], [2, "buy", 1], [2, "cart", 1], [3, "buy", 1]]));
    assert_eq!(answer["dropoffs"], json!([[1, "view", 1], [2, "buy", 1], [3, "buy", 1]]));
    assert_eq!((&answer["segments"], &answer["truncated"]), (&json!(3), &json!([])));
    let totals = agreed(&shoppers(), paths(json!({"measure": "totals"})));
    assert_eq!(totals["nodes"][0], json!([1, "view", 3]));
    let kept = agreed(&shoppers(), paths(json!({"collapse": false})));
    assert!(edges(&kept).contains(&named(&[(2, "cart", "cart", 1, json!(60))])[0]));
}

#[test]
fn items_are_left_out_after_the_pauses_are_found_and_before_neighbours_collapse() {
    let answer = agreed(&shoppers(), paths(json!({"exclude": ["cart"]})));
    assert_eq!(edges(&answer), named(&[(1, "view", "buy", 2, json!(1200))]));
    // Never included is another thing: the pause between b's view and anything else is the same, a's too.
    let included = agreed(&shoppers(), paths(json!({"include": ["cart", "buy"], "gap_min": 3})));
    assert_eq!(edges(&included), []);
    // A push takes part if it is named.
    let push = agreed(&shoppers(), paths(json!({"include": ["push", "buy"]})));
    assert_eq!(edges(&push), named(&[(1, "push", "buy", 1, json!(180))]));
}

#[test]
fn start_and_end_bound_what_is_counted() {
    let start = agreed(&shoppers(), paths(json!({"start": "cart"})));
    assert_eq!(edges(&start), named(&[(1, "cart", "buy", 1, json!(300))]));
    assert_eq!(start["segments"], 1);
    let end = agreed(&shoppers(), paths(json!({"end": "cart"})));
    assert_eq!(edges(&end), named(&[(1, "view", "cart", 1, json!(300))]));
    assert_eq!(end["dropoffs"], json!([]));
    // The last two steps before the end; between start and end the middle is folded.
    let last = agreed(&shoppers(), paths(json!({"end": "buy", "step_limit": 2})));
    assert_eq!(edges(&last), named(&[(1, "cart", "buy", 1, json!(300)), (1, "view", "buy", 1, json!(1800))]));
    let both = agreed(&shoppers(), paths(json!({"start": "view", "end": "buy", "step_limit": 2})));
    let middle = named(&[
        (1, "view", "buy", 1, json!(1800)),
        (1, "view", "…", 1, json!(null)),
        (2, "…", "buy", 1, json!(null)),
    ]);
    assert_eq!(edges(&both), middle);
    let first = agreed(&shoppers(), paths(json!({"step_limit": 2})));
    assert_eq!(first["truncated"], json!([[2, "cart", 1]]));
    assert_eq!(first["dropoffs"], json!([[1, "view", 1], [2, "buy", 1]]));
}

#[test]
fn items_may_be_values_and_values_may_be_grouped() {
    let w = world(&[
        ("2025-01-01T10:00:00Z", "a", "page", json!({"url": "/blog/a/1"})),
        ("2025-01-01T10:01:00Z", "a", "page", json!({"url": "/blog/b"})),
        ("2025-01-01T10:02:00Z", "a", "page", json!({})),
        ("2025-01-01T10:03:00Z", "a", "buy", json!({"url": "/blog/c"})),
    ]);
    let item = json!({"property": "url", "events": ["page"]});
    let answer = agreed(&w, paths(json!({"item": item, "groupings": ["/blog/*", "*"], "collapse": false})));
    // The first pattern that matches the whole item: so everything else is `*`.
    let expected = named(&[
        (1, "/blog/*", "/blog/*", 1, json!(60)),
        (2, "/blog/*", "*", 1, json!(60)),
        (3, "*", "*", 1, json!(60)),
    ]);
    assert_eq!(edges(&answer), expected);
    let plain = agreed(&w, paths(json!({"item": {"property": "url"}})));
    assert_eq!(
        plain["nodes"],
        json!([[1, "/blog/a/1", 1], [2, "/blog/b", 1], [3, "(none)", 1], [4, "/blog/c", 1]])
    );
}

#[test]
fn sessions_or_a_window_may_cut() {
    let mut w = shoppers();
    w.events.iter_mut().for_each(|e| e.session_id = Some("one".into()));
    let answer = agreed(&w, paths(json!({"gap_by": "session"})));
    // All of a's day is one session now, also after the pause.
    assert_eq!(answer["segments"], 2);
    assert!(edges(&answer).contains(&named(&[(3, "buy", "view", 1, json!(3000))])[0]));
    // Five minutes from the view on, both ends in: a's cart is inside, b's purchase is not.
    let within = json!({"start": "view", "within": {"n": 5, "unit": "minute"}});
    let answer = agreed(&shoppers(), paths(within));
    assert_eq!(edges(&answer), named(&[(1, "view", "cart", 1, json!(300))]));
    assert_eq!(answer["segments"], 3);
}

#[test]
fn the_rest_is_folded_or_hidden() {
    let top = agreed(&shoppers(), paths(json!({"top": 1})));
    // Step 2 has buy and cart once each; buy comes first by name.
    let expected = named(&[
        (1, "view", "$other", 1, json!(300)),
        (1, "view", "buy", 1, json!(1800)),
        (2, "$other", "buy", 1, json!(300)),
    ]);
    assert_eq!(edges(&top), expected);
    let heavy = agreed(&shoppers(), paths(json!({"min_weight": 2, "exclude": ["cart"]})));
    assert_eq!(edges(&heavy), named(&[(1, "view", "buy", 2, json!(1200))]));
    assert_eq!(edges(&agreed(&shoppers(), paths(json!({"min_weight": 2})))), []);
    let first = agreed(&shoppers(), paths(json!({"first_only": true, "start": "view"})));
    assert_eq!(first["segments"], 2);
}

#[test]
fn the_microscope_names_who_went_that_way() {
    let names = |point: Value| {
        let answer = ask(&shoppers(), paths(json!({"microscope": point})));
        answer["actors"].as_array().unwrap().iter().map(|a| a["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"step": 1, "from": "view", "to": "buy"})), ["b"]);
    assert_eq!(names(json!({"step": 1, "item": "view"})), ["a", "b"]);
    assert_eq!(names(json!({"step": 1, "item": "view", "state": "dropped"})), ["a"]);
    assert!(names(json!({"step": 1, "item": "nowhere"})).is_empty());
    let totals = paths(json!({"measure": "totals", "microscope": {"step": 1, "item": "view"}}));
    assert_eq!(run(&engine(&shoppers(), Layout::FRESH), &totals).unwrap_err().code(), "TM0301");
}

#[test]
fn two_ways_to_cut_are_one_too_many() {
    let refused = |more: Value| run(&engine(&shoppers(), Layout::FRESH), &paths(more)).unwrap_err().code();
    assert_eq!(refused(json!({"gap_min": 5, "gap_by": "session"})), "TM0301");
    assert_eq!(refused(json!({"timeout_min": 5})), "TM0301");
    assert_eq!(refused(json!({"step_limit": 21})), "TM0301");
    assert_eq!(refused(json!({"limit": 5})), "TM0302");
}

#[test]
fn a_path_through_a_funnel_lies_between_two_matched_events() {
    let world = world(&[
        ("2025-01-01T09:00:00Z", "a", "help", json!({})),
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:05:00Z", "a", "faq", json!({})),
        ("2025-01-01T10:10:00Z", "a", "buy", json!({})),
        ("2025-01-01T10:11:00Z", "a", "help", json!({})),
        ("2025-01-01T10:00:00Z", "b", "view", json!({})),
        ("2025-01-01T10:20:00Z", "b", "help", json!({})),
        ("2025-01-01T12:00:00Z", "b", "faq", json!({})),
        ("2025-01-01T10:00:00Z", "c", "faq", json!({})),
    ]);
    let edges = |state: &str| {
        let funnel =
            json!({"steps": [{"event": "view"}, {"event": "buy"}], "window": {"n": 1, "unit": "hour"}});
        let query = paths(json!({"through": {"funnel": funnel, "state": state}, "step_limit": 9}));
        let answer = agreed(&world, query);
        let edge = |e: &Value| json!([e["from"], e["to"], e["count"]]);
        answer["edges"].as_array().unwrap().iter().map(edge).collect::<Value>()
    };
    // a from view to buy, both in it; the help before and after is not. b never bought, c never viewed.
    assert_eq!(edges("reached"), json!([["view", "faq", 1], ["faq", "buy", 1]]));
    // b for the hour that its window was open: the question of noon is outside.
    assert_eq!(edges("dropped"), json!([["view", "help", 1]]));
}

#[test]
fn an_actor_without_letters_takes_its_path_like_others() {
    let empty = json!({"colour": ""});
    let world = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", empty.clone()),
        ("2025-01-01T10:05:00Z", "a", "faq", empty),
        ("2025-01-01T10:06:00Z", "a", "faq", json!({})),
    ]);
    let funnel = json!({"steps": [{"event": "view"}, {"event": "buy"}], "window": {"n": 1, "unit": "hour"}});
    let through = json!({"through": {"funnel": funnel, "state": "dropped"}, "step_limit": 9,
        "count_by": "event.colour", "empty_string": "value"});
    assert_eq!(agreed(&world, paths(through))["edges"][0]["count"], 1);
}
