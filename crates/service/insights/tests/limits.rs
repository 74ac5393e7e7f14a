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
    // Kept answers need no memory.
    let engine = engine.keeping(0);
    for query in queries() {
        let whole = Context { budget: Budget::of(1 << 30), ..Context::default() };
        let whole_answer = engine.run(PROJECT, &query, &whole).unwrap();
        assert_eq!(whole.budget.used(), 0, "{query}");
        assert!(whole.budget.peak() > 10_000, "{query}: {}", whole.budget.peak());
        for share in [2, 10, 100] {
            let small = Context { budget: Budget::of(whole.budget.peak() / share), ..Context::default() };
            match engine.run(PROJECT, &query, &small) {
                // Little memory, and yet the same answer: in several passes.
                Ok(answer) => {
                    assert_eq!(answer["definition_hash"], whole_answer["definition_hash"]);
                    assert!(small.reads.report().passes > 1, "{query} at a {share}th");
                }
                Err(error @ Error::Query(QueryError::OutOfMemory { .. })) => {
                    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "TM0311"));
                }
                other => panic!("{query} at a {share}th: {other:?}"),
            }
            assert_eq!(small.budget.used(), 0, "{query}");
        }
    }
}

/// Every query whose records by actor are the greatest part, at less and less memory.
#[test]
fn what_does_not_fit_at_once_is_read_in_passes_with_the_same_answer() {
    let layout = Layout { commit: 500, compacted: true, late: false, ..Layout::FRESH };
    let engine = support::engine(&big(), layout).keeping(0);
    let mut several = 0;
    for query in queries().into_iter().skip(1) {
        let whole = Context { budget: Budget::of(1 << 30), ..Context::default() };
        let expected = engine.run(PROJECT, &query, &whole).unwrap().to_string();
        assert_eq!(whole.reads.report().passes, 1, "{query}");
        for percent in [95, 85, 75, 65, 55] {
            let small =
                Context { budget: Budget::of(whole.budget.peak() * percent / 100), ..Context::default() };
            match engine.run(PROJECT, &query, &small) {
                Ok(answer) => {
                    assert_eq!(answer.to_string(), expected, "{query} at {percent} percent");
                    several += usize::from(small.reads.report().passes > 1);
                }
                Err(error) => assert_eq!(error.code(), "TM0311", "{query}: {error}"),
            }
            assert_eq!(small.budget.used(), 0, "{query}");
        }
    }
    assert!(several >= 8, "only {several} answers took several passes");
}

#[test]
fn more_rows_than_a_query_may_read_are_refused_by_name() {
    let engine = support::engine(&big(), Layout { commit: 500, ..Layout::FRESH });
    let context = Context { rows_max: Some(1000), ..Context::default() };
    let error = engine.run(PROJECT, &queries()[0], &context).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "TM0317"));
    assert!(error.to_string().contains("1000"), "{error}");
}

#[test]
fn hostile_filters_are_refused_and_never_overflow() {
    let engine = support::engine(&big(), Layout::FRESH);
    let with = |condition: Value| {
        let mut query = queries().swap_remove(0);
        query["segment"] = condition;
        engine.run(PROJECT, &query, &QueryContext::default())
    };
    let leaf = || json!({"property": "colour", "op": "is", "value": "red"});
    let mut deep = leaf();
    let mut cohort = json!({"performed": "buy"});
    for _ in 0..300 {
        deep = json!({"not": deep});
        cohort = json!({"not": cohort});
    }
    for (condition, says) in [
        (deep, "deep"),
        (json!([{"cohort": cohort}]), "deep"),
        (json!([{"any": vec![leaf(); 20_000]}]), "10000"),
        (json!([{"property": "colour", "op": "is", "value": vec!["x"; 1_000_000]}]), "100000"),
    ] {
        let error = with(condition).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().len() < 2000, "the message itself is short");
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
fn every_type_explains_itself_so_that_it_can_be_read() {
    let layout = Layout { commit: 100, compacted: true, late: false, ..Layout::FRESH };
    let engine = support::engine(&big(), layout);
    let mut all = queries();
    let range = json!({"from": "2025-10-24", "to": "2025-11-07"});
    all.extend([
        json!({"type": "cohort", "cohort": {"performed": "buy", "last": {"n": 7, "unit": "day"}}, "as_of": "2025-12-01T00:00:00Z"}),
        json!({"type": "composition", "event": "*", "range": range, "breakdown": {"scope": "user", "property": "plan"}}),
        json!({"type": "ltv", "revenue": {"event": "buy", "property": "amount"}, "range": range, "as_of": "2025-12-01T00:00:00Z"}),
        json!({"type": "engagement", "range": range}),
        json!({"type": "personas", "range": range}),
        json!({"type": "realtime"}),
    ]);
    for query in &all {
        let explained = engine.explain(PROJECT, query, &QueryContext::default());
        let explained = explained.unwrap_or_else(|e| panic!("{e} for {query}"));
        let text = explained["text"].as_str().unwrap();
        for part in ["answer ", "snapshot ", "data ", query["type"].as_str().unwrap()] {
            assert!(text.contains(part), "{query}: no {part:?} in\n{text}");
        }
        let scans = explained["scans"].as_array().unwrap();
        assert!(!scans.is_empty() || text.contains("read already"), "{query}:\n{text}");
        for scan in scans.iter().map(|s| &s["scan"]) {
            let n = |key: &str| scan[key].as_u64().unwrap();
            let pruned = n("segments_out_of_time") + n("segments_received_before");
            assert!(n("segments_read") + pruned <= n("segments"), "{scan}");
            let groups = n("row_groups_read") + n("row_groups_out_of_time") + n("row_groups_of_others");
            assert_eq!(groups, n("row_groups"), "{scan}");
        }
    }
    // A cohort is what it was made of, and is never kept.
    let explained = engine.explain(PROJECT, &all[9], &QueryContext::default()).unwrap();
    assert!(explained["cache"]["not_kept_because"].is_string(), "{explained}");
    // Histories of properties, cohorts in conditions, and whether it would be read at all.
    let mut query = queries().swap_remove(1);
    query["segment"] = json!([{"scope": "person", "property": "score", "op": "gt", "value": 1}]);
    let before = engine.explain(PROJECT, &query, &QueryContext::default()).unwrap();
    assert_eq!(
        (&before["timelines"], &before["cache"]["answer"]),
        (&json!(["plan", "score"]), &json!("computed"))
    );
    engine.run(PROJECT, &query, &QueryContext::default()).unwrap();
    let after = engine.explain(PROJECT, &query, &QueryContext::default()).unwrap();
    assert_eq!(after["cache"]["answer"], "cached");
    assert!(after["text"].as_str().unwrap().contains("nothing is read"), "{}", after["text"]);
    query["segment"] = json!([{"cohort": {"performed": "buy"}}]);
    let explained = engine.explain(PROJECT, &query, &QueryContext::default()).unwrap();
    assert_eq!(explained["cohorts"].as_array().unwrap().len(), 1);
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
