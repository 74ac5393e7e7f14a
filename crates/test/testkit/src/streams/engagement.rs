//! Random queries of `type: "engagement"`.

use super::parts::{common, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// An engagement query.
pub fn engagement() -> impl Strategy<Value = Value> {
    let more = (texts(&["average", "days"]), texts(&["median", "mean"]), 1..6u32)
        .prop_map(|(measure, cross, limit)| json!({"measure": measure, "cross": cross, "limit": limit}));
    (common(), prop::option::of(selector()), more).prop_map(|(common, selector, more)| {
        let query = with(with(json!({"type": "engagement"}), &common), &more);
        selector.map_or(query.clone(), |selector| with(query, &selector))
    })
}
