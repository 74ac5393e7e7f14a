//! What is refused, and how it is said.

use super::Query;
use crate::{Error, ErrorKind};
use serde_json::{Value, json};

fn with(base: &Value, key: &str, value: Value) -> Value {
    let mut query = base.clone();
    query[key] = value;
    query
}

fn refused(query: &Value) -> Error {
    let error = Query::parse(query).expect_err(&query.to_string());
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
    error
}

fn segmentation() -> Value {
    json!({"type": "segmentation", "series": [{"event": "a"}], "range": {"last": 7, "unit": "day"}})
}

fn funnel() -> Value {
    json!({"type": "funnel", "steps": [{"event": "a"}, {"event": "b"}], "range": {"last": 7, "unit": "day"}})
}

fn retention() -> Value {
    json!({"type": "retention", "start": {"event": "a"}, "return": {"event": "b"}, "range": {"last": 7, "unit": "day"}})
}

#[test]
fn the_smallest_queries_parse() {
    for query in [segmentation(), funnel(), retention()] {
        Query::parse(&query).unwrap_or_else(|e| panic!("{query}: {e}"));
    }
}

#[test]
fn errors_name_the_path_and_what_is_allowed() {
    let cases = [
        (json!([]), "query", "object"),
        (json!({}), "type", "missing"),
        (json!({"type": "chart"}), "type", "segmentation"),
        (with(&segmentation(), "range", Value::Null), "range", "missing"),
        (with(&segmentation(), "range", json!({"from": "2025-01-01"})), "range.to", "missing"),
        (with(&segmentation(), "range", json!({"last": 0, "unit": "day"})), "range.last", "from 1"),
        (with(&segmentation(), "range", json!({"last": 3, "unit": "fortnight"})), "range.unit", "week"),
        (with(&segmentation(), "series", json!([])), "series", "missing"),
        (with(&segmentation(), "series", json!([{"measure": "uniques"}])), "series[0].event", "missing"),
        (with(&segmentation(), "series", json!([{"event": 5}])), "series[0].event", "number"),
        (with(&segmentation(), "series", json!([{"event": ["a", 5]}])), "series[0].event", "names"),
        (
            with(&segmentation(), "series", json!([{"event": "a", "measure": "most"}])),
            "series[0].measure",
            "uniques",
        ),
        (
            with(&segmentation(), "series", json!([{"event": "a", "measure": "p101"}])),
            "series[0].measure",
            "pNN",
        ),
        (
            with(&segmentation(), "series", json!([{"event": "a", "measure": "sum"}])),
            "series[0].property",
            "missing",
        ),
        (
            with(&segmentation(), "series", json!([{"event": "a", "property": "x"}])),
            "series[0].property",
            "no meaning",
        ),
        (with(&segmentation(), "interval", json!("decade")), "interval", "quarter"),
        (with(&segmentation(), "breakdown", json!([{"property": ""}])), "breakdown[0].property", "missing"),
        (
            with(&segmentation(), "breakdown", json!([{"property": "x", "scope": "team"}])),
            "breakdown[0].scope",
            "person",
        ),
        (
            with(&segmentation(), "breakdown", json!([{"property": "x", "bins": [3, 1]}])),
            "breakdown[0].bins",
            "ascending",
        ),
        (with(&segmentation(), "limit", json!(0)), "limit", "from 1 to 10000"),
        (with(&segmentation(), "as_of", json!("soon")), "as_of", "instant"),
        (with(&segmentation(), "count_by", json!("household")), "count_by", "device"),
        (with(&segmentation(), "formula", json!("A / B")), "formula[0]", "no series B"),
        (with(&segmentation(), "segment", json!([{"property": "x", "op": "like"}])), "segment[0]", "like"),
        (
            with(&segmentation(), "segment", json!([{"property": "x", "op": "regex", "value": "("}])),
            "segment[0]",
            "(",
        ),
        (with(&funnel(), "steps", json!([])), "steps", "1 to 20"),
        (with(&funnel(), "window", json!({"n": 367, "unit": "day"})), "window", "366"),
        (with(&funnel(), "window", json!({"n": -1, "unit": "day"})), "window", "366"),
        (with(&funnel(), "tie_tolerance_ms", json!(-1)), "tie_tolerance_ms", "from 0"),
        (with(&retention(), "start", Value::Null), "start", "missing"),
        (with(&retention(), "periods", json!(1.5)), "periods", "whole number"),
        (with(&retention(), "interval", json!("year")), "interval", "month"),
    ];
    for (query, path, part) in cases {
        let error = refused(&query);
        let text = format!("{error} ({})", error.hint());
        assert!(text.starts_with(path), "{query}: {text}");
        assert!(text.contains(part), "{query}: {text}");
    }
}

