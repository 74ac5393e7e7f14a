//! `type: "segmentation"`.

use crate::agree::{cases, check, layouts, worlds};
use crate::support::{Layout, engine, run};
use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_insights::Engine;
use tallymark_testkit::streams;

/// How many actors are behind a point.
fn size(engine: &Engine, query: &Value, point: Value) -> Result<i64, TestCaseError> {
    let mut query = query.clone();
    query["microscope"] = point;
    let page = run(engine, &query).map_err(|e| TestCaseError::fail(format!("{e} for {query}")))?;
    prop_assert!(
        page["actors"].as_array().is_some_and(|a| a.len() as i64 == page["size"].as_i64().unwrap_or(-1))
    );
    Ok(page["size"].as_i64().unwrap_or(-1))
}

/// Points of a number or histogram, and how many actors each should have.
fn expected(point: &Value, value: &Value) -> Vec<(Value, i64)> {
    match value {
        Value::Object(bars) => {
            let bar = |(k, n): (&String, &Value)| {
                let mut point = point.clone();
                point["bar"] = json!(k.parse::<i64>().unwrap());
                (point, n.as_i64().unwrap())
            };
            bars.iter().map(bar).collect()
        }
        number => vec![(point.clone(), number.as_i64().unwrap())],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn segmentation_agrees(world in worlds(), query in streams::segmentation(), layout in layouts()) {
        check(&world, &query, layout)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().min(120), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn as_many_actors_are_behind_a_point_as_it_says(
        world in worlds(), mut query in streams::segmentation(), pick in any::<prop::sample::Index>(),
    ) {
        for series in query["series"].as_array_mut().unwrap() {
            if series["measure"] != "frequency" {
                series["measure"] = json!("uniques");
                for key in ["property", "of_active", "rolling_average", "lookback", "cumulative_uniques"] {
                    series.as_object_mut().unwrap().remove(key);
                }
            }
        }
        query["formula"] = Value::Null;
        let engine = engine(&world, Layout::MIXED);
        let answer = run(&engine, &query).map_err(|e| TestCaseError::fail(format!("{e} for {query}")))?;
        let mut points = Vec::new();
        for (part, there) in [(&answer, false), (&answer["compare"], true)] {
            for row in part["series"].as_array().into_iter().flatten() {
                let mut point = json!({"series": row["key"], "breakdown": row["breakdown"], "compare": there});
                points.extend(expected(&point, &row["total"]));
                for (bucket, value) in part["buckets"].as_array().unwrap().iter().zip(row["values"].as_array().unwrap()) {
                    point["bucket"] = bucket.clone();
                    points.extend(expected(&point, value));
                }
            }
        }
        for _ in 0..points.len().min(6) {
            let (point, wanted) = points.swap_remove(pick.index(points.len()));
            let found = size(&engine, &query, point.clone())?;
            prop_assert_eq!(found, wanted, "{} of {}", point, query);
        }
    }
}
