//! `type: "cohort"`, and cohort conditions in queries of other types.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use serde_json::json;
use tallymark_model::IdentityAction;
use tallymark_testkit::reference::{RefEvent, World, replay};
use tallymark_testkit::streams;

/// Worlds without resets of devices that nobody owns: whose operation such a one is, and so whether there is
/// somebody, the semantics leave open.
fn lived_in() -> impl Strategy<Value = World> {
    worlds().prop_map(|mut world| {
        world.events.sort_by_key(|e| e.seq);
        let log: Vec<&RefEvent> = world.events.iter().collect();
        let persons = replay(&log, false).persons;
        let mut owned = persons.into_iter().map(|person| person.is_some());
        world.events.retain(|e| owned.next() == Some(true) || e.action != IdentityAction::Reset);
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn cohorts_agree(world in lived_in(), query in streams::cohort(), layout in layouts()) {
        check(&world, &query, layout)?;
    }

    #[test]
    fn stored_and_nested_cohorts_agree(
        mut world in lived_in(), inner in streams::definition(), outer in streams::definition(), layout in layouts(),
    ) {
        world.cohorts.insert("7".into(), inner);
        world.cohorts.insert("8".into(), json!({"any": [{"cohort": "7"}, outer]}));
        let cohort = json!([{"cohort": "8"}, {"not": {"all": ["7", {"performed": "buy"}]}}]);
        check(&world, &json!({"type": "cohort", "cohort": cohort, "as_of": "2025-11-05T00:00:00Z"}), layout)?;
    }

    #[test]
    fn cohort_conditions_agree_in_segmentation(
        world in lived_in(), mut query in streams::segmentation(), segment in streams::cohort_conditions(),
        condition in streams::cohort_conditions(), layout in layouts(),
    ) {
        query["segment"] = segment;
        query["series"][0]["where"] = condition;
        check(&world, &query, layout)?;
    }

    #[test]
    fn cohort_conditions_agree_in_funnels(
        world in lived_in(), mut query in streams::funnel(), segment in streams::cohort_conditions(),
        condition in streams::cohort_conditions(), layout in layouts(),
    ) {
        query["segment"] = segment;
        if query["segment_scope"] == "attribution" {
            // Nobody but persons belongs to cohorts.
            query["count_by"] = json!("person");
        }
        // Bars are limited by the window, which is not the question here.
        query["histogram"] = json!(null);
        if let Some(step) = query["steps"].as_array_mut().and_then(|steps| steps.last_mut()) {
            step["where"] = condition;
        }
        check(&world, &query, layout)?;
    }

    #[test]
    fn cohort_conditions_agree_in_all_other_types(
        world in lived_in(), mut query in others(), segment in streams::cohort_conditions(), layout in layouts(),
    ) {
        query["segment"] = segment;
        check(&world, &query, layout)?;
    }
}

fn others() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        3 => streams::retention(),
        1 => streams::lifecycle(),
        1 => streams::stickiness(),
        1 => streams::sessions(),
        1 => streams::paths(),
        1 => streams::composition(),
        1 => streams::ltv(),
        1 => streams::engagement(),
        1 => streams::personas(),
    ]
}