#[test]
fn unknown_keys_are_not_passed_over() {
    for (query, path) in [
        (with(&segmentation(), "serie", json!([])), "serie"),
        (with(&segmentation(), "series", json!([{"event": "a", "colour": 1}])), "series[0].colour"),
        (with(&segmentation(), "range", json!({"last": 1, "unit": "day", "from": "x"})), "range.from"),
        (with(&funnel(), "series", json!([])), "series"),
        (with(&funnel(), "steps", json!([{"event": "a", "name": "b"}])), "steps[0].name"),
        (with(&retention(), "return", json!({"event": "a", "x": 1})), "return.x"),
    ] {
        let error = refused(&query);
        assert_eq!(error.code(), "TM0302", "{error}");
        assert!(error.to_string().starts_with(path), "{error}");
        assert!(error.hint().starts_with("known here: "), "{}", error.hint());
    }
}

#[test]
fn options_that_are_not_computed_are_refused_by_name() {
    let series = |key: &str, value: Value| {
        with(&segmentation(), "series", json!([with(&json!({"event": "a"}), key, value)]))
    };
    let step =
        |key: &str, value: Value| with(&funnel(), "steps", json!([with(&json!({"event": "a"}), key, value)]));
    for (query, name) in [
        (series("lookback", json!("range_only")), "lookback"),
        (series("cumulative_uniques", json!("sum")), "cumulative_uniques"),
        (with(&retention(), "segment_scope", json!("attribution")), "attribution"),
        (
            with(
                &json!({"type": "paths", "range": {"last": 1, "unit": "day"}}),
                "through",
                json!({"funnel": {"steps": [{"event": "a"}, {"event": "b"}], "count": "totals"}}),
            ),
            "totals",
        ),
        (step("optional", json!(true)), "optional"),
        (step("anchor", json!(true)), "anchor"),
        (step("within", json!({"n": 1, "unit": "day"})), "within"),
        (
            with(&with(&funnel(), "order", json!("any_order")), "strict_increase", json!(true)),
            "strict_increase",
        ),
        (
            with(
                &with(&funnel(), "over_time", json!({"interval": "day"})),
                "histogram",
                json!({"width_s": 60}),
            ),
            "histogram",
        ),
        (
            with(
                &with(&with(&funnel(), "count", json!("totals")), "exclusion_effect", json!("remove")),
                "exclusions",
                json!([{"event": "x"}]),
            ),
            "remove",
        ),
        (with(&with(&funnel(), "count", json!("totals")), "microscope", json!({"step": 1})), "microscope"),
        (
            with(
                &funnel(),
                "breakdown",
                json!([{"property": "x", "at": "all_steps"}, {"property": "y", "at": "step:1"}]),
            ),
            "all_steps",
        ),
        (with(&retention(), "brackets", json!([[0, 1]])), "brackets"),
        (
            with(&with(&retention(), "overall", json!("dedup_actors")), "measure", json!({"sum": "x"})),
            "dedup_actors",
        ),
        (with(&retention(), "kind", json!("usage_interval")), "return"),
    ] {
        let error = refused(&query);
        assert_eq!(error.code(), "TM0303", "{query}: {error}");
        assert!(error.to_string().contains(name), "{query}: {error}");
    }
    // Said with its default value, an option asks for nothing that is missing.
    for query in [
        with(&funnel(), "order", json!("this_order")),
        with(&funnel(), "exclusions", json!([])),
        with(&funnel(), "count", json!("uniques")),
        with(&segmentation(), "new_users_only", json!(false)),
    ] {
        Query::parse(&query).unwrap_or_else(|e| panic!("{query}: {e}"));
    }
}

#[test]
fn depth_is_bounded() {
    let mut condition = json!({"property": "x", "op": "is_set"});
    for _ in 0..1000 {
        condition = json!({"not": condition});
    }
    let query = with(&segmentation(), "segment", json!([condition]));
    let error = refused(&query);
    assert!(error.to_string().contains("deep"), "{error}");
}

proptest::proptest! {
    /// Whatever is changed in a query, parsing answers and never panics.
    #[test]
    fn parsing_never_panics(
        base in proptest::sample::select(vec![segmentation(), funnel(), retention()]),
        key in proptest::sample::select(vec!["type", "series", "steps", "range", "window", "breakdown", "segment", "start", "limit", "as_of", "formula", "interval", "x"]),
        value in proptest::sample::select(vec![
            json!(null), json!(1), json!(-1.5), json!(1e300), json!("x"), json!(""), json!([]), json!({}), json!([[]]),
            json!([{"event": "a", "where": 5}]), json!({"n": 1e300, "unit": "year"}), json!([{"property": "'; drop table"}]),
            json!({"from": "9999-12-31", "to": "9999-12-31"}), json!({"last": 100000, "unit": "year"}),
        ]),
    ) {
        let _ = Query::parse(&with(&base, key, value));
    }
}
