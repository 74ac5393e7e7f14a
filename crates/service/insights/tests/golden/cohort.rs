//! Cohorts (chapter 9), one small world per option.

use crate::cases::{ask, at, world};
use crate::support::{Layout, engine, run};
use serde_json::{Value, json};
use tallymark_model::{IdentityAction, PropertyOp, PropertyOpKind};
use tallymark_testkit::reference::World;

fn members(world: &World, cohort: Value, as_of: &str) -> Value {
    let answer = ask(world, json!({"type": "cohort", "cohort": cohort, "as_of": as_of}));
    assert_eq!(answer["size"], answer["members"].as_array().unwrap().len());
    answer["members"].clone()
}

/// a buys on three days, twice on the first; b buys once; c only looks.
fn shop() -> World {
    world(&[
        ("2025-01-01T10:00:00Z", "a", "buy", json!({"amount": 10, "item": "x"})),
        ("2025-01-01T11:00:00Z", "a", "buy", json!({"amount": 5, "item": ["x", "y"]})),
        ("2025-01-03T10:00:00Z", "b", "buy", json!({"amount": "7.5"})),
        ("2025-01-04T00:00:00Z", "c", "look", json!({})),
        ("2025-01-05T10:00:00Z", "a", "buy", json!({"item": ""})),
        ("2025-01-06T10:00:00Z", "a", "buy", json!({"amount": -20})),
        ("2025-01-06T12:00:00Z", "", "buy", json!({"amount": 99})),
    ])
}

const T: &str = "2025-01-07T00:00:00Z";

#[test]
fn counts_are_real_zeros_too() {
    let of = |test: Value| members(&shop(), json!({"performed": {"event": "buy"}, "count": test}), T);
    assert_eq!(of(json!(["gte", 2])), json!(["a"]));
    assert_eq!(of(json!(["is", 1])), json!(["b"]));
    // c never bought: at most one, none, not exactly four.
    assert_eq!(of(json!(["lte", 1])), json!(["b", "c"]));
    assert_eq!(of(json!(["is", 0])), json!(["c"]));
    assert_eq!(of(json!(["is_not", 4])), json!(["b", "c"]));
    assert_eq!(of(json!(["between", [0, 1]])), json!(["b", "c"]));
    assert_eq!(of(json!(["eq", 1])), json!(["b"]));
    let required = json!({"performed": "buy", "count": ["lte", 1], "require_performed": true});
    assert_eq!(members(&shop(), required, T), json!(["b"]));
    // The default is at least once; a day before, b had not bought, and the universe was a alone.
    assert_eq!(members(&shop(), json!({"performed": "buy"}), T), json!(["a", "b"]));
    assert_eq!(members(&shop(), json!({"not": {"performed": "look"}}), "2025-01-02T00:00:00Z"), json!(["a"]));
}

#[test]
fn days_sums_and_distinct_values() {
    let of = |more: Value| {
        let mut clause = json!({"performed": {"event": "buy"}});
        more.as_object().unwrap().iter().for_each(|(k, v)| clause[k] = v.clone());
        members(&shop(), clause, T)
    };
    // a bought four times on three days.
    assert_eq!(of(json!({"distinct_days": ["is", 3]})), json!(["a"]));
    assert_eq!(of(json!({"distinct_days": ["lt", 1]})), json!(["c"]));
    // 10 + 5 - 20 = -5, 7.5 as text; c has no number, so no comparison holds for it.
    assert_eq!(of(json!({"sum": ["amount", "lt", 0]})), json!(["a"]));
    assert_eq!(of(json!({"sum": ["amount", "is", 7.5]})), json!(["b"]));
    assert_eq!(of(json!({"sum": ["amount", "lte", 100]})), json!(["a", "b"]));
    // x and y, elements of a list for themselves, "" is no value.
    assert_eq!(of(json!({"distinct": ["item", "is", 2]})), json!(["a"]));
    assert_eq!(of(json!({"distinct": ["item", "is", 0]})), json!(["b", "c"]));
    // Strictly more purchases than looks: not c with 0 against 1.
    assert_eq!(of(json!({"more_than": {"event": "look"}})), json!(["a", "b"]));
}

