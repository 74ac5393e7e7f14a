//! What the tables hold, how much of the files is read, and every example of the documentation.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::worlds::{Layout, PROJECT, source};
use support::{ask, engine, rows, sql};
use tallymark_insights::QueryContext;
use tallymark_model::{Lane, Position, Seq};
use tallymark_testkit::reference::{RefEvent, World};
use tallymark_testkit::streams::{WorldShape, seeded};

const HOUR: i64 = 3_600_000;
/// 2025-03-01T00:00:00Z.
const START: i64 = 1_740_787_200_000;

fn event(i: u64, name: &str, user: &str, properties: Value) -> RefEvent {
    let position = Position { lane: Lane::Live, partition: 0, offset: i };
    RefEvent {
        event: name.to_owned(),
        time: START + i as i64 * HOUR,
        seq: Seq::new(START + i as i64 * HOUR + 5, position),
        user_id: Some(user.to_owned()),
        properties: properties.as_object().unwrap().clone(),
        ..RefEvent::default()
    }
}

fn world(events: Vec<RefEvent>) -> World {
    World { events, timezone: "Europe/Berlin".to_owned(), ..World::default() }
}

fn typed() -> World {
    world(vec![
        event(
            0,
            "buy",
            "u1",
            json!({"price": 2, "ok": true, "plan": "pro", "any": 1, "Big": 9007199254740993u64}),
        ),
        event(1, "buy", "u1", json!({"price": 2.5, "ok": false, "plan": "", "any": "one"})),
        event(
            2,
            "view",
            "u2",
            json!({"any": [1, "x", null], "o": {"city": "Ulm"}, "at": "2025-03-01T01:00:00Z"}),
        ),
        event(3, "view", "u2", json!({"any": true, "plan": "free", "odd name\"": 7, "at": 1740787200})),
    ])
}

#[test]
fn a_property_is_a_column_of_its_type() {
    for layout in [Layout::FRESH, Layout::MIXED, Layout { compacted: true, ..Layout::FRESH }] {
        let engine = engine(&typed(), layout);
        let answer = sql(
            &engine,
            "SELECT properties.price, e.properties.ok, properties.plan, properties.any, properties.o.city,
                    properties.\"odd name\"\"\", properties.o, number(properties.any) AS n, json(properties.any) AS j,
                    texts(properties.any) AS l, instant(properties.at) AS at, properties.Big
             FROM events e ORDER BY time",
        )
        .unwrap();
        let kinds: Vec<&str> =
            answer["columns"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "number",
                "boolean",
                "text",
                "text",
                "text",
                "number",
                "text",
                "number",
                "text",
                "list",
                "timestamp",
                "number"
            ]
        );
        assert_eq!(answer["columns"][0]["name"], "properties.price");
        assert_eq!(
            answer["rows"],
            json!([
                [2, true, "pro", "1", null, null, null, 1, "1", ["1"], null, 9007199254740992.0],
                [2.5, false, null, "one", null, null, null, null, "\"one\"", ["one"], null, null],
                [
                    null,
                    null,
                    null,
                    "[1,\"x\",null]",
                    "Ulm",
                    null,
                    "{\"city\":\"Ulm\"}",
                    null,
                    "[1,\"x\",null]",
                    ["1", "x"],
                    "2025-03-01T01:00:00.000Z",
                    null
                ],
                [
                    null,
                    null,
                    "free",
                    "true",
                    null,
                    7,
                    null,
                    null,
                    "true",
                    ["true"],
                    "2025-03-01T00:00:00.000Z",
                    null
                ],
            ]),
            "{layout:?}"
        );
    }
}

