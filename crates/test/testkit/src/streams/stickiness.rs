//! Random queries of `type: "stickiness"`.

use super::parts::{common, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A stickiness query.
pub fn stickiness() -> impl Strategy<Value = Value> {
    let interval = texts(&["day", "day", "week", "month", "hour"]);
    let period = prop::option::weighted(0.4, texts(&["week", "month"]));
    let rules = (interval, period, any::<bool>(), 1..4u32);
    (common(), selector(), rules).prop_map(|(common, selector, (interval, period, cumulative, min))| {
        let mut query = json!({"type": "stickiness", "interval": interval, "cumulative": cumulative,
            "min_per_interval": min, "period": period});
        if period.is_some() {
            query["interval"] = json!("day");
        }
        with(with(query, &common), &selector)
    })
}
