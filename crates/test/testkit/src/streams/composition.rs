//! Random queries of `type: "composition"`.

use super::parts::{common, dimension, limits, selector, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A composition query.
pub fn composition() -> impl Strategy<Value = Value> {
    (common(), prop::option::of(selector()), dimension(), limits()).prop_map(
        |(common, selector, by, limits)| {
            let query = json!({"type": "composition", "breakdown": by});
            let query = with(with(query, &common), &limits);
            selector.map_or(query.clone(), |selector| with(query, &selector))
        },
    )
}
