//! Cohorts, compositions, revenue, engagement, personas: 9 and 10, and what of 11 cohorts store.

use crate::support::{Layout, PROJECT, engine, run, source};
use crate::{ask, whole, worlds};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tallymark_insights::{Engine, QueryContext};
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::World;
use tallymark_testkit::streams;

fn opened(world: &World) -> Engine {
    engine(world, Layout { commit: 9, compacted: true, late: false, ..Layout::FRESH })
}

/// How many actors the microscope lists.
fn crowd(engine: &Engine, query: &Value, point: Value) -> u64 {
    let mut query = query.clone();
    query["microscope"] = point;
    query["microscope"]["limit"] = json!(10_000);
    let answer = run(engine, &query).unwrap();
    assert_eq!(answer["actors"].as_array().unwrap().len() as u64, answer["size"].as_u64().unwrap());
    answer["size"].as_u64().unwrap()
}

fn rows<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_number_has_its_crowd(world in worlds(), definition in streams::definition()) {
        let engine = opened(&world);
        let query = json!({"type": "cohort", "cohort": definition, "as_of": "2025-11-04T09:00:00Z",
            "range": {"from": "2025-10-30", "to": "2025-11-05"}});
        let answer = run(&engine, &query).unwrap();
        prop_assert_eq!(crowd(&engine, &query, json!({})), answer["size"].as_u64().unwrap());
        for (label, size) in rows(&answer, "buckets").iter().zip(rows(&answer, "values")) {
            if let Some(size) = size.as_u64() {
                prop_assert_eq!(crowd(&engine, &query, json!({"bucket": label})), size);
            }
        }
        let query = whole("composition", json!({"breakdown": {"property": "colour"}, "limit": 2}));
        for row in rows(&run(&engine, &query).unwrap(), "rows") {
            prop_assert_eq!(crowd(&engine, &query, json!({"breakdown": row["breakdown"]})), row["actors"].as_u64().unwrap());
        }
        let revenue = json!({"event": "buy", "property": "amount"});
        let query = whole("ltv", json!({"revenue": revenue, "periods": 3, "as_of": "2025-11-04T09:00:00Z"}));
        for row in rows(&run(&engine, &query).unwrap(), "days") {
            for (state, key) in [("actor", "actors"), ("payer", "payers")] {
                let point = json!({"day": row["day"], "state": state});
                prop_assert_eq!(crowd(&engine, &query, point), row[key].as_u64().unwrap());
            }
        }
        let query = whole("engagement", json!({}));
        for row in rows(&run(&engine, &query).unwrap(), "events") {
            prop_assert_eq!(crowd(&engine, &query, json!({"event": row["event"]})), row["actors"].as_u64().unwrap());
        }
        let query = whole("personas", json!({"clusters": 3}));
        for (i, row) in rows(&run(&engine, &query).unwrap(), "clusters").iter().enumerate() {
            prop_assert_eq!(crowd(&engine, &query, json!({"cluster": i + 1})), row["size"].as_u64().unwrap());
        }
    }

    #[test]
    fn who_belongs_and_who_does_not_are_everybody(world in worlds(), definition in streams::definition()) {
        let size = |cohort: Value| {
            let answer = ask(&world, &json!({"type": "cohort", "cohort": cohort, "as_of": "2025-11-04T09:00:00Z"}));
            answer["size"].as_u64().unwrap()
        };
        let all = size(json!([]));
        prop_assert_eq!(size(definition.clone()) + size(json!({"not": definition})), all);
    }

    #[test]
    fn a_stored_membership_follows_merges(world in worlds(), a in 0usize..4, b in 0usize..4) {
        let context = QueryContext::default();
        let buyers = json!({"performed": "buy"});
        let stored = opened(&world).compute_cohort(PROJECT, &buyers, &context).unwrap();
        let page = |world: &World| {
            let engine = Engine::new(Arc::new(source(world, Layout::FRESH)), 1);
            engine.members(PROJECT, &stored.bytes, None, 1000, &context).unwrap()
        };
        let now = ask(&world, &json!({"type": "cohort", "cohort": buyers}));
        let names = |page: &Value| -> Vec<Value> {
            page["members"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect()
        };
        prop_assert_eq!(json!(names(&page(&world))), now["members"].clone());
        // After a merge, members are the persons that they are part of now: those who bought, as before.
        let mut merged = world.clone();
        let Some(mut last) = world.events.iter().max_by_key(|e| e.seq).cloned() else { return Ok(()) };
        last.seq.received_at += 1000;
        last.event = "$merge".into();
        (last.user_id, last.device_id, last.insert_id) = (Some(format!("u{a}")), None, None);
        last.action = IdentityAction::Merge { other: format!("u{b}") };
        last.ops.clear();
        merged.events.push(last);
        let after = ask(&merged, &json!({"type": "cohort", "cohort": buyers}));
        prop_assert_eq!(json!(names(&page(&merged))), after["members"].clone());
        prop_assert!(after["size"].as_u64() <= now["size"].as_u64());
    }
}
