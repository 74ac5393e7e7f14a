//! The invariants of chapter 14 that apply, on the engine itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "invariants/cohorts.rs"]
mod cohorts;
#[path = "invariants/person_charts.rs"]
mod person_charts;
#[path = "invariants/segmentation.rs"]
mod segmentation;
#[path = "invariants/steps.rs"]
mod steps;
mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Layout, engine, run};
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{self, WorldShape};

const WEEK_MS: i64 = 7 * 86_400_000;

fn worlds() -> impl Strategy<Value = World> {
    streams::world(WorldShape::default()).prop_map(|mut w| {
        w.first_user_owns_device = false;
        w.timezone = "UTC".into();
        w
    })
}

fn ask(world: &World, query: &Value) -> Value {
    run(&engine(world, Layout { commit: 9, compacted: true, late: false, ..Layout::FRESH }), query).unwrap()
}

fn whole(kind: &str, more: Value) -> Value {
    let mut query = json!({"type": kind, "range": {"from": "2025-10-24", "to": "2025-11-07"}, "as_of": "2026-03-01T00:00:00Z"});
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

fn lines(world: &World, more: Value) -> Vec<(Vec<i64>, i64)> {
    let line = |r: &Value| {
        let values = r["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        (values, r["total"].as_i64().unwrap())
    };
    ask(world, &whole("segmentation", more))["series"].as_array().unwrap().iter().map(line).collect()
}

fn counts(world: &World, more: Value) -> Vec<i64> {
    let steps = json!({"steps": [{"event": "view"}, {"event": ["cart", "view"]}, {"event": "buy"}]});
    let mut query = whole("funnel", steps);
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    ask(world, &query)["counts"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn totals_uniques_and_breakdowns_fit_together(world in worlds(), limit in 1usize..4) {
        let series = json!([{"event": "*"}, {"event": "*", "measure": "totals"}]);
        let all = lines(&world, json!({"series": series}));
        let (uniques, totals) = (&all[0], &all[1]);
        let sum = |v: &[i64]| v.iter().sum::<i64>();
        prop_assert!(totals.1 >= uniques.1 && uniques.1 <= sum(&uniques.0));
        prop_assert_eq!(sum(&totals.0), totals.1);
        let parts = lines(&world, json!({"series": [{"event": "*", "measure": "totals"}], "limit": limit,
            "breakdown": [{"property": "amount"}]}));
        prop_assert_eq!(parts.iter().map(|p| p.1).sum::<i64>(), totals.1);
        let is = json!([{"property": "colour", "op": "is", "value": "red"}]);
        let not = json!([{"property": "colour", "op": "is_not", "value": "red"}]);
        let both = lines(&world, json!({"series": [{"event": "*", "measure": "totals", "where": is},
            {"event": "*", "measure": "totals", "where": not}]}));
        prop_assert_eq!(both[0].1 + both[1].1, totals.1);
    }

    #[test]
    fn funnels_fall_and_wider_rules_never_lower_them(world in worlds(), hours in 1i64..48) {
        let window = |h: i64| json!({"window": {"n": h, "unit": "hour"}});
        let narrow = counts(&world, window(hours));
        let wide = counts(&world, window(hours * 2));
        prop_assert!(narrow.windows(2).all(|w| w[0] >= w[1]));
        prop_assert!(narrow.iter().zip(&wide).all(|(n, w)| n <= w));
        let attempt = |name: &str| counts(&world, json!({"window": {"n": hours, "unit": "hour"}, "attempt": name}));
        prop_assert_eq!(&attempt("tightest"), &narrow);
        prop_assert!(attempt("first_entry").iter().zip(&narrow).all(|(f, b)| f <= b));
    }

    #[test]
    fn retention_on_or_after_is_above_on_and_falls(world in worlds(), rolling in any::<bool>()) {
        let table = |kind: &str| {
            let query = whole("retention", json!({"start": {"event": "view"}, "return": {"event": "*"}, "kind": kind,
                "mode": if rolling { "rolling" } else { "calendar" }, "periods": 4}));
            ask(&world, &query)["cohorts"].as_array().unwrap().clone()
        };
        for (on, after) in table("on").iter().zip(table("on_or_after")) {
            let values = |row: &Value| row["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>();
            let (on_values, after_values) = (values(on), values(&after));
            prop_assert_eq!(on_values[0], on["size"].as_i64().unwrap());
            prop_assert!(on_values.iter().zip(&after_values).all(|(o, a)| o <= a));
            prop_assert!(after_values.windows(2).all(|w| w[0] >= w[1]));
        }
    }

    #[test]
    fn merging_persons_never_raises_uniques_and_never_changes_totals(world in worlds(), a in 0usize..4, b in 0usize..4) {
        let mut merged = world.clone();
        let Some(mut last) = world.events.iter().max_by_key(|e| e.seq).cloned() else { return Ok(()) };
        last.seq.received_at += 1000;
        last.event = "$merge".into();
        (last.user_id, last.device_id, last.insert_id) = (Some(format!("u{a}")), None, None);
        last.action = IdentityAction::Merge { other: format!("u{b}") };
        last.ops.clear();
        merged.events.push(last);
        let query = json!({"series": [{"event": "*"}, {"event": "*", "measure": "totals"}]});
        let (before, after) = (lines(&world, query.clone()), lines(&merged, query));
        prop_assert!(after[0].1 <= before[0].1);
        prop_assert!(after[0].0.iter().zip(&before[0].0).all(|(a, b)| a <= b));
        prop_assert_eq!(&after[1], &before[1]);
    }

    #[test]
    fn how_the_log_is_cut_changes_nothing(world in worlds(), query in streams::query(), cut in 1usize..70) {
        let one = run(&engine(&world, Layout { commit: 1000, compacted: false, late: false, ..Layout::FRESH }), &query).unwrap();
        let many = run(&engine(&world, Layout { commit: cut, compacted: cut % 2 == 0, late: true, ..Layout::FRESH }), &query).unwrap();
        let strip = |mut v: Value| {
            v.as_object_mut().unwrap().remove("identity_version");
            v.to_string()
        };
        prop_assert_eq!(strip(one), strip(many));
    }

    #[test]
    fn shifting_everything_by_weeks_shifts_only_labels(world in worlds(), weeks in 1i64..5) {
        let mut later = world.clone();
        later.events.iter_mut().for_each(|e| {
            e.time += weeks * WEEK_MS;
            e.seq.received_at += weeks * WEEK_MS;
        });
        let range = |weeks: i64| {
            let day = |d: i64| tallymark_query::Calendar::utc().label(tallymark_query::Unit::Day, d).unwrap();
            json!({"from": day(1_761_264_000_000 + weeks * WEEK_MS), "to": day(1_762_473_600_000 + weeks * WEEK_MS)})
        };
        for query in [
            whole("segmentation", json!({"series": [{"event": "*"}], "interval": "week"})),
            whole("funnel", json!({"steps": [{"event": "view"}, {"event": "*"}]})),
        ] {
            let at = |weeks: i64| {
                let mut q = query.clone();
                q["range"] = range(weeks);
                q
            };
            let (a, b) = (ask(&world, &at(0)), ask(&later, &at(weeks)));
            prop_assert_eq!(&a["counts"], &b["counts"]);
            prop_assert_eq!(&a["series"], &b["series"]);
        }
    }
}
