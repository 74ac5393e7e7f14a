//! Random queries of `type: "segmentation"`.

use super::parts::{attributed_dimension, common, limits, nth_selector, texts, with};
use proptest::prelude::*;
use serde_json::{Value, json};

const OF_A_PROPERTY: &[&str] = &["sum", "avg", "min", "max", "median", "p90", "distinct", "sum_per_actor"];

/// A segmentation query with any options that go together.
pub fn segmentation() -> impl Strategy<Value = Value> {
    let interval = prop_oneof![
        4 => Just(json!("day")),
        4 => texts(&["hour", "week", "month", "quarter", "year", "none"]),
    ];
    let breakdown = prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(attributed_dimension(), 1..3)];
    let series = prop::collection::vec(series(), 1..3);
    (common(), series, interval, breakdown, limits(), options()).prop_map(
        |(common, mut series, interval, breakdown, limits, options)| {
            if interval == "year" {
                series.iter_mut().for_each(without_rolling);
            }
            let numbers = series.iter().all(|s| s["measure"] != "frequency");
            let letters = if series.len() == 1 { "one" } else { "two" };
            let query = json!({"type": "segmentation", "series": series, "interval": interval});
            let mut query = with(with(query, &common), &options["query"]);
            if numbers && options["formula"] == true {
                query["formula"] = options[letters].clone();
            }
            if breakdown.is_empty() {
                query
            } else {
                with(with(query, &limits), &json!({"breakdown": breakdown}))
            }
        },
    )
}

fn series() -> impl Strategy<Value = Value> {
    let measure = texts(&[
        "uniques",
        "uniques",
        "totals",
        "average",
        "frequency",
        "sessions",
        "sum",
        "avg",
        "min",
        "max",
        "median",
        "p90",
        "distinct",
        "sum_per_actor",
    ]);
    let property = prop_oneof![
        3 => texts(&["amount", "mixed"]),
        1 => Just(json!({"scope": "user", "property": "score"})),
    ];
    (nth_selector(), measure, property, prop::bool::weighted(0.3), shape()).prop_map(
        |(mut series, measure, property, of_active, shape)| {
            let name = measure.as_str().unwrap_or_default().to_owned();
            if OF_A_PROPERTY.contains(&name.as_str()) {
                series["property"] = property;
            }
            let of_active = of_active && ["uniques", "sum_per_actor"].contains(&name.as_str());
            if of_active {
                series["of_active"] = json!(true);
            }
            series["measure"] = measure;
            let senseless = (name == "frequency" && !shape["rolling_average"].is_null())
                || (!shape["cumulative_uniques"].is_null() && (name != "uniques" || of_active));
            if senseless { series } else { with(series, &shape) }
        },
    )
}

/// Several years are longer than any window may be.
fn without_rolling(series: &mut Value) {
    for key in ["rolling_window", "rolling_average", "lookback"] {
        series.as_object_mut().map(|map| map.remove(key));
    }
}

/// How a line is made of its buckets.
fn shape() -> impl Strategy<Value = Value> {
    let n = || 1..5u32;
    prop_oneof![
        4 => Just(json!({})),
        2 => n().prop_map(|n| json!({"rolling_window": n})),
        1 => n().prop_map(|n| json!({"rolling_window": n, "lookback": "range_only"})),
        2 => n().prop_map(|n| json!({"rolling_average": n})),
        1 => n().prop_map(|n| json!({"rolling_average": n, "lookback": "range_only"})),
        1 => Just(json!({"cumulative": true})),
        1 => Just(json!({"cumulative": true, "cumulative_uniques": "sum"})),
    ]
}

/// `{query, formula, one, two}`: keys of the query, and formulas for one series and for two.
fn options() -> impl Strategy<Value = Value> {
    let compare = prop::option::weighted(
        0.2,
        (1..3u32, texts(&["day", "week", "month", "hour"]))
            .prop_map(|(n, unit)| json!({"n": n, "unit": unit})),
    );
    let one = texts(&["A * 2 - 1", "LN(A) + EXP(A / 100)", "1 / (A - 1)", "trendline(A)", "-LOG(A + 1, 2)"]);
    let two = texts(&[
        "A / B",
        "(A + B) * 0.5",
        "TRENDLINE(A - B)",
        "POWER(A, 2) / SQRT(B)",
        "ABS(B - A) + LOG(A)",
    ]);
    let flag = || prop::bool::weighted(0.2);
    (compare, flag(), flag(), flag(), flag(), one, two).prop_map(
        |(compare, new, zero, expand, formula, one, two)| {
            let mut query = json!({});
            compare.into_iter().for_each(|c| query["compare"] = c);
            for (key, value, given) in [
                ("new_users_only", json!(true), new),
                ("div_zero", json!(0), zero),
                ("edge", json!("expand"), expand),
            ] {
                if given {
                    query[key] = value;
                }
            }
            json!({"query": query, "formula": formula, "one": one, "two": [two, "B"]})
        },
    )
}