#[test]
fn options_of_a_query_do_not_change_what_a_cohort_counts() {
    // b looks at "x" and at nothing, so at one item, whether or not the query shows "" as a value of its own.
    let w = world(&[
        ("2025-01-01T10:00:00Z", "a", "look", json!({"item": "x"})),
        ("2025-01-01T11:00:00Z", "a", "look", json!({"item": ["y", ""]})),
        ("2025-01-01T12:00:00Z", "b", "look", json!({"item": "x"})),
        ("2025-01-01T13:00:00Z", "b", "look", json!({"item": ""})),
    ]);
    let two = json!({"performed": "look", "distinct": ["item", "gte", 2]});
    let whole = json!({"from": "2025-01-01", "to": "2025-01-01"});
    for empty in ["none", "value"] {
        let personas = json!({"type": "personas", "clusters": 1, "range": whole, "target": two,
            "as_of": T, "empty_string": empty});
        assert_eq!(ask(&w, personas)["clusters"][0]["overlap"]["actors"], 1, "{empty}");
        let composition = json!({"type": "composition", "range": whole, "breakdown": {"scope": "event", "property": "item"},
            "segment": [{"cohort": two}], "as_of": T, "empty_string": empty});
        assert_eq!(ask(&w, composition)["total"], 1, "{empty}");
    }
    // What a condition inside of it calls none follows the query.
    let with_item = json!({"performed": {"event": "look",
        "where": [{"scope": "event", "property": "item", "op": "is_set"}]}, "count": ["gte", 2]});
    let overlap = |empty: &str| {
        let query = json!({"type": "personas", "clusters": 1, "range": whole, "target": with_item,
            "as_of": T, "empty_string": empty});
        ask(&w, query)["clusters"][0]["overlap"]["actors"].clone()
    };
    assert_eq!((overlap("none"), overlap("value")), (json!(1), json!(2)));
}

#[test]
fn windows_by_calendar_and_by_elapsed_time() {
    let w = world(&[
        ("2025-01-01T00:00:00Z", "a", "e", json!({})),
        ("2025-01-01T12:00:00Z", "b", "e", json!({})),
        ("2025-01-01T12:00:00.001Z", "c", "e", json!({})),
        ("2025-01-02T11:59:59.999Z", "d", "e", json!({})),
        ("2025-01-02T12:00:00Z", "e", "e", json!({})),
        ("2025-01-02T12:00:00.001Z", "f", "e", json!({})),
    ]);
    let of = |window: Value| members(&w, json!({"performed": "e", "window": window}), "2025-01-02T12:00:00Z");
    // f comes after the instant; e is at it.
    assert_eq!(of(json!({})), json!(["a", "b", "c", "d", "e"]));
    // Two calendar days are today and yesterday from midnight; one rolling day excludes its far end.
    assert_eq!(of(json!({"last": {"n": 2, "unit": "day"}})), json!(["a", "b", "c", "d", "e"]));
    assert_eq!(of(json!({"last": {"n": 1, "unit": "day"}})), json!(["d", "e"]));
    assert_eq!(of(json!({"last": {"n": 1, "unit": "day", "rolling": true}})), json!(["c", "d", "e"]));
    assert_eq!(of(json!({"during": {"from": "2025-01-01", "to": "2025-01-01"}})), json!(["a", "b", "c"]));
    assert_eq!(of(json!({"since": "2025-01-02"})), json!(["d", "e"]));
}

#[test]
fn since_and_last_follow_the_projects_days() {
    let mut w = world(&[
        ("2025-01-01T04:59:59Z", "a", "e", json!({})),
        ("2025-01-01T05:00:00Z", "b", "e", json!({})),
    ]);
    w.timezone = "America/New_York".into();
    let t = "2025-01-01T20:00:00Z";
    assert_eq!(members(&w, json!({"performed": "e", "since": "2025-01-01"}), t), json!(["b"]));
    assert_eq!(members(&w, json!({"performed": "e", "last": {"n": 1, "unit": "day"}}), t), json!(["b"]));
    let both = json!({"performed": "e", "last": {"n": 1, "unit": "year"}});
    assert_eq!(members(&w, both, t), json!(["b"]));
}

#[test]
fn within_first_starts_at_each_persons_first_event() {
    let w = world(&[
        ("2025-01-01T00:00:00Z", "a", "look", json!({})),
        ("2025-01-01T23:59:59.999Z", "a", "buy", json!({})),
        ("2025-01-02T00:00:00Z", "b", "look", json!({})),
        ("2025-01-03T00:00:00Z", "b", "buy", json!({})),
        ("2025-01-04T00:00:00Z", "c", "buy", json!({})),
    ]);
    let clause = json!({"performed": "buy", "within_first": {"n": 1, "unit": "day"}});
    // Exactly a day later is outside; the first event may be the one in question.
    assert_eq!(members(&w, clause, T), json!(["a", "c"]));
}

