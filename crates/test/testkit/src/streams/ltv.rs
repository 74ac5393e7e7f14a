//! Random queries of `type: "ltv"`.

use super::parts::{common, selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A revenue query.
pub fn ltv() -> impl Strategy<Value = Value> {
    let revenue = (selector(), texts(&["amount", "mixed"])).prop_map(|(mut revenue, property)| {
        revenue["property"] = property;
        revenue
    });
    let payers = texts(&["by_day", "ever"]);
    (common(), prop::option::of(selector()), revenue, 0..12u32, payers, any::<bool>()).prop_map(
        |(common, start, revenue, periods, payers, zero)| {
            let query = json!({"type": "ltv", "revenue": revenue, "periods": periods, "payers": payers});
            let mut query = with(query, &common);
            if let Some(start) = start {
                query["start"] = start;
            }
            if zero {
                query["div_zero"] = json!(0);
            }
            query
        },
    )
}
