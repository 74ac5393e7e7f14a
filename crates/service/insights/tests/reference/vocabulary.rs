//! Virtual events, custom properties, lookup tables and renames in queries of the three great types.

use crate::agree::{cases, check, layouts, worlds};
use proptest::prelude::*;
use serde_json::{Value, json};
use tallymark_testkit::reference::{Definitions, World};
use tallymark_testkit::streams;

fn doubled(properties: &serde_json::Map<String, Value>) -> Option<Value> {
    properties.get("amount")?.as_f64().map(|n| json!(n * 2.0))
}

/// The names that random queries use mean other things than what was sent.
fn defined(mut world: World, shape: u8) -> World {
    let mut d = Definitions::default();
    if shape & 1 != 0 {
        // Queries ask for `view` and `cart`; what is sent as `cart` counts as `view`.
        d.renames.push(("view".into(), vec!["cart".into()]));
    }
    if shape & 2 != 0 {
        d.virtual_events.push((
            "absent".into(),
            json!({"any": [
                {"event": ["view", "buy"], "where": [{"property": "amount", "op": "gt", "value": 2}]},
                {"event": "buy", "where": [{"property": "colour", "op": "is", "value": "red"}]},
                {"event": "push"},
            ]}),
        ));
    }
    d.custom.push(("double".into(), "properties.amount * 2.0".into(), doubled));
    d.lookups.push((
        "colours".into(),
        json!({"on": {"property": "colour"}, "columns": ["warm", "order"],
        "rows": [["red", true, 1], ["Red", true, "2"], ["blue", false, null], [1, "one", 3]]}),
    ));
    d.lookups.push((
        "sizes".into(),
        json!({"on": {"scope": "custom", "property": "double"}, "columns": ["name"],
        "rows": [[0.5, "half"], [1, "one"], [5, ["five", "cinq"]]]}),
    ));
    world.definitions = d;
    world
}

/// Some properties of a query are computed ones.
fn with_computed(mut query: Value, which: u8) -> Value {
    let [from, to] = match which % 4 {
        0 => return query,
        1 => [
            json!({"scope": "event", "property": "amount"}),
            json!({"scope": "custom", "property": "double"}),
        ],
        2 => [
            json!({"scope": "event", "property": "colour"}),
            json!({"scope": "lookup:colours", "property": "warm"}),
        ],
        _ => [
            json!({"scope": "event", "property": "mixed"}),
            json!({"scope": "lookup:sizes", "property": "name"}),
        ],
    };
    replace(&mut query, &from, &to);
    query
}

fn replace(value: &mut Value, from: &Value, to: &Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| replace(v, from, to)),
        Value::Object(map) => {
            if map.get("scope") == from.get("scope") && map.get("property") == from.get("property") {
                map.insert("scope".into(), to["scope"].clone());
                map.insert("property".into(), to["property"].clone());
            }
            map.values_mut().for_each(|v| replace(v, from, to));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn names_mean_what_the_project_says(
        world in worlds(), query in streams::query(), layout in layouts(), shape in 0u8..4, computed in 0u8..8,
    ) {
        check(&defined(world, shape), &with_computed(query, computed), layout)?;
    }
}
