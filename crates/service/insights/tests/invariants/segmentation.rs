//! Segmentation: how its measures and modifiers hang together (1 and 2).

use crate::{ask, whole, worlds};
use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_testkit::reference::World;

/// (values, total) of every row.
fn rows(world: &World, more: Value) -> Vec<(Vec<Value>, Value)> {
    let row = |r: &Value| (r["values"].as_array().unwrap().clone(), r["total"].clone());
    ask(world, &whole("segmentation", more))["series"].as_array().unwrap().iter().map(row).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn sum(values: &[Value]) -> i64 {
    values.iter().map(number).sum()
}

/// (actors, events) of a histogram.
fn counted(histogram: &Value) -> (i64, i64) {
    let bars = histogram.as_object().unwrap();
    let events = |(times, actors): (&String, &Value)| times.parse::<i64>().unwrap() * number(actors);
    (bars.values().map(number).sum(), bars.iter().map(events).sum())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn measures_of_the_same_events_fit_together(world in worlds()) {
        let of = |measure: &str| json!({"event": ["view", "buy"], "measure": measure});
        let series = ["uniques", "totals", "average", "frequency", "sessions"].map(of);
        let all = rows(&world, json!({"series": series}));
        for at in 0..=all[0].0.len() {
            let value = |series: usize| all[series].0.get(at).unwrap_or(&all[series].1);
            let (actors, events) = counted(value(3));
            prop_assert_eq!(actors, number(value(0)));
            prop_assert!(events <= number(value(1)));
            match value(2).as_f64() {
                None => prop_assert_eq!(actors, 0),
                Some(average) => prop_assert!((average * actors as f64 - events as f64).abs() < 1e-9),
            }
        }
        // A session is in one bucket, and holds at least one event.
        prop_assert_eq!(sum(&all[4].0), number(&all[4].1));
        prop_assert!(number(&all[4].1) <= number(&all[1].1));
    }

    #[test]
    fn lines_of_several_buckets_grow_with_them(world in worlds(), n in 2u32..6) {
        let of = |more: Value| {
            let mut series = json!({"event": "*"});
            more.as_object().unwrap().iter().for_each(|(k, v)| series[k] = v.clone());
            series
        };
        let series = [json!({}), json!({"cumulative": true}), json!({"cumulative": true, "cumulative_uniques": "sum"}),
            json!({"rolling_window": n}), json!({"rolling_window": n, "lookback": "range_only"})].map(of);
        let all = rows(&world, json!({"series": series, "range": {"from": "2025-10-27", "to": "2025-11-05"}}));
        let (plain, cumulative, running, rolling, inside) = (&all[0].0, &all[1].0, &all[2].0, &all[3].0, &all[4].0);
        prop_assert_eq!(cumulative.last(), Some(&all[1].1));
        prop_assert_eq!(number(running.last().unwrap()), sum(plain));
        for i in 0..plain.len() {
            prop_assert!(number(&cumulative[i]) <= number(&running[i]));
            prop_assert!(number(&plain[i]) <= number(&inside[i]) && number(&inside[i]) <= number(&rolling[i]));
            prop_assert!(number(&inside[i]) <= number(&cumulative[i]));
        }
    }

    #[test]
    fn first_events_are_one_per_actor_and_every_item_is_in_some_row(world in worlds(), limit in 1u32..4) {
        let series = json!([{"event": "*"}, {"event": "*", "nth": 1, "measure": "totals"}]);
        let all = rows(&world, json!({"series": series, "range": {"from": "2025-01-01", "to": "2025-12-31"}, "interval": "month"}));
        prop_assert_eq!(&all[0].1, &all[1].1);
        let by = |items: &str, limit: u32| {
            let dimension = json!([{"scope": "user", "property": "tags", "items": items}]);
            let series = json!([{"event": "*", "measure": "totals"}]);
            rows(&world, json!({"series": series, "breakdown": dimension, "limit": limit})).iter().map(|r| number(&r.1)).sum::<i64>()
        };
        // Cutting rows off loses no element, and may only unite events that are in several rows.
        prop_assert_eq!(by("all", limit), by("all", 100));
        prop_assert!(by("distinct", limit) <= by("distinct", 100) && by("distinct", 100) <= by("all", 100));
        let totals = rows(&world, json!({"series": [{"event": "*", "measure": "totals"}]}));
        prop_assert!(number(&totals[0].1) <= by("distinct", limit));
    }
}
