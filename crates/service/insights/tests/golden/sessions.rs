//! `type: "sessions"`.

use crate::cases::{agreed, ask, world};
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

fn sessions(more: Value) -> Value {
    let mut query = json!({"type": "sessions", "as_of": "2025-02-01T00:00:00Z",
        "range": {"from": "2025-01-01", "to": "2025-01-03"}});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn visitors() -> World {
    let mut w = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({"page": "home"})),
        ("2025-01-01T10:30:00Z", "a", "buy", json!({"page": "shop"})),
        ("2025-01-01T11:00:00.001Z", "a", "view", json!({"page": "home"})),
        ("2025-01-01T12:00:00Z", "b", "view", json!({"page": "shop"})),
        ("2025-01-01T12:10:00Z", "b", "push", json!({})),
        ("2025-01-01T12:35:00Z", "b", "view", json!({})),
    ]);
    w.inactive = vec!["push".into()];
    w
}

#[test]
fn exactly_the_timeout_stays_and_a_push_extends_nothing() {
    let answer = agreed(&visitors(), sessions(json!({})));
    // a: [10:00, 10:30], [11:00:00.001]; b: [12:00], [12:35] although there was a push between.
    let total = json!({"sessions": 4, "users": 2, "total_s": 1800, "avg_s": 450, "median_s": 0, "per_user": 2,
        "events_per_session": 1.25, "bounced": 3, "bounce_rate": 0.75});
    assert_eq!(answer["total"], total);
    assert_eq!(answer["sessions"], json!([4, 0, 0]));
    assert_eq!((&answer["avg_s"][1], &answer["total_s"][1]), (&json!(null), &json!(0)));
    // With five minutes every event is a session.
    assert_eq!(agreed(&visitors(), sessions(json!({"timeout_min": 5})))["total"]["sessions"], 5);
    assert_eq!(agreed(&visitors(), sessions(json!({"timeout_min": 40})))["total"]["sessions"], 2);
}

#[test]
fn ids_of_the_sdk_hold_together_whatever_the_pause() {
    let mut w = world(&[
        ("2025-01-01T10:00:00Z", "a", "view", json!({})),
        ("2025-01-01T10:01:00Z", "a", "view", json!({})),
        ("2025-01-01T10:02:00Z", "a", "view", json!({})),
        ("2025-01-02T10:00:00Z", "a", "view", json!({})),
        ("2025-01-02T10:00:00Z", "b", "view", json!({})),
    ]);
    for (event, id) in w.events.iter_mut().zip(["s", "-1", "", "s", "s"]) {
        event.session_id = Some(id.to_owned()).filter(|id| !id.is_empty());
    }
    // a's s lasts a day; the event without an id is a session of its own; that of -1 is in none; b's s is b's.
    let answer = agreed(&w, sessions(json!({})));
    assert_eq!(answer["sessions"], json!([2, 1, 0]));
    assert_eq!(answer["total_s"], json!([86_400, 0, 0]));
    assert_eq!(answer["total"]["users"], 2);
    let cut = agreed(&w, sessions(json!({"reset_at_midnight": true})));
    assert_eq!((&cut["sessions"], &cut["total_s"]), (&json!([2, 2, 0]), &json!([0, 0, 0])));
}

#[test]
fn a_session_is_where_it_begins_and_whole() {
    let w = world(&[
        ("2024-12-31T23:50:00Z", "a", "view", json!({})),
        ("2025-01-01T00:10:00Z", "a", "view", json!({})),
        ("2025-01-03T23:50:00Z", "b", "view", json!({})),
        ("2025-01-04T00:10:00Z", "b", "view", json!({})),
    ]);
    // a's began before the range; b's goes on after it.
    let answer = agreed(&w, sessions(json!({})));
    assert_eq!((&answer["sessions"], &answer["total_s"]), (&json!([0, 0, 1]), &json!([0, 0, 1200])));
    // Cut at midnight, a's second half begins inside the range.
    let cut = agreed(&w, sessions(json!({"reset_at_midnight": true})));
    assert_eq!((&cut["sessions"], &cut["total_s"]), (&json!([1, 0, 1]), &json!([0, 0, 0])));
}

