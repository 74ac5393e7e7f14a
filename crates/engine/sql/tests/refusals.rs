//! What a statement may not do, and how it ends when it asks for too much.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::worlds::{Layout, PROJECT};
use support::{engine, refusal, rows, sql};
use tallymark_insights::{Engine, QueryContext};
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{WorldShape, seeded};

fn world(events: usize) -> World {
    seeded(7, WorldShape { events, ..WorldShape::default() })
}

fn small() -> Engine {
    engine(&world(60), Layout::MIXED)
}

#[test]
fn nothing_but_reading_the_projects_tables_is_allowed() {
    let engine = small();
    for text in [
        "DELETE FROM events",
        "INSERT INTO events SELECT * FROM events",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE events",
        "COPY events TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SHOW TABLES",
        "SELECT 1; SELECT 2",
        "SELECT * INTO t FROM events",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "SELECT * FROM generate_series(1, 10)",
        "SELECT * FROM range(1, 10)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM file('/etc/passwd')",
        "SELECT @@version",
        "EXPLAIN ANALYZE SELECT 1",
    ] {
        let (code, message) = refusal(&engine, text);
        assert!(code == "TM0322" || (code == "TM0321" && text.contains("@@")), "{text}: {code} {message}");
    }
    for text in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM \"file:///etc/passwd\"",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM tallymark.project.events",
        "SELECT * FROM project.events",
        "SELECT * FROM datafusion.public.events",
        "SELECT * FROM segments",
        "SELECT version()",
        "SELECT repeat('x', 1000000000)",
        "SELECT input_file_name()",
        "SELECT nothing FROM events",
        "SELECT properties.never_sent FROM events",
        "SELECT custom_properties.never_made FROM events",
        "SELECT $1",
        "SELECT number(event) FROM events",
        "SELECT FROM",
        "",
    ] {
        let (code, message) = refusal(&engine, text);
        assert_eq!(code, "TM0321", "{text}: {message}");
    }
    let (_, message) = refusal(&engine, "SELECT properties.Colour FROM events");
    assert!(message.contains("there is colour"), "{message}");
    let (_, message) = refusal(&engine, "SELECT 1 FROM segments");
    assert!(message.contains("events, persons, person_properties"), "{message}");
}

#[test]
fn long_and_deep_statements_are_refused_and_the_largest_allowed_are_answered() {
    let engine = small();
    let terms = |n: usize, term: &str, op: &str| vec![term; n].join(op);
    let nested = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
    let calls = |n: usize| format!("SELECT {}1{}", "abs(".repeat(n), ")".repeat(n));
    let subqueries = |n: usize| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n));
    for text in [
        format!("SELECT count(*) FROM events WHERE {}", terms(10_000, "1=1", " OR ")),
        format!("SELECT {}", terms(10_000, "1", "+")),
        nested(10_000),
        calls(5_000),
        subqueries(5_000),
        subqueries(10),
        format!("SELECT {} true", "NOT ".repeat(10_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(2_500)),
        format!("SELECT 1 FROM {}", terms(200, "events", ",")),
        format!("SELECT '{}'", "x".repeat(70_000)),
    ] {
        let (code, message) = refusal(&engine, &text);
        assert_eq!(code, "TM0323", "{}…: {message}", &text[..40]);
    }
}

#[test]
fn the_largest_statements_that_are_allowed_are_answered() {
    let engine = small();
    let terms = |n: usize, term: &str, op: &str| vec![term; n].join(op);
    let nested = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
    let calls = |n: usize| format!("SELECT {}1{}", "abs(".repeat(n), ")".repeat(n));
    let subqueries = |n: usize| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n));
    // What is allowed must not use up the stack in any step of planning or running.
    let any = terms(240, "event = 'view'", " OR ");
    let count = rows(&engine, "SELECT count(*) FROM events WHERE event = 'view'");
    assert_eq!(rows(&engine, &format!("SELECT count(*) FROM events WHERE {any}")), count);

    assert_eq!(rows(&engine, &format!("SELECT {}", terms(501, "1", "+"))), json!([[501]]));

    let times = format!(
        "SELECT max(x) FROM (SELECT {} AS x FROM events) e",
        terms(300, "number(properties.amount)", "*")
    );
    sql(&engine, &times).unwrap();

    let texts = format!("SELECT max(x) FROM (SELECT {} AS x FROM events) e", terms(150, "event", "||"));
    sql(&engine, &texts).unwrap();

    let union = terms(30, "SELECT 1 AS n", " UNION ALL ");
    assert_eq!(rows(&engine, &format!("SELECT sum(n) FROM ({union}) u")), json!([[30]]));

    assert_eq!(rows(&engine, &nested(40)), json!([[1]]));
    assert_eq!(rows(&engine, &calls(40)), json!([[1]]));

    sql(&engine, &subqueries(7)).unwrap();
    let cases = format!("SELECT {}1{}", "CASE WHEN 1 = 1 THEN ".repeat(39), " END".repeat(39));
    assert_eq!(rows(&engine, &cases), json!([[1]]));

    let list = (0..8000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    sql(&engine, &format!("SELECT count(*) FROM events WHERE number(properties.amount) IN ({list})"))
        .unwrap();
}

