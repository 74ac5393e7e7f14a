//! Lifecycle, stickiness, sessions, paths: 6, 7, 9 and 14.

use crate::support::{Layout, PROJECT, engine, run};
use crate::{ask, whole, worlds};
use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_insights::{Engine, QueryContext};
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{self, WorldShape};

/// Two days with an event every ten minutes or so, and sessions.
fn busy() -> impl Strategy<Value = World> {
    let shape = WorldShape { events: 100, users: 3, devices: 3, days: 2, tick_ms: 600_000, operations: true };
    streams::world(shape).prop_map(|mut w| {
        w.first_user_owns_device = false;
        w
    })
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
}

/// How many actors the microscope lists, after looking that none is listed twice.
fn crowd(engine: &Engine, query: &Value, point: Value) -> u64 {
    let mut query = query.clone();
    query["microscope"] = point;
    query["microscope"]["limit"] = json!(10_000);
    let answer = engine.run(PROJECT, &query, &QueryContext::default()).unwrap();
    let actors = answer["actors"].as_array().unwrap();
    assert!(actors.windows(2).all(|w| w[0] != w[1]));
    assert_eq!(actors.len() as u64, answer["size"].as_u64().unwrap());
    actors.len() as u64
}

fn opened(world: &World) -> Engine {
    engine(world, Layout { commit: 9, compacted: true, late: false, ..Layout::FRESH })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn states_add_up_to_who_was_active(world in worlds(), name in prop::sample::select(vec!["*", "view", "buy"])) {
        let answer = ask(&world, &whole("lifecycle", json!({"event": name})));
        let line = json!({"series": [{"event": name}], "range": {"from": "2025-10-23", "to": "2025-11-07"}});
        let active = numbers(&ask(&world, &whole("segmentation", line))["series"][0]["values"]);
        let [new, returning, resurrecting, dormant] =
            ["new", "returning", "resurrecting", "dormant"].map(|state| numbers(&answer[state]));
        for i in 0..new.len() {
            prop_assert_eq!(new[i] + returning[i] + resurrecting[i], active[i + 1]);
            prop_assert_eq!(returning[i] + dormant[i], active[i]);
        }
    }

    #[test]
    fn bars_add_up_to_who_came(world in worlds(), interval in prop::sample::select(vec!["day", "week", "hour"])) {
        let answer = ask(&world, &whole("stickiness", json!({"event": "*", "interval": interval})));
        let line = json!({"series": [{"event": "*"}], "interval": "none"});
        let came = ask(&world, &whole("segmentation", line))["series"][0]["total"].clone();
        prop_assert_eq!(numbers(&answer["counts"]).iter().sum::<u64>(), came.as_u64().unwrap());
        let query = whole("stickiness", json!({"event": "*", "interval": interval, "cumulative": true}));
        let cumulative = numbers(&ask(&world, &query)["counts"]);
        prop_assert!(cumulative.windows(2).all(|w| w[0] >= w[1]));
        prop_assert_eq!(cumulative[0], came.as_u64().unwrap());
    }

    #[test]
    fn what_comes_to_a_node_leaves_it_or_ends_there(world in busy(), limit in 1u64..6) {
        let query = whole("paths", json!({"measure": "totals", "step_limit": limit, "gap_min": 120}));
        let answer = ask(&world, &query);
        let rows = |key: &str| answer[key].as_array().unwrap().clone();
        let at = |key: &str, step: u64, item: &Value| {
            let here = |row: &&Value| row[0] == step && row[1] == *item;
            rows(key).iter().find(here).map_or(0, |row| row[2].as_u64().unwrap())
        };
        let sum = |step: u64, key: &str, item: &Value| -> u64 {
            let here = |e: &&Value| e["step"] == step && e[key] == *item;
            rows("edges").iter().filter(here).map(|e| e["count"].as_u64().unwrap()).sum()
        };
        for node in rows("nodes") {
            let (step, item, n) = (node[0].as_u64().unwrap(), &node[1], node[2].as_u64().unwrap());
            if step > 1 {
                prop_assert_eq!(sum(step - 1, "to", item), n);
            }
            prop_assert_eq!(sum(step, "from", item) + at("dropoffs", step, item) + at("truncated", step, item), n);
        }
        let first: u64 = rows("nodes").iter().filter(|n| n[0] == 1).map(|n| n[2].as_u64().unwrap()).sum();
        prop_assert_eq!(first, answer["segments"].as_u64().unwrap());
    }

    #[test]
    fn how_the_log_is_cut_changes_nothing(
        world in busy(),
        query in prop_oneof![
            streams::lifecycle().boxed(), streams::stickiness().boxed(), streams::sessions().boxed(), streams::paths().boxed(),
        ],
        cut in 1usize..70,
    ) {
        let answer = |layout: Layout| {
            let mut answer = run(&engine(&world, layout), &query).unwrap();
            answer.as_object_mut().unwrap().remove("identity_version");
            answer.to_string()
        };
        let one = answer(Layout { commit: 1000, ..Layout::FRESH });
        prop_assert_eq!(one, answer(Layout { commit: cut, compacted: cut % 2 == 0, late: true, ..Layout::FRESH }));
    }

    #[test]
    fn merging_persons_never_raises_how_many_there_are(world in busy(), a in 0usize..3, b in 0usize..3) {
        let mut merged = world.clone();
        let Some(mut last) = world.events.iter().max_by_key(|e| e.seq).cloned() else { return Ok(()) };
        last.seq.received_at += 1000;
        last.event = "$merge".into();
        (last.user_id, last.device_id, last.insert_id) = (Some(format!("u{a}")), None, None);
        last.action = IdentityAction::Merge { other: format!("u{b}") };
        last.ops.clear();
        merged.events.push(last);
        let users = |world: &World| {
            let answer = ask(world, &whole("sessions", json!({"interval": "none"})));
            let paths = ask(world, &whole("paths", json!({})));
            let came: u64 = paths["nodes"].as_array().unwrap().iter().filter(|n| n[0] == 1).map(|n| n[2].as_u64().unwrap()).sum();
            (answer["total"]["users"].as_u64().unwrap(), came)
        };
        let (before, after) = (users(&world), users(&merged));
        prop_assert!(after.0 <= before.0);
        // Who begins with an item: segments of the merged person begin where one of theirs did.
        prop_assert!(after.1 <= before.1);
    }

    #[test]
    fn a_lifecycle_list_has_the_size_of_its_number(world in worlds(), query in streams::lifecycle(), pick in 0usize..40) {
        let engine = opened(&world);
        let answer = run(&engine, &query).unwrap();
        let buckets = answer["buckets"].as_array().unwrap();
        let i = pick % buckets.len();
        for state in ["new", "returning", "resurrecting", "dormant"] {
            let listed = crowd(&engine, &query, json!({"bucket": buckets[i], "state": state}));
            prop_assert_eq!(json!(listed), answer[state][i].clone(), "{} {}", state, query);
        }
    }

    #[test]
    fn a_stickiness_list_has_the_size_of_its_number(world in worlds(), query in streams::stickiness(), pick in 0usize..5) {
        let engine = opened(&world);
        let answer = run(&engine, &query).unwrap();
        let (bars, mut point) = match answer["periods"].as_array() {
            None => (answer["counts"].clone(), json!({})),
            Some(periods) => {
                let period = &periods[pick % periods.len()];
                (period["counts"].clone(), json!({"period": period["period"]}))
            }
        };
        for (i, bar) in bars.as_array().unwrap().iter().enumerate().take(8) {
            point["n"] = json!(i + 1);
            prop_assert_eq!(&json!(crowd(&engine, &query, point.clone())), bar, "{} {}", i, query);
        }
    }

    #[test]
    fn a_sessions_list_has_the_size_of_its_number(world in busy(), query in streams::sessions(), pick in 0usize..20) {
        let engine = opened(&world);
        let answer = run(&engine, &query).unwrap();
        let rows = answer["groups"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        for row in rows.iter().take(4) {
            let mut point = json!({"breakdown": row["breakdown"]});
            prop_assert_eq!(&json!(crowd(&engine, &query, point.clone())), &row["total"]["users"], "{}", query);
            for bar in row["histogram"].as_array().into_iter().flatten().take(3) {
                point["bar"] = bar["bar"].clone();
                prop_assert_eq!(&json!(crowd(&engine, &query, point.clone())), &bar["users"], "{}", query);
            }
            point["bar"] = Value::Null;
            if let Some(n) = answer["buckets"].as_array().map(Vec::len).filter(|n| *n > 0) {
                point["bucket"] = answer["buckets"][pick % n].clone();
                prop_assert_eq!(&json!(crowd(&engine, &query, point)), &row["users"][pick % n], "{}", query);
            }
        }
    }

    #[test]
    fn a_paths_list_has_the_size_of_its_number(world in busy(), query in streams::paths()) {
        let mut query = query;
        query["measure"] = json!("uniques");
        let engine = opened(&world);
        let answer = run(&engine, &query).unwrap();
        for edge in answer["edges"].as_array().unwrap().iter().take(5) {
            let point = json!({"step": edge["step"], "from": edge["from"], "to": edge["to"]});
            prop_assert_eq!(&json!(crowd(&engine, &query, point)), &edge["count"], "{}", query);
        }
        for (rows, state) in [("nodes", Value::Null), ("dropoffs", json!("dropped")), ("truncated", json!("truncated"))] {
            for row in answer[rows].as_array().unwrap().iter().rev().take(3) {
                let point = json!({"step": row[0], "item": row[1], "state": state});
                prop_assert_eq!(&json!(crowd(&engine, &query, point)), &row[2], "{} {}", rows, query);
            }
        }
    }
}
