//! Whole statements against the analyses, over random worlds and file layouts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::worlds::{Clutter, Layout};
use support::{ask, engine, rows};
use tallymark_model::{IdentityAction, canonical_text};
use tallymark_testkit::reference::World;
use tallymark_testkit::streams::{self, WorldShape};

fn worlds() -> impl Strategy<Value = World> {
    streams::world(WorldShape { events: 80, ..WorldShape::default() }).prop_map(|mut w| {
        w.first_user_owns_device = false;
        w.events.iter_mut().filter(|e| e.action == IdentityAction::Reset).for_each(|e| e.ops.clear());
        w
    })
}

fn layouts() -> impl Strategy<Value = Layout> {
    let clutter = prop_oneof![Just(Clutter::None), Just(Clutter::Masked), Just(Clutter::Erased)];
    (1usize..40, any::<bool>(), any::<bool>(), clutter)
        .prop_map(|(commit, compacted, late, clutter)| Layout { commit, compacted, late, clutter, files: 4 })
}

const RANGE: (&str, &str) = ("2025-10-20", "2025-11-12");

fn segmentation(series: Value, interval: &str, breakdown: Option<Value>) -> Value {
    let mut query = json!({
        "type": "segmentation", "range": {"from": RANGE.0, "to": RANGE.1}, "interval": interval, "series": [series],
    });
    if let Some(breakdown) = breakdown {
        query["breakdown"] = breakdown;
        query["limit"] = json!(1000);
    }
    query
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// None, or a list of nothing else: a property that never had another value is not counted as one, so SQL may not list it.
fn holds_nothing(value: &Value) -> bool {
    tallymark_model::is_none(value)
        || value.as_array().is_some_and(|items| items.iter().all(tallymark_model::is_none))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn uniques_and_totals_per_day(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        for (measure, aggregate) in [
            ("uniques", "count(DISTINCT person)"), ("totals", "count(*)"),
        ] {
            let native = ask(&engine, &segmentation(json!({"event": "*", "measure": measure}), "day", None)).unwrap();
            // What belongs to nobody has no person, but is an event.
            let found = rows(&engine, &format!(
                "SELECT CAST(CAST(date_trunc('day', local_time) AS DATE) AS VARCHAR), {aggregate}
                 FROM events GROUP BY 1 HAVING {aggregate} > 0"
            ));
            let found: BTreeMap<String, f64> = found.as_array().unwrap().iter()
                .map(|r| (r[0].as_str().unwrap().to_owned(), number(&r[1]))).collect();
            let days = native["buckets"].as_array().unwrap().iter();
            let counts = native["series"][0]["values"].as_array().unwrap().iter();
            let expected: BTreeMap<String, f64> = days.zip(counts)
                .map(|(day, n)| (day.as_str().unwrap().to_owned(), number(n))).filter(|(_, n)| *n > 0.0).collect();
            prop_assert_eq!(found, expected, "{}", measure);
        }
    }

    #[test]
    fn totals_and_sums_by_a_property(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        for property in ["mixed", "colour", "amount"] {
            let text = format!("SELECT count(*) FROM events WHERE json(properties.{property}) IS NULL");
            // A property that nobody sent is refused.
            let Ok(nones) = support::sql(&engine, &text) else { continue };
            for (series, aggregate) in [
                (json!({"event": "*", "measure": "totals"}), "count(*)"),
                (json!({"event": "*", "measure": "sum", "property": "amount"}), "coalesce(sum(amount), 0)"),
            ] {
                let amount = format!("SELECT {aggregate} FROM (SELECT number(properties.amount) AS amount FROM events) e");
                if support::sql(&engine, &amount).is_err() {
                    continue;
                }
                let breakdown = json!([{"scope": "event", "property": property}]);
                let native = ask(&engine, &segmentation(series, "none", Some(breakdown))).unwrap();
                let expected: BTreeMap<String, f64> = native["series"].as_array().unwrap().iter()
                    .map(|s| (s["breakdown"].as_str().unwrap_or_else(|| s["breakdown"][0].as_str().unwrap()).to_owned(), number(&s["total"])))
                    .filter(|(label, _)| label != "(none)")
                    .collect();
                // A list counts once for each of its different elements.
                let found = rows(&engine, &format!("
                    WITH split AS (SELECT position, number(properties.amount) AS amount, unnest(texts(properties.{property})) AS label FROM events),
                         single AS (SELECT DISTINCT position, amount, label FROM split)
                    SELECT label, {aggregate} FROM single GROUP BY label"));
                let found: BTreeMap<String, f64> = found.as_array().unwrap().iter()
                    .map(|r| (r[0].as_str().unwrap().to_owned(), number(&r[1]))).collect();
                prop_assert_eq!(found, expected, "{} {}", property, aggregate);
                if aggregate == "count(*)" {
                    let none = native["series"].as_array().unwrap().iter()
                        .find(|s| s["breakdown"] == "(none)" || s["breakdown"][0] == "(none)");
                    // A list of nothing but nothings has no element, and is not none.
                    prop_assert!(number(&nones["rows"][0][0]) <= none.map_or(0.0, |s| number(&s["total"])));
                }
            }
        }
    }

    #[test]
    fn a_funnel_of_two_steps(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        let native = ask(&engine, &json!({
            "type": "funnel", "range": {"from": RANGE.0, "to": RANGE.1}, "window": {"n": 3, "unit": "day"},
            "steps": [{"event": "view"}, {"event": "buy"}],
        })).unwrap();
        let found = rows(&engine, "
            WITH a AS (SELECT person, time, received_at, position FROM events WHERE event = 'view' AND person IS NOT NULL),
                 b AS (SELECT person, time, received_at, position FROM events WHERE event = 'buy' AND person IS NOT NULL)
            SELECT (SELECT count(DISTINCT person) FROM a),
                   (SELECT count(DISTINCT a.person) FROM a JOIN b ON a.person = b.person
                    WHERE (b.time > a.time
                           OR (b.time = a.time AND (b.received_at > a.received_at
                               OR (b.received_at = a.received_at AND b.position > a.position))))
                      AND b.time <= a.time + INTERVAL '3 days')");
        prop_assert_eq!(&found[0], &native["counts"], "{}", native);
    }

    #[test]
    fn properties_of_users_as_of_the_event(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        for (scope, prefix) in [("user", "user_properties"), ("person", "latest_properties")] {
            for property in ["plan", "score"] {
                let count = format!("SELECT text({prefix}.{property}), count(*) FROM events GROUP BY 1");
                let Ok(found) = support::sql(&engine, &count) else { continue };
                for row in found["rows"].as_array().unwrap() {
                    let (op, value) = match &row[0] {
                        Value::Null => ("is_not_set", Value::Null),
                        // Conditions look into lists.
                        Value::String(text) if text.starts_with('[') => continue,
                        text => ("is", text.clone()),
                    };
                    let lists = found["rows"].as_array().unwrap().iter()
                        .any(|r| r[0].as_str().is_some_and(|t| t.starts_with('[')));
                    if lists && op == "is" {
                        continue;
                    }
                    let condition = json!([{"scope": scope, "property": property, "op": op, "value": value}]);
                    let series = json!({"event": "*", "measure": "totals", "where": condition});
                    let native = ask(&engine, &segmentation(series, "none", None)).unwrap();
                    prop_assert_eq!(number(&native["series"][0]["total"]), number(&row[1]), "{} {}", scope, row);
                }
            }
        }
    }

    #[test]
    fn persons_are_those_of_the_lists(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        let request = tallymark_insights::PersonsRequest { limit: 1000, ..Default::default() };
        let listed = engine.persons(support::worlds::PROJECT, &request, &Default::default()).unwrap();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let expected: Vec<Value> = listed["persons"].as_array().unwrap().iter().map(|p| json!([
            p["person"], p["user_ids"], p["device_ids"], p["first_seen"], p["last_seen"], p["events"],
            p["properties"].to_string(),
        ])).collect();
        let found = rows(&engine, "
            SELECT person, user_ids, device_ids, first_seen, last_seen, events, properties FROM persons ORDER BY person");
        let found: BTreeMap<String, &Value> = found.as_array().unwrap().iter().map(|p| (text(&p[0]), p)).collect();
        for person in &expected {
            prop_assert_eq!(found.get(&text(&person[0])), Some(&person));
        }
        // The list leaves out who has no id any more because others took over all devices.
        let counted = rows(&engine, "SELECT count(*) FROM persons");
        prop_assert_eq!(number(&counted[0][0]) as usize, found.len());
        let acting = rows(&engine, "SELECT count(DISTINCT person) FROM events");
        let with_events = found.values().filter(|p| number(&p[5]) > 0.0).count();
        prop_assert_eq!(number(&acting[0][0]) as usize, with_events);
    }

    #[test]
    fn timelines_of_properties_end_with_what_persons_have(world in worlds(), layout in layouts()) {
        let engine = engine(&world, layout);
        let latest: Vec<Value> = rows(&engine, "
            SELECT person, property, value, json FROM person_properties WHERE until IS NULL AND value IS NOT NULL
            ORDER BY 1, 2").as_array().unwrap().iter()
            .filter(|row| !holds_nothing(&serde_json::from_str(row[3].as_str().unwrap()).unwrap()))
            .map(|row| json!([row[0], row[1], row[2]]))
            .collect();
        let mut expected = Vec::new();
        for row in rows(&engine, "SELECT person, properties FROM persons ORDER BY 1").as_array().unwrap() {
            let properties: serde_json::Map<String, Value> = serde_json::from_str(row[1].as_str().unwrap()).unwrap();
            for (name, value) in properties.iter().filter(|(_, v)| !holds_nothing(v)) {
                expected.push(json!([row[0], name, canonical_text(value)]));
            }
        }
        prop_assert_eq!(latest, expected);
    }
}
