//! The invariants of chapter 14 on random worlds and queries, of the reference itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::{World, run};
use tallymark_testkit::streams::{self, WorldShape};

fn world() -> impl Strategy<Value = World> {
    streams::world(WorldShape::default())
}

fn with(query: &Value, key: &str, value: Value) -> Value {
    let mut query = query.clone();
    query[key] = value;
    query
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(0.0)).collect()
}

/// A segmentation query of one series with this measure, without breakdown and modifiers.
fn measured(query: &Value, measure: &str) -> Value {
    const KEPT: [&str; 6] = ["type", "interval", "range", "as_of", "count_by", "segment"];
    let mut query = query.clone();
    let (event, conditions) = (query["series"][0]["event"].clone(), query["series"][0]["where"].clone());
    query["series"] = json!([{"event": event, "where": conditions, "measure": measure}]);
    query.as_object_mut().unwrap().retain(|k, _| k == "series" || KEPT.contains(&k.as_str()));
    query
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_bounds_of_segmentation(world in world(), query in streams::segmentation()) {
        prop_assume!(query["interval"] != "none");
        let uniques = run(&world, &measured(&query, "uniques"))["series"][0].clone();
        let totals = run(&world, &measured(&query, "totals"))["series"][0].clone();
        let (unique, total) = (uniques["total"].as_f64().unwrap(), totals["total"].as_f64().unwrap());
        prop_assert!(total >= unique);
        prop_assert!(unique <= numbers(&uniques["values"]).iter().sum());
        prop_assert_eq!(numbers(&totals["values"]).iter().sum::<f64>(), total);
    }

    #[test]
    fn breakdowns_add_up(world in world(), query in streams::segmentation(), limit in 1..4u32) {
        let by = json!([{"scope": "event", "property": "colour"}]);
        let plain = measured(&query, "totals");
        let broken = with(&with(&plain, "breakdown", by), "limit", json!(limit));
        let rows = run(&world, &broken)["series"].clone();
        let sum: f64 = rows.as_array().unwrap().iter().map(|r| r["total"].as_f64().unwrap()).sum();
        prop_assert_eq!(sum, run(&world, &plain)["series"][0]["total"].as_f64().unwrap());
    }

    #[test]
    fn positive_and_negative_share_all_events(world in world(), query in streams::segmentation()) {
        let plain = measured(&query, "totals");
        let total = |op: Option<&str>| {
            let test = op.map(|op| json!({"property": "mixed", "op": op, "value": "red"}));
            let query = with(&plain, "segment", test.unwrap_or(json!([])));
            run(&world, &query)["series"][0]["total"].as_f64().unwrap()
        };
        prop_assert_eq!(total(Some("is")) + total(Some("is_not")), total(None));
        prop_assert_eq!(total(Some("contains")) + total(Some("not_contains")), total(None));
    }

    #[test]
    fn funnels_narrow_and_wider_windows_never_lose(world in world(), query in streams::funnel()) {
        // Who is counted, by which attempt; optional steps are no part of the chain.
        let mut query = with(&with(&query, "over_time", Value::Null), "breakdown", Value::Null);
        for step in query["steps"].as_array_mut().unwrap() {
            step["optional"] = json!(false);
        }
        let best = with(&query, "attempt", json!("best"));
        let counts = numbers(&run(&world, &best)["counts"]);
        prop_assert!(counts.windows(2).all(|w| w[0] >= w[1]));
        prop_assert_eq!(&counts, &numbers(&run(&world, &with(&query, "attempt", json!("tightest")))["counts"]));
        if query["count"] == "uniques" {
            let first = numbers(&run(&world, &with(&query, "attempt", json!("first_entry")))["counts"]);
            // Of hits that remove an actor, the first entry may be the only one without.
            let removes = query["exclusion_effect"] == "remove" && query["exclusions"] != json!([]);
            prop_assert!(removes || first.iter().zip(&counts).all(|(f, b)| f <= b), "{first:?} {counts:?}");
        }
        let wider = with(&best, "window", json!({"n": 90, "unit": "day"}));
        let steps = query["steps"].as_array().unwrap();
        // Greedy attempts may go another way where one event matches two steps; a wider window meets more exclusions,
        // and holds up the next attempt longer.
        let names: Vec<&Value> = steps.iter().map(|s| &s["event"]).collect();
        let distinct = names.iter().enumerate().all(|(i, a)| {
            a.as_str().is_some_and(|a| !["*", "$active"].contains(&a)) && !names[..i].contains(a)
        });
        let plain = query["order"] == "this_order" && query["exclusions"] == json!([]) && query["count"] == "uniques";
        if distinct && plain && query["tie_tolerance_ms"] == 0 {
            let wider = numbers(&run(&world, &wider)["counts"]);
            prop_assert!(wider.iter().zip(&counts).all(|(w, c)| w >= c), "{wider:?} {counts:?}");
        }
    }

    #[test]
    fn retention_rows_fall(world in world(), query in streams::retention()) {
        prop_assume!(query["kind"] != "usage_interval");
        let query = with(&with(&query, "breakdown", Value::Null), "measure", Value::Null);
        let (on, after) = (with(&query, "kind", json!("on")), with(&query, "kind", json!("on_or_after")));
        let (on, after) = (run(&world, &on), run(&world, &after));
        for (on, after) in on["cohorts"].as_array().unwrap().iter().zip(after["cohorts"].as_array().unwrap()) {
            let (a, b) = (numbers(&on["values"]), numbers(&after["values"]));
            prop_assert!(a.iter().zip(&b).skip(1).all(|(on, after)| on <= after));
            prop_assert!(b.windows(2).skip(1).all(|w| w[0] >= w[1]));
            if query["day0"] == "size" && !on["values"][0].is_null() {
                prop_assert_eq!(&on["values"][0], &on["size"]);
            }
        }
    }

    #[test]
    fn merging_persons_never_raises_uniques(world in world(), query in streams::segmentation(), a in 0..4, b in 0..4) {
        let mut merged = world.clone();
        let Some(last) = world.events.last() else { return Ok(()) };
        let mut merge = last.clone();
        merge.seq.received_at += 1000;
        merge.event = "$merge".into();
        (merge.user_id, merge.device_id, merge.insert_id) = (Some(format!("u{a}")), None, None);
        merge.ops.clear();
        merge.action = IdentityAction::Merge { other: format!("u{b}") };
        merged.events.push(merge);
        // Conditions on user properties may see more after a merge, so they are left out.
        let mut query = measured(&query, "uniques");
        query["segment"] = json!([]);
        query["series"][0]["where"] = json!([]);
        query["count_by"] = json!("person");
        let total = |w: &World, m: &str| run(w, &measured(&query, m))["series"][0]["total"].as_f64().unwrap();
        prop_assert!(total(&merged, "uniques") <= total(&world, "uniques"));
        prop_assert_eq!(total(&merged, "totals"), total(&world, "totals"));
    }

    #[test]
    fn order_of_arrival_changes_nothing(
        (world, events) in world().prop_flat_map(|w| { let e = Just(w.events.clone()).prop_shuffle(); (Just(w), e) }),
        query in streams::query(),
    ) {
        let shuffled = World { events, ..world.clone() };
        prop_assert_eq!(run(&world, &query), run(&shuffled, &query));
    }
}

