//! Invariants 4, 5, 8, 9, 12 and 13 of funnels and retention with all their options.

use crate::support::{Layout, engine, run};
use crate::{WEEK_MS, ask, worlds};
use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_testkit::streams;

fn with(query: &Value, more: Value) -> Value {
    let mut query = query.clone();
    more.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
    query
}

/// Steps of which no event matches two, in a funnel without further options.
fn plain(steps: usize) -> Value {
    let steps: Vec<Value> = ["view", "cart", "buy"][..steps].iter().map(|e| json!({"event": e})).collect();
    json!({"type": "funnel", "steps": steps, "range": {"from": "2025-10-24", "to": "2025-11-07"},
        "as_of": "2026-03-01T00:00:00Z"})
}

fn numbers(values: &Value) -> Vec<i64> {
    values.as_array().unwrap().iter().map(|v| v.as_i64().unwrap_or(0)).collect()
}

fn below(a: &[i64], b: &[i64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b)
}

/// Size of the crowd at a point, by following its pages.
fn crowd(world: &tallymark_testkit::reference::World, query: &Value, point: Value) -> i64 {
    let answer = ask(world, &with(query, json!({"microscope": with(&point, json!({"limit": 10_000}))})));
    assert_eq!(answer["actors"].as_array().unwrap().len() as i64, answer["size"].as_i64().unwrap());
    answer["size"].as_i64().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn funnels_narrow_and_order_only_takes_away(world in worlds(), steps in 2usize..4, hours in 1i64..60, from in 1usize..3) {
        let counts = |more: Value| {
            let window = json!({"window": {"n": hours, "unit": "hour"}});
            numbers(&ask(&world, &with(&with(&plain(steps), window), more))["counts"])
        };
        let this = counts(json!({}));
        let (exact, any) = (counts(json!({"order": "exact_order"})), counts(json!({"order": "any_order"})));
        for counts in [&this, &exact, &any] {
            prop_assert!(counts.windows(2).all(|w| w[0] >= w[1]), "{counts:?}");
        }
        prop_assert!(exact[steps - 1] <= this[steps - 1] && this[steps - 1] <= any[steps - 1]);
        let repeats = counts(json!({"order": "exact_order", "exact_allow_repeats": true}));
        let wider = counts(json!({"window": {"n": hours * 2, "unit": "hour"}}));
        let tolerant = counts(json!({"tie_tolerance_ms": 7_200_000}));
        prop_assert!(below(&exact, &repeats) && below(&this, &wider) && below(&this, &tolerant));
        let exclusions = json!([{"event": "push", "from": from.min(steps - 1), "to": steps}]);
        let broken = counts(json!({"exclusions": exclusions}));
        let removed = counts(json!({"exclusions": exclusions, "exclusion_effect": "remove"}));
        prop_assert!(below(&broken, &this) && below(&removed, &broken), "{removed:?} {broken:?} {this:?}");
        for order in ["this_order", "exact_order"] {
            let by = |attempt: &str| counts(json!({"order": order, "attempt": attempt, "exclusions": exclusions}));
            prop_assert_eq!(by("best"), by("tightest"));
            prop_assert!(below(&by("first_entry"), &by("best")));
        }
    }

    #[test]
    fn funnel_crowds_have_the_size_of_their_numbers(world in worlds(), query in streams::funnel(), pick in any::<prop::sample::Index>()) {
        let mut query = query;
        query["count"] = json!("uniques");
        query["hold_unit"] = json!("actor");
        let answer = ask(&world, &query);
        let none = vec![answer.clone()];
        let rows = answer["groups"].as_array().filter(|_| !query["breakdown"].is_null()).unwrap_or(&none);
        if rows.is_empty() {
            return Ok(());
        }
        let row = &rows[pick.index(rows.len())];
        let at = |point: Value| with(&point, match row.get("breakdown") {
            Some(label) => json!({"breakdown": label}),
            None => json!({}),
        });
        if query["over_time"].is_object() {
            let to = query["over_time"]["to_step"].as_u64().unwrap_or(query["steps"].as_array().unwrap().len() as u64);
            let buckets = answer["buckets"].as_array().unwrap();
            let busy = numbers(&row["converted"]).iter().position(|n| *n > 0).unwrap_or(0);
            if let Some(bucket) = buckets.get(busy) {
                let point = at(json!({"step": to, "state": "reached", "bucket": bucket}));
                prop_assert_eq!(crowd(&world, &query, point), numbers(&row["converted"])[busy]);
            }
            return Ok(());
        }
        for (k, (reached, dropped)) in numbers(&row["counts"]).iter().zip(numbers(&row["dropped"])).enumerate() {
            prop_assert_eq!(crowd(&world, &query, at(json!({"step": k + 1, "state": "reached"}))), *reached);
            prop_assert_eq!(crowd(&world, &query, at(json!({"step": k + 1, "state": "dropped"}))), dropped);
        }
        for (i, bar) in row["histogram"].as_array().into_iter().flatten().enumerate().filter(|(_, b)| b["count"] != 0).take(2) {
            prop_assert_eq!(&json!(crowd(&world, &query, at(json!({"bar": i})))), &bar["count"]);
        }
    }

    #[test]
    fn retention_rows_fall_and_begin_with_the_size(world in worlds(), query in streams::retention()) {
        prop_assume!(query["kind"] != "usage_interval");
        let base = with(&query, json!({"measure": null, "breakdown": null, "brackets": null, "overall": null}));
        let rows = |kind: &str| ask(&world, &with(&base, json!({"kind": kind})))["cohorts"].as_array().unwrap().clone();
        let (on, after, before, streak) = (rows("on"), rows("on_or_after"), rows("on_or_before"), rows("streak"));
        for (((on, after), before), streak) in on.iter().zip(&after).zip(&before).zip(&streak) {
            let [o, a, b, s] = [on, after, before, streak].map(|r| numbers(&r["values"]));
            prop_assert!(below(&o[1..], &a[1..]) && below(&s[1..], &o[1..]) && below(&o[1..], &b[1..]));
            prop_assert!(a[1..].windows(2).all(|w| w[0] >= w[1]) && s[1..].windows(2).all(|w| w[0] >= w[1]));
            prop_assert!(b[1..].windows(2).all(|w| w[0] <= w[1]));
            if base["day0"] == "size" && !on["values"][0].is_null() {
                prop_assert_eq!(&on["values"][0], &on["size"]);
            }
        }
    }

    #[test]
    fn retention_crowds_have_the_size_of_their_cells(world in worlds(), query in streams::retention(), pick in any::<prop::sample::Index>()) {
        let query = with(&query, json!({"measure": null}));
        let answer = ask(&world, &query);
        if query["kind"] == "usage_interval" {
            for (i, n) in numbers(&answer["counts"]).iter().enumerate().take(2) {
                prop_assert_eq!(crowd(&world, &query, json!({"days": i + 1})), *n);
            }
            return Ok(());
        }
        let none = vec![answer.clone()];
        let rows = answer["groups"].as_array().filter(|_| !query["breakdown"].is_null()).unwrap_or(&none);
        if rows.is_empty() {
            return Ok(());
        }
        let row = &rows[pick.index(rows.len())];
        let busy = |c: &&Value| c["size"].as_u64() > Some(0);
        for cohort in row["cohorts"].as_array().unwrap().iter().filter(busy).take(2) {
            let size = cohort["size"].as_i64().unwrap();
            for (k, value) in cohort["values"].as_array().unwrap().iter().enumerate().filter(|(_, v)| !v.is_null()) {
                let mut point = json!({"cohort": cohort["cohort"], "period": k});
                if let Some(label) = row.get("breakdown") {
                    point["breakdown"] = label.clone();
                }
                let value = value.as_i64().unwrap();
                prop_assert_eq!(crowd(&world, &query, with(&point, json!({"state": "returned"}))), value);
                prop_assert_eq!(crowd(&world, &query, with(&point, json!({"state": "not"}))), size - value);
            }
        }
    }

    #[test]
    fn replaying_a_suffix_and_shifting_by_weeks_change_nothing(
        world in worlds(),
        query in prop_oneof![streams::funnel(), streams::retention()],
        weeks in 1i64..5,
        cut in 1usize..60,
    ) {
        // Files of another cut, as a replay leaves them.
        let strip = |mut v: Value| {
            v.as_object_mut().unwrap().retain(|k, _| !["identity_version", "definition_hash", "as_of", "restated"].contains(&k.as_str()));
            v
        };
        let again = run(&engine(&world, Layout { commit: cut, compacted: true, late: true, ..Layout::FRESH }), &query);
        let answer = strip(ask(&world, &query));
        prop_assert_eq!(&strip(again.unwrap()), &answer);
        // Conditions on dates do not shift along.
        prop_assume!(!query.to_string().contains("before") && !query.to_string().contains("after\""));
        prop_assume!(query["range"]["from"].as_str().is_some_and(|f| !f.contains('T')) && query["interval"] != "month");
        let mut later = world.clone();
        later.events.iter_mut().for_each(|e| {
            e.time += weeks * WEEK_MS;
            e.seq.received_at += weeks * WEEK_MS;
        });
        let day = |text: &Value, by: i64| {
            let at = tallymark_query::parse_instant(&format!("{}T00:00:00Z", text.as_str().unwrap())).unwrap();
            tallymark_query::Calendar::utc().label(tallymark_query::Unit::Day, at + by * WEEK_MS).unwrap()
        };
        let as_of = tallymark_query::parse_instant(query["as_of"].as_str().unwrap()).unwrap();
        let shifted = with(&query, json!({"as_of": as_of + weeks * WEEK_MS,
            "range": {"from": day(&query["range"]["from"], weeks), "to": day(&query["range"]["to"], weeks)}}));
        let unlabelled = |answer: Value| {
            let mut answer = strip(answer);
            answer.as_object_mut().unwrap().remove("buckets");
            let tables = |v: &mut Value| {
                for row in v["cohorts"].as_array_mut().into_iter().flatten() {
                    row["cohort"] = Value::Null;
                }
            };
            answer["groups"].as_array_mut().into_iter().flatten().for_each(tables);
            tables(&mut answer);
            answer
        };
        prop_assert_eq!(unlabelled(ask(&later, &shifted)), unlabelled(ask(&world, &query)));
    }
}