#[test]
fn texts_that_grow_end_the_statement_and_not_the_process() {
    let engine = small();
    let doubled = |grow: &str| {
        let mut with = "a0 AS (SELECT event AS v FROM events)".to_owned();
        for i in 1..30 {
            with.push_str(&format!(", a{i} AS (SELECT {} AS v FROM a{})", grow.replace('v', "v"), i - 1));
        }
        format!("WITH {with} SELECT max(length(v)) FROM a29")
    };
    for grow in ["v || v", "concat(v, v)", "replace(v, 'e', v)", "regexp_replace(v, '.', v, 'g')"] {
        let (code, message) = refusal(&engine, &doubled(grow));
        assert!(code == "TM0324" || code == "TM0311", "{grow}: {code} {message}");
    }
    let constant = "'0123456789' || ".repeat(20);
    assert_eq!(rows(&engine, &format!("SELECT length({constant} '')")), json!([[200]]));
}

#[test]
fn time_memory_and_rows_are_limited() {
    let engine = engine(&world(300), Layout::MIXED);
    let ask = |text: &str, limit: Option<u64>, context: &QueryContext| {
        let mut query = json!({"type": "sql", "sql": text});
        if let Some(limit) = limit {
            query["limit"] = json!(limit);
        }
        engine.run(PROJECT, &query, context)
    };
    let plain = QueryContext::default();
    let cut = ask("SELECT event FROM events", Some(7), &plain).unwrap();
    assert_eq!((cut["rows"].as_array().unwrap().len(), &cut["truncated"]), (7, &json!(true)));
    let exact = ask("SELECT event FROM events LIMIT 7", Some(7), &plain).unwrap();
    assert_eq!((exact["rows"].as_array().unwrap().len(), &exact["truncated"]), (7, &json!(false)));
    assert_eq!(ask("SELECT 1", Some(100_001), &plain).unwrap_err().code(), "TM0301");

    // Rows multiply: 300^4 of them.
    let endless = "SELECT count(*), sum(length(concat(a.event, b.event, c.event, d.event)))
                   FROM events a, events b, events c, events d WHERE a.time <> b.time + INTERVAL '1 second'";
    let short = QueryContext::limited(1 << 30, Duration::from_millis(700));
    let began = Instant::now();
    assert_eq!(ask(endless, None, &short).unwrap_err().code(), "TM0312");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    given_back(&short);

    let stopped = QueryContext::default();
    let flag = stopped.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        flag.cancel.cancel();
    });
    assert_eq!(ask(endless, None, &stopped).unwrap_err().code(), "TM0313");
    stopper.join().unwrap();

    let hungry = "SELECT a.seq, count(*) FROM events a, events b, events c GROUP BY a.seq, b.seq, c.seq";
    let poor = QueryContext::limited(8 << 20, Duration::from_secs(60));
    assert_eq!(ask(hungry, None, &poor).unwrap_err().code(), "TM0311");
    given_back(&poor);
    let sorted = "SELECT concat(a.seq, b.seq, c.seq) AS x FROM events a, events b, events c ORDER BY x";
    assert_eq!(ask(sorted, None, &poor).unwrap_err().code(), "TM0311");
    given_back(&poor);
}

/// A statement that has ended may still be in the middle of a step.
fn given_back(context: &QueryContext) {
    let end = Instant::now() + Duration::from_secs(300);
    while context.budget.used() > 0 {
        assert!(Instant::now() < end, "{} bytes are still held", context.budget.used());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn values_that_fail_are_named() {
    let engine = small();
    for (text, part) in [
        ("SELECT 1 / 0", "ivide by zero"),
        ("SELECT CAST(event AS BIGINT) FROM events", "ast"),
        ("SELECT any_matches(make_array(event), '(') FROM events", "pattern"),
    ] {
        let (code, message) = refusal(&engine, text);
        assert_eq!(code, "TM0324", "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn parameters_are_values_and_nothing_else() {
    let engine = small();
    let ask = |text: &str, params: Value| {
        engine.run(PROJECT, &json!({"type": "sql", "sql": text, "params": params}), &QueryContext::default())
    };
    let found = |text: &str, params: Value| ask(text, params).unwrap()["rows"].clone();
    let views = rows(&engine, "SELECT count(*) FROM events WHERE event = 'view'");
    assert_eq!(found("SELECT count(*) FROM events WHERE event = $1", json!(["view"])), views);
    assert_eq!(found("SELECT count(*) FROM events WHERE event = $1 OR event = $1", json!(["view"])), views);
    let odd = "view' OR '1'='1";
    assert_eq!(found("SELECT count(*) FROM events WHERE event = $1", json!([odd])), json!([[0]]));
    assert_eq!(
        found("SELECT $1 + 1, $2, $3 IS NULL, $4", json!([1, "a", null, true])),
        json!([[2, "a", true, true]])
    );
    assert_eq!(found("SELECT $1 * 2", json!([1.5])), json!([[3]]));
    let all = rows(&engine, "SELECT count(*) FROM events WHERE time >= '2025-10-30'");
    assert_eq!(found("SELECT count(*) FROM events WHERE time >= $1", json!(["2025-10-30"])), all);
    for (text, params) in [
        ("SELECT $1", json!([])),
        ("SELECT 1", json!([1])),
        ("SELECT $2", json!([1])),
        ("SELECT $1", json!([[1]])),
        ("SELECT $1", json!([{"a": 1}])),
        ("SELECT $name", json!([1])),
        ("SELECT ?", json!([1])),
        ("SELECT * FROM $1", json!(["events"])),
    ] {
        assert_eq!(ask(text, params.clone()).unwrap_err().code(), "TM0321", "{text} {params}");
    }
}