#[test]
fn random_worlds_have_what_they_are_for() {
    let shape = WorldShape { events: 2000, ..WorldShape::default() };
    let world = streams::seeded(7, shape.clone());
    assert_eq!(world.events, streams::seeded(7, shape.clone()).events);
    assert_ne!(world.events, streams::seeded(8, shape).events);
    assert_eq!(world.events.len(), 2000);
    let share = |test: &dyn Fn(&tallymark_testkit::reference::RefEvent) -> bool| {
        world.events.iter().filter(|e| test(e)).count()
    };
    assert!(share(&|e| e.user_id.is_none() && e.device_id.is_some()) > 100, "anonymous events");
    assert!(share(&|e| e.user_id.is_some() && e.device_id.is_some()) > 100, "pairs");
    assert!(share(&|e| e.user_id.is_none() && e.device_id.is_none()) > 20, "unattributed events");
    assert!(share(&|e| e.action != IdentityAction::None) > 50, "operations");
    assert!(share(&|e| e.properties.get("mixed").is_some_and(Value::is_array)) > 50, "lists");
    assert!(share(&|e| !e.properties.contains_key("amount")) > 50, "missing values");
    assert!(world.events.windows(2).any(|w| w[0].time == w[1].time), "ties");
}

#[test]
fn random_queries_mostly_count_somebody() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let world = streams::seeded(3, WorldShape { events: 150, ..WorldShape::default() });
    let mut positive = |strategy: BoxedStrategy<Value>, number: &dyn Fn(&Value) -> bool| {
        let answers = (0..100).map(|_| run(&world, &strategy.new_tree(&mut runner).unwrap().current()));
        answers.filter(number).count()
    };
    let some = |v: &Value| v.as_f64().unwrap_or(0.0) > 0.0;
    let rows = |v: &Value, key: &str| v[key].as_array().cloned().unwrap_or_else(|| vec![v.clone()]);
    let counted =
        positive(streams::segmentation().boxed(), &|a| rows(a, "series").iter().any(|r| some(&r["total"])));
    let second =
        |g: &Value| some(&g["counts"][1]) || g["converted"].as_array().is_some_and(|c| c.iter().any(some));
    let converted = positive(streams::funnel().boxed(), &|a| rows(a, "groups").iter().any(second));
    let returned = positive(streams::retention().boxed(), &|a| {
        let back = |c: &Value| c["values"].as_array().is_some_and(|v| v.iter().skip(1).any(some));
        some(&a["actors"]) || rows(a, "groups").iter().flat_map(|g| rows(g, "cohorts")).any(|c| back(&c))
    });
    // Histograms and shares of nobody are no numbers.
    assert!(counted > 40 && converted > 25 && returned > 25, "{counted} {converted} {returned}");
}
