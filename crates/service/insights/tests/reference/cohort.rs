//! `type: "cohort"`, and cohort conditions in queries of other types.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use serde_json::json;
use tallymark_testkit::streams;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn cohorts_agree(world in worlds(), query in streams::cohort(), layout in layouts()) {
        check(&world, &query, layout)?;
    }

    #[test]
    fn stored_and_nested_cohorts_agree(
        mut world in worlds(), inner in streams::definition(), outer in streams::definition(), layout in layouts(),
    ) {
        world.cohorts.insert("7".into(), inner);
        world.cohorts.insert("8".into(), json!({"any": [{"cohort": "7"}, outer]}));
        let cohort = json!([{"cohort": "8"}, {"not": {"all": ["7", {"performed": "buy"}]}}]);
        check(&world, &json!({"type": "cohort", "cohort": cohort, "as_of": "2025-11-05T00:00:00Z"}), layout)?;
    }

    #[test]
    fn cohort_conditions_agree_in_segmentation(
        world in worlds(), mut query in streams::segmentation(), segment in streams::cohort_conditions(),
        condition in streams::cohort_conditions(), layout in layouts(),
    ) {
        query["segment"] = segment;
        query["series"][0]["where"] = condition;
        check(&world, &query, layout)?;
    }

    #[test]
    fn cohort_conditions_agree_in_funnels(
        world in worlds(), mut query in streams::funnel(), segment in streams::cohort_conditions(),
        condition in streams::cohort_conditions(), layout in layouts(),
    ) {
        query["segment"] = segment;
        query["steps"][1]["where"] = condition;
        check(&world, &query, layout)?;
    }
}