#[test]
fn first_ever_and_sequences() {
    let w = world(&[
        ("2025-01-01T00:00:00Z", "a", "buy", json!({})),
        ("2025-01-03T00:00:00Z", "a", "buy", json!({})),
        ("2025-01-03T00:00:00Z", "b", "buy", json!({})),
        ("2025-01-03T00:00:00Z", "b", "look", json!({})),
        ("2025-01-04T00:00:00Z", "a", "look", json!({})),
    ]);
    let first = json!({"performed": "buy", "since": "2025-01-02", "nth_first": true});
    assert_eq!(members(&w, first, T), json!(["b"]));
    let then = |a: &str, b: &str, hours: u32| {
        let then = json!({"event": b, "within": {"n": hours, "unit": "hour"}});
        members(&w, json!({"performed": a, "then": then}), T)
    };
    // a looks exactly a day after its second purchase; b looks at the same millisecond, but later in the log.
    assert_eq!(then("buy", "look", 24), json!(["a", "b"]));
    assert_eq!(then("buy", "look", 23), json!(["b"]));
    assert_eq!(then("look", "buy", 24), json!([]));
    // An event does not follow itself.
    assert_eq!(then("buy", "buy", 48), json!(["a"]));
    // The window bounds the first of the two.
    let before = json!({"performed": "buy", "during": {"from": "2025-01-01", "to": "2025-01-02"},
        "then": {"event": "look", "within": {"n": 72, "unit": "hour"}}});
    assert_eq!(members(&w, before, T), json!(["a"]));
}

#[test]
fn properties_now_and_at_any_time() {
    let mut w = world(&[
        ("2025-01-01T00:00:00Z", "a", "e", json!({"page": "home"})),
        ("2025-01-03T00:00:00Z", "a", "e", json!({})),
        ("2025-01-02T00:00:00Z", "b", "e", json!({})),
        ("2025-01-02T00:00:00Z", "c", "$set", json!({})),
    ]);
    let set =
        |value: &str| PropertyOp { kind: PropertyOpKind::Set, name: "plan".into(), value: json!(value) };
    w.events[0].ops = vec![set("free")];
    w.events[1].ops = vec![set("pro")];
    w.events[3].ops = vec![set("free")];
    let of = |more: Value, t: &str| {
        let mut clause = json!({"property": "plan", "op": "is", "value": "free"});
        more.as_object().unwrap().iter().for_each(|(k, v)| clause[k] = v.clone());
        members(&w, clause, t)
    };
    assert_eq!(of(json!({}), T), json!(["c"]));
    assert_eq!(of(json!({}), "2025-01-02T12:00:00Z"), json!(["a", "c"]));
    // c never carried it on an event; a did on the first.
    assert_eq!(of(json!({"when": "any_time"}), T), json!(["a"]));
    assert_eq!(of(json!({"when": "any_time", "since": "2025-01-02"}), T), json!([]));
    assert_eq!(of(json!({"op": "is_not"}), T), json!(["a", "b"]));
    let page = json!({"scope": "event", "property": "page", "op": "is", "value": "home", "when": "any_time"});
    assert_eq!(members(&w, page, T), json!(["a"]));
}

#[test]
fn ids_nested_cohorts_and_circles() {
    let mut w = shop();
    assert_eq!(members(&w, json!({"ids": ["c", "a", "stranger"]}), T), json!(["a", "c"]));
    // An id that only a refused operation named hides nobody: the alias that no user asked for is about d, which
    // is a device all the same.
    let mut named = w.clone();
    let mut alias = named.events[6].clone();
    (alias.event, alias.action) = ("$alias".into(), IdentityAction::Alias { other: "d".into() });
    alias.seq.received_at += 1;
    let mut visit = named.events[3].clone();
    (visit.user_id, visit.device_id) = (None, Some("d".into()));
    visit.seq.received_at = alias.seq.received_at + 1;
    named.events.extend([alias, visit]);
    assert_eq!(members(&named, json!({"ids": ["d"]}), T), json!(["d"]));
    // c has done nothing by then, so it is nobody yet.
    assert_eq!(members(&w, json!({"ids": ["c", "a"]}), "2025-01-02T00:00:00Z"), json!(["a"]));
    w.cohorts.insert("buyers".into(), json!({"performed": "buy"}));
    w.cohorts.insert("few".into(), json!([{"cohort": "buyers"}, {"not": {"ids": ["a"]}}]));
    assert_eq!(members(&w, json!("few"), T), json!(["b"]));
    w.cohorts.insert("x".into(), json!({"any": ["y", "buyers"]}));
    w.cohorts.insert("y".into(), json!({"not": "x"}));
    let error = run(&engine(&w, Layout::FRESH), &json!({"type": "cohort", "cohort": "x"})).unwrap_err();
    assert!(error.to_string().contains("x → y → x"), "{error}");
    // A circle through the condition of a clause is found as well.
    w.cohorts.insert("z".into(), json!({"performed": {"event": "buy", "where": [{"cohort": "z"}]}}));
    let error = run(&engine(&w, Layout::FRESH), &json!({"type": "cohort", "cohort": "z"})).unwrap_err();
    assert!(error.to_string().contains("lead back"), "{error}");
    let error = run(&engine(&w, Layout::FRESH), &json!({"type": "cohort", "cohort": "none"})).unwrap_err();
    assert_eq!(error.code(), "TM0306");
}

