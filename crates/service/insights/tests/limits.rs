//! Memory, time, cancellation, threads: what a query may take, and what must not depend on it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Layout, PROJECT, source};
use tallymark_insights::{Engine, Error, ErrorKind, QueryContext};
use tallymark_model::ProjectId;
use tallymark_query::{Budget, Context, QueryError};
use tallymark_testkit::streams::{WorldShape, seeded};

fn queries() -> Vec<Value> {
    let common =
        json!({"range": {"from": "2025-10-24", "to": "2025-11-07"}, "as_of": "2025-12-01T00:00:00Z"});
    let with = |mut query: Value| {
        common.as_object().into_iter().flatten().for_each(|(k, v)| query[k] = v.clone());
        query
    };
    vec![
        with(
            json!({"type": "segmentation", "series": [{"event": "*"}, {"event": "buy", "measure": "sum", "property": "amount"},
            {"event": "*", "measure": "distinct", "property": "colour"}], "breakdown": [{"property": "colour"}], "limit": 2}),
        ),
        with(
            json!({"type": "funnel", "steps": [{"event": "*"}, {"event": "*"}, {"event": "buy"}], "window": {"n": 2, "unit": "day"},
            "breakdown": {"scope": "user", "property": "plan"}}),
        ),
        with(
            json!({"type": "retention", "start": {"event": "view"}, "return": {"event": "*"}, "mode": "rolling", "periods": 5}),
        ),
        with(
            json!({"type": "funnel", "steps": [{"event": "view"}, {"event": "*"}, {"event": "buy"}], "order": "exact_order",
            "exclusions": [{"event": "push"}], "hold": [{"property": "colour"}], "between": {"event": "*"},
            "breakdown": [{"property": "amount", "at": "filter_step:2"}], "limit": 3}),
        ),
        with(
            json!({"type": "retention", "start": {"event": "view"}, "return": {"event": "*"}, "kind": "streak", "periods": 5,
            "overall": "dedup_actors", "breakdown": [{"property": "colour"}], "limit": 2}),
        ),
        with(json!({"type": "lifecycle", "event": "view", "new_by": "person"})),
        with(json!({"type": "stickiness", "event": "*", "period": "week"})),
        with(
            json!({"type": "sessions", "timeout_min": 600, "histogram": {"width_s": 60}, "breakdown": {"property": "colour"},
            "limit": 2}),
        ),
        with(
            json!({"type": "paths", "gap_by": "session", "top": 2, "item": {"property": "colour", "events": ["view"]}}),
        ),
    ]
}

fn big() -> tallymark_testkit::reference::World {
    seeded(11, WorldShape { events: 3000, users: 200, devices: 150, tick_ms: 1000, ..WorldShape::default() })
}

#[test]
fn answers_are_the_same_bytes_on_any_number_of_threads_and_in_any_files() {
    let world = big();
    for query in queries() {
        let mut answers = Vec::new();
        for layout in [
            Layout { commit: 97, compacted: false, late: false, ..Layout::FRESH },
            Layout { commit: 97, compacted: true, late: false, ..Layout::FRESH },
        ] {
            let source = Arc::new(source(&world, layout));
            for threads in [1, 2, 5] {
                let answer =
                    Engine::new(source.clone(), threads).run(PROJECT, &query, &QueryContext::default());
                answers.push(answer.unwrap().to_string());
            }
        }
        assert!(answers.windows(2).all(|w| w[0] == w[1]), "{query}");
    }
}

#[test]
fn a_query_that_needs_too_much_memory_ends_with_an_error_and_gives_it_back() {
    let engine =
        support::engine(&big(), Layout { commit: 500, compacted: true, late: false, ..Layout::FRESH });
    for query in queries() {
        let whole = Context { budget: Budget::of(1 << 30), ..Context::default() };
        engine.run(PROJECT, &query, &whole).unwrap();
        assert_eq!(whole.budget.used(), 0, "{query}");
        assert!(whole.budget.peak() > 10_000, "{query}: {}", whole.budget.peak());
        for share in [2, 10, 100] {
            let small = Context { budget: Budget::of(whole.budget.peak() / share), ..Context::default() };
            match engine.run(PROJECT, &query, &small) {
                Err(error @ Error::Query(QueryError::OutOfMemory { .. })) => {
                    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "TM0311"));
                }
                other => panic!("{query} at a {share}th: {other:?}"),
            }
            assert_eq!(small.budget.used(), 0, "{query}");
        }
    }
}