#[test]
fn events_say_what_the_list_of_events_says() {
    let world = seeded(3, WorldShape { events: 60, ..WorldShape::default() });
    let engine = engine(&world, Layout::MIXED);
    let request = tallymark_insights::EventsRequest { limit: 1000, ..Default::default() };
    let listed = engine.events(PROJECT, &request, &QueryContext::default()).unwrap();
    let mut expected: Vec<Value> = listed["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| !tallymark_model::is_operation(e["event"].as_str().unwrap()))
        .map(|e| {
            json!([
                e["event"],
                e["time"],
                e["received_at"],
                e["seq"],
                e["person"],
                e["user_id"],
                e["device_id"],
                e["session_id"],
                e["insert_id"],
                e["properties"].to_string(),
                e["groups"].to_string(),
                e["annotations"].to_string(),
                e["groups"]["team"],
            ])
        })
        .collect();
    let key = |row: &Value| row[3].as_str().unwrap_or_default().to_owned();
    expected.sort_by_key(key);
    let found = rows(&engine, "
        SELECT event, time, received_at, seq, person, user_id, device_id, session_id, insert_id, properties, groups,
               annotations, groups.team FROM events");
    let mut found = found.as_array().unwrap().clone();
    found.sort_by_key(key);
    assert!(found.len() > 30);
    assert_eq!(found, expected);
    let star = sql(&engine, "SELECT * FROM events LIMIT 1").unwrap();
    assert_eq!(star["columns"].as_array().unwrap().len(), 14);
}

#[test]
fn zones_are_those_that_are_asked_for() {
    let engine = engine(&typed(), Layout::FRESH);
    assert_eq!(
        rows(
            &engine,
            "
            SELECT time, local_time, date_trunc('day', time), date_trunc('day', local_time),
                   date_part('hour', time AT TIME ZONE 'America/New_York'), CAST(local_time AS DATE)
            FROM events ORDER BY time LIMIT 1"
        ),
        json!([[
            "2025-03-01T00:00:00.000Z",
            "2025-03-01T01:00:00.000+01:00",
            "2025-03-01T00:00:00.000Z",
            "2025-03-01T00:00:00.000+01:00",
            19,
            "2025-03-01",
        ]])
    );
    let counted = |condition: &str| rows(&engine, &format!("SELECT count(*) FROM events WHERE {condition}"));
    assert_eq!(counted("time >= '2025-03-01T02:00:00Z'"), json!([[2]]));
    assert_eq!(counted("time >= '2025-03-01T02:00:00+01:00'"), json!([[3]]));
    assert_eq!(counted("time < TIMESTAMP '2025-03-01 02:00:00'"), json!([[2]]));
    assert_eq!(counted("local_time BETWEEN '2025-03-01T01:00:00Z' AND '2025-03-01T02:00:00Z'"), json!([[2]]));
    let asked =
        json!({"type": "sql", "sql": "SELECT now(), count(*) FROM events", "as_of": "2025-03-01T01:30:00Z"});
    assert_eq!(ask(&engine, &asked).unwrap()["rows"], json!([["2025-03-01T01:30:00.000Z", 2]]));
}

#[test]
fn range_and_segment_decide_which_events_there_are() {
    let engine = engine(&typed(), Layout::FRESH);
    let count = |extra: Value| {
        let mut query = json!({"type": "sql", "sql": "SELECT count(*) FROM events"});
        query.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ask(&engine, &query).unwrap()["rows"][0][0].as_i64().unwrap()
    };
    assert_eq!(count(json!({})), 4);
    assert_eq!(count(json!({"range": {"from": "2025-03-01T01:00:00Z", "to": "2025-03-01T03:00:00Z"}})), 2);
    assert_eq!(count(json!({"segment": [{"property": "plan", "op": "is", "value": ["pro", "free"]}]})), 2);
    let refused = |extra: Value| {
        let mut query = json!({"type": "sql", "sql": "SELECT 1"});
        query.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ask(&engine, &query).unwrap_err().code()
    };
    assert_eq!(refused(json!({"count_by": "device"})), "TM0303");
    assert_eq!(refused(json!({"microscope": {}})), "TM0303");
    assert_eq!(refused(json!({"sql": 1})), "TM0301");
    assert_eq!(refused(json!({"stuff": 1})), "TM0302");
}

#[test]
fn renames_and_virtual_events_hold() {
    let mut world = typed();
    world.definitions.renames.push(("purchase".to_owned(), vec!["buy".to_owned()]));
    world.definitions.virtual_events.push((
        "expensive".to_owned(),
        json!({"any": [{"event": "purchase", "where": [{"property": "price", "op": "gt", "value": 2}]}]}),
    ));
    let engine = engine(&world, Layout::MIXED);
    assert_eq!(
        rows(&engine, "SELECT event, count(*) FROM events GROUP BY event ORDER BY event"),
        json!([["purchase", 2], ["view", 2]])
    );
    assert_eq!(rows(&engine, "SELECT count(*) FROM events WHERE event = 'purchase'"), json!([[2]]));
    assert_eq!(rows(&engine, "SELECT count(*) FROM events WHERE event = 'buy'"), json!([[0]]));
    assert_eq!(rows(&engine, "SELECT count(*) FROM events WHERE is_event('expensive')"), json!([[1]]));
    assert_eq!(
        rows(
            &engine,
            "SELECT is_event('expensive'), e.is_event('view'), is_active() FROM events e ORDER BY time"
        ),
        json!([[false, false, true], [true, false, true], [false, true, true], [false, true, true]])
    );
}

fn explained(engine: &tallymark_insights::Engine, text: &str) -> Value {
    let query = json!({"type": "sql", "sql": text});
    engine.explain(PROJECT, &query, &QueryContext::default()).unwrap()
}

#[test]
fn only_what_is_needed_is_read() {
    // Files of 7 events each, one after the other in time; names and properties vary by file.
    let events: Vec<RefEvent> = (0..70)
        .map(|i| event(i, if i < 35 { "view" } else { "buy" }, "u1", json!({"price": i, "colour": "red", "long": format!("{i} is a long text of its own: {}", "x".repeat(i as usize))})))
        .collect();
    let engine = engine(&world(events), Layout::FRESH);
    let all = explained(&engine, "SELECT count(*) FROM events");
    let scan = |e: &Value| e["scans"][0]["scan"].clone();
    assert_eq!((&scan(&all)["segments"], &scan(&all)["segments_read"]), (&json!(10), &json!(10)));
    assert_eq!(scan(&all)["columns"], json!(["event", "subject", "time"]));
    let priced = explained(&engine, "SELECT sum(properties.price) FROM events");
    assert_eq!(scan(&priced)["columns"], json!(["event", "n:price", "subject", "time"]));
    assert!(scan(&priced)["bytes"].as_u64() > scan(&all)["bytes"].as_u64());
    let long = explained(&engine, "SELECT max(properties.long) FROM events");
    assert!(scan(&long)["bytes"].as_u64() > scan(&priced)["bytes"].as_u64());

    let named = explained(&engine, "SELECT count(*) FROM events WHERE event = 'buy'");
    assert_eq!((&scan(&named)["row_groups_read"], &scan(&named)["rows"]), (&json!(5), &json!(35)));
    assert_eq!(named["scans"][0]["events"], json!(["buy"]));
    let several = explained(
        &engine,
        "SELECT count(*) FROM events WHERE event IN ('buy', 'cart') AND properties.price > 1",
    );
    assert_eq!(scan(&several)["rows"], json!(35));
    let none = explained(&engine, "SELECT count(*) FROM events WHERE event = 'nothing'");
    assert_eq!(scan(&none)["rows"], json!(0));
    let selected = explained(&engine, "SELECT count(*) FROM events WHERE is_event('buy')");
    assert_eq!(scan(&selected)["rows"], json!(35));
    let timed = explained(
        &engine,
        "
        SELECT count(*) FROM events WHERE time >= '2025-03-01T00:00:00Z' AND time < '2025-03-01T14:00:00Z'",
    );
    assert_eq!((&scan(&timed)["segments_read"], &scan(&timed)["rows"]), (&json!(2), &json!(14)));
    let both = explained(&engine, "
        SELECT count(*) FROM events WHERE local_time > '2025-03-02T00:00:00Z' AND (event = 'view' OR event = 'cart')");
    assert!(scan(&both)["rows"].as_u64().unwrap() <= 14, "{both}");
    // As many rows as without the pruning.
    assert_eq!(
        rows(
            &engine,
            "SELECT count(*) FROM events WHERE local_time > '2025-03-02T00:00:00Z' AND event = 'view'"
        ),
        json!([[10]])
    );
    let join = explained(&engine, "
        SELECT count(*) FROM events a JOIN events b ON a.person = b.person WHERE a.event = 'buy' AND b.event = 'view'");
    assert_eq!(join["scans"].as_array().unwrap().len(), 2);
    assert!(join["plan"].as_str().unwrap().contains("events=[buy]"), "{join}");
    let plan = rows(&engine, "EXPLAIN SELECT count(*) FROM events WHERE event = 'buy'");
    assert!(plan[0][1].as_str().unwrap().contains("events=[buy]"), "{plan}");
}

#[test]
fn erased_and_masked_rows_are_not_there() {
    use support::worlds::Clutter;
    let world = seeded(5, WorldShape { events: 60, operations: false, ..WorldShape::default() });
    let plain = rows(&engine(&world, Layout::FRESH), "SELECT count(*), count(DISTINCT seq) FROM events");
    for clutter in [Clutter::Masked, Clutter::Erased] {
        let layout = Layout { clutter, ..Layout::FRESH };
        assert_eq!(rows(&engine(&world, layout), "SELECT count(*), count(DISTINCT seq) FROM events"), plain);
    }
    let _ = source(&world, Layout::FRESH);
}

#[test]
fn every_example_of_the_documentation_is_answered() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/sql.md");
    let text = std::fs::read_to_string(path).unwrap();
    let world = seeded(11, WorldShape { events: 400, ..WorldShape::default() });
    let engine = engine(&world, Layout::MIXED);
    let examples: Vec<&str> =
        text.split("```sql\n").skip(1).map(|part| part.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 8);
    for example in examples {
        let answer = sql(&engine, example).unwrap_or_else(|e| panic!("{e}\n{example}"));
        assert!(!answer["rows"].as_array().unwrap().is_empty(), "{example}");
        assert!(answer["complete_through"].is_null() && answer["identity_version"].is_u64());
    }
}