#[test]
fn filters_run_before_sessions_are_formed_and_contains_after() {
    let contains = agreed(&visitors(), sessions(json!({"contains": {"event": "buy"}})));
    assert_eq!(
        (&contains["total"]["sessions"], &contains["total"]["events_per_session"]),
        (&json!(1), &json!(2))
    );
    // Without the purchase a's two views are an hour apart.
    let segment = json!({"segment": [{"property": "page", "op": "is", "value": "home"}]});
    let segmented = agreed(&visitors(), sessions(segment));
    assert_eq!((&segmented["total"]["sessions"], &segmented["total"]["total_s"]), (&json!(2), &json!(0)));
}

#[test]
fn lengths_have_bars() {
    let answer = agreed(&visitors(), sessions(json!({"histogram": {"width_s": 600}})));
    let bars = json!([{"bar": 0, "from_s": 0, "sessions": 3, "users": 2}, {"bar": 3, "from_s": 1800, "sessions": 1, "users": 1}]);
    assert_eq!(answer["histogram"], bars);
    let longer = agreed(&visitors(), sessions(json!({"histogram": {"width_s": 1000, "min_s": 1}})));
    assert_eq!(longer["histogram"], json!([{"bar": 1, "from_s": 1001, "sessions": 1, "users": 1}]));
}

#[test]
fn sessions_break_down_by_where_they_begin_or_end() {
    let rows = |at: &str, more: Value| {
        let mut query = sessions(json!({"breakdown": {"property": "page", "at": at}, "interval": "none"}));
        more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        let answer = agreed(&visitors(), query);
        let row = |r: &Value| {
            (r["breakdown"].as_str().unwrap().to_owned(), r["total"]["sessions"].as_i64().unwrap())
        };
        answer["groups"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let named = |rows: &[(&str, i64)]| rows.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect::<Vec<_>>();
    // a: home…shop, home; b: shop, none.
    assert_eq!(rows("entry", json!({})), named(&[("home", 2), ("(none)", 1), ("shop", 1)]));
    assert_eq!(rows("exit", json!({})), named(&[("shop", 2), ("(none)", 1), ("home", 1)]));
    assert_eq!(rows("entry", json!({"limit": 1})), named(&[("home", 2), ("$other", 2)]));
    assert_eq!(rows("entry", json!({"limit": 1, "other": false})), named(&[("home", 2)]));
}

#[test]
fn a_property_or_events_may_say_what_a_session_is() {
    // home and shop are a session each of a's, whatever the time; shop of b's is another, and one event has none.
    let by = agreed(&visitors(), sessions(json!({"session_by": "event.page"})));
    assert_eq!((&by["total"]["sessions"], &by["total"]["total_s"]), (&json!(4), &json!(3600.001)));
    // A purchase ends a's session: the view half an hour later begins another.
    let end = agreed(&visitors(), sessions(json!({"end": {"event": "buy"}, "timeout_min": 60})));
    assert_eq!(end["total"]["sessions"], 3);
    // Only a purchase begins one; the view after it is too late for it, what lies before it is in none.
    let start = agreed(&visitors(), sessions(json!({"start": {"event": "buy"}})));
    assert_eq!((&start["total"]["sessions"], &start["total"]["events_per_session"]), (&json!(1), &json!(1)));
}

#[test]
fn the_microscope_names_who_bounced() {
    let names = |point: Value| {
        let answer = ask(&visitors(), sessions(json!({"microscope": point, "histogram": {"width_s": 600}})));
        answer["actors"].as_array().unwrap().iter().map(|a| a["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"bucket": "2025-01-01", "state": "bounced"})), ["a", "b"]);
    assert_eq!(names(json!({"bar": 3})), ["a"]);
    assert!(names(json!({"bucket": "2025-01-02"})).is_empty());
}