#[test]
fn an_answer_that_would_be_too_large_is_refused_before_it_is_built() {
    let engine =
        support::engine(&big(), Layout { commit: 500, compacted: false, late: false, ..Layout::FRESH });
    let context = Context { budget: Budget::of(64 << 20), ..Context::default() };
    let huge = [
        json!({"type": "retention", "start": {"event": "*"}, "return": {"event": "*"}, "interval": "hour", "periods": 1000,
            "range": {"from": "2025-01-01", "to": "2026-11-07"}, "as_of": "2025-12-01T00:00:00Z", "breakdown": {"property": "amount"}}),
        json!({"type": "segmentation", "series": [{"event": "*"}], "interval": "hour", "limit": 10000,
            "range": {"from": "2024-01-01", "to": "2025-12-07"}, "as_of": "2025-12-01T00:00:00Z",
            "breakdown": [{"property": "amount"}, {"property": "colour"}, {"property": "mixed"}]}),
    ];
    for query in huge {
        let error = engine.run(PROJECT, &query, &context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{query}: {error}");
    }
    assert_eq!(context.budget.used(), 0);
}

#[test]
fn a_cancelled_query_stops_and_a_late_one_says_so() {
    let engine =
        support::engine(&big(), Layout { commit: 500, compacted: false, late: false, ..Layout::FRESH });
    for query in queries() {
        let context = QueryContext::default();
        context.cancel.cancel();
        let error = engine.run(PROJECT, &query, &context).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Cancelled, "TM0313"));
        let error = engine.run(PROJECT, &query, &Context::limited(1 << 30, Duration::ZERO)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "TM0312"));
    }
}

#[test]
fn progress_ends_with_everything_that_was_announced() {
    let engine =
        support::engine(&big(), Layout { commit: 500, compacted: false, late: false, ..Layout::FRESH });
    let context = QueryContext::default();
    engine.run(PROJECT, &queries()[1], &context).unwrap();
    let progress = context.progress.read();
    assert!(progress.row_groups_total > 0 && progress.rows > 0);
    assert_eq!(progress.row_groups_done, progress.row_groups_total);
}

#[test]
fn explain_reads_only_what_can_matter() {
    let engine =
        support::engine(&big(), Layout { commit: 100, compacted: true, late: false, ..Layout::FRESH });
    let mut query = queries().swap_remove(0);
    let whole = engine.explain(PROJECT, &query, &QueryContext::default()).unwrap();
    query["range"] = json!({"from": "2025-10-24", "to": "2025-10-24"});
    query["series"] = json!([{"event": "absent"}]);
    let nothing = engine.explain(PROJECT, &query, &QueryContext::default()).unwrap();
    assert!(whole["scan"]["rows"].as_u64() > Some(0));
    assert_eq!((&nothing["scan"]["rows"], &nothing["scan"]["row_groups_read"]), (&json!(0), &json!(0)));
    let columns = whole["scan"]["columns"].to_string();
    assert_eq!(whole["selectors"][1]["events"], json!(["buy"]));
    assert!(columns.contains("s:colour") && !columns.contains("device_id"), "{columns}");
}

#[test]
fn hostile_names_are_only_names() {
    let engine = support::engine(&big(), Layout::FRESH);
    for name in [
        "'; DROP TABLE x; --",
        "a\"b",
        "s:colour",
        "_overflow",
        "..",
        "a.b.c.d",
        "\u{0}",
        "“q”",
        "${x}",
        "%00",
    ] {
        let mut query = queries().swap_remove(0);
        query["series"] = json!([{"event": name, "measure": "totals", "where": [{"property": name, "op": "is_not", "value": name}]}]);
        query["breakdown"] = json!([{"property": name}, {"scope": "user", "property": name}]);
        let answer = engine.run(PROJECT, &query, &QueryContext::default()).unwrap();
        assert_eq!(answer["series"], json!([]), "{name}");
    }
}

#[test]
fn another_project_is_not_found() {
    let engine = support::engine(&big(), Layout::FRESH);
    let error = engine.run(ProjectId(2), &queries()[0], &QueryContext::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "TM0305"));
}
