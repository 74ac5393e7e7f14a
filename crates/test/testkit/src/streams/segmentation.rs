//! Random queries of `type: "segmentation"`.

use super::parts::{common, dimension, limits, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A segmentation query.
pub fn segmentation() -> impl Strategy<Value = Value> {
    let measure = texts(&[
        "uniques", "uniques", "totals", "average", "sum", "avg", "min", "max", "median", "p90", "distinct",
    ]);
    let property = texts(&["amount", "mixed"]);
    let series = (selector(), measure, property).prop_map(|(mut series, measure, property)| {
        if !["uniques", "totals", "average"].iter().any(|m| measure == *m) {
            series["property"] = property;
        }
        series["measure"] = measure;
        series
    });
    let interval = prop_oneof![
        4 => Just(json!("day")),
        4 => texts(&["hour", "week", "month", "quarter", "year", "none"]),
    ];
    let breakdown = prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(dimension(), 1..3)];
    let series = prop::collection::vec(series, 1..3);
    (common(), series, interval, breakdown, limits()).prop_map(
        |(common, series, interval, breakdown, limits)| {
            let query = json!({"type": "segmentation", "series": series, "interval": interval});
            let query = with(query, &common);
            if breakdown.is_empty() {
                query
            } else {
                with(with(query, &limits), &json!({"breakdown": breakdown}))
            }
        },
    )
}