#[test]
fn size_over_time_asks_at_the_end_of_each_bucket() {
    let query = json!({"type": "cohort", "cohort": {"performed": "buy", "last": {"n": 2, "unit": "day"}},
        "as_of": "2025-01-06T09:00:00Z", "range": {"from": "2025-01-01", "to": "2025-01-07"}});
    let answer = ask(&shop(), query);
    // a on the 1st and 2nd; b on the 3rd and 4th; a again from the 5th; the 7th has not begun.
    assert_eq!(answer["values"], json!([1, 1, 1, 1, 1, 1, null]));
    assert_eq!(answer["buckets"][6], "2025-01-07");
    assert_eq!(answer["incomplete"], json!([false, false, false, false, false, true, true]));
}

#[test]
fn conditions_hold_at_query_time_or_as_of_each_event() {
    let w = world(&[
        ("2025-01-01T10:00:00Z", "a", "look", json!({})),
        ("2025-01-02T10:00:00Z", "a", "buy", json!({})),
        ("2025-01-02T10:00:00Z", "b", "look", json!({})),
        ("2025-01-03T10:00:00Z", "a", "look", json!({})),
    ]);
    let looks = |condition: Value| {
        let query = json!({"type": "segmentation", "range": {"from": "2025-01-01", "to": "2025-01-03"},
            "as_of": T, "series": [{"event": "look", "measure": "totals"}], "segment": [condition]});
        ask(&w, query)["series"][0]["values"].clone()
    };
    let buyers = json!({"performed": "buy"});
    assert_eq!(looks(json!({"cohort": buyers})), json!([1, 0, 1]));
    assert_eq!(looks(json!({"cohort": buyers, "at": "event_time"})), json!([0, 0, 1]));
    assert_eq!(looks(json!({"not": {"cohort": buyers}})), json!([0, 1, 0]));
    assert_eq!(looks(json!({"not": {"cohort": buyers, "at": "event_time"}})), json!([1, 1, 0]));
}

#[test]
fn merged_persons_are_one_member_under_their_smallest_id() {
    let mut w = world(&[
        ("2025-01-01T10:00:00Z", "z", "buy", json!({})),
        ("2025-01-02T10:00:00Z", "b", "buy", json!({})),
        ("2025-01-03T10:00:00Z", "", "buy", json!({})),
        ("2025-01-04T10:00:00Z", "z", "$merge", json!({})),
    ]);
    w.events[2].device_id = Some("phone".into());
    let twice = json!({"performed": "buy", "count": ["gte", 2]});
    assert_eq!(members(&w, json!({"performed": "buy"}), T), json!(["b", "phone", "z"]));
    w.events[3].action = IdentityAction::Merge { other: "b".into() };
    assert_eq!(members(&w, json!({"performed": "buy"}), T), json!(["b", "phone"]));
    assert_eq!(members(&w, twice, T), json!(["b"]));
    assert!(at(T) > 0);
}

#[test]
fn wrong_definitions_are_refused_with_their_place() {
    let refused = |cohort: Value, place: &str| {
        let error =
            run(&engine(&shop(), Layout::FRESH), &json!({"type": "cohort", "cohort": cohort})).unwrap_err();
        assert!(error.to_string().starts_with(place), "{error}");
    };
    refused(json!({"performed": "buy", "count": ["about", 3]}), "cohort.count");
    refused(json!({"performed": "buy", "counts": ["gte", 3]}), "cohort.counts");
    refused(
        json!({"any": [{"performed": "buy", "last": {"n": 1, "unit": "day"}, "since": "2025-01-01"}]}),
        "cohort.any[0].since",
    );
    refused(json!({"property": "plan", "op": "is", "value": 1, "scope": "event"}), "cohort.when");
    refused(json!({"performed": "buy", "ids": []}), "cohort");
    refused(json!({"all": [7.5, true]}), "cohort.all[1]");
    let query = json!({"type": "segmentation", "range": {"last": 1, "unit": "day"}, "series": [{"event": "*"}],
        "segment": [{"cohort": {"performed": {"name": "buy"}}}]});
    let error = run(&engine(&shop(), Layout::FRESH), &query).unwrap_err();
    assert!(error.to_string().starts_with("segment[0].cohort.performed"), "{error}");
}
