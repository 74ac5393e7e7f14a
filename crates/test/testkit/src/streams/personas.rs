//! Random queries of `type: "personas"`.

use super::cohort::definition;
use super::parts::{common, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A personas query.
pub fn personas() -> impl Strategy<Value = Value> {
    (common(), 1..5u32, 1..5u32, prop::option::of(definition())).prop_map(
        |(common, clusters, events, target)| {
            let query = json!({"type": "personas", "clusters": clusters, "events": events});
            let mut query = with(query, &common);
            if let Some(target) = target {
                // Cohorts are made of persons.
                query["target"] = target;
                query["count_by"] = json!("person");
            }
            query
        },
    )
}
