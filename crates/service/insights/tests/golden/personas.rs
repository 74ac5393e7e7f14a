//! Personas (chapter 10).

use crate::cases::{ask, world};
use serde_json::{Value, json};

#[test]
fn two_ways_of_using_a_shop_are_two_clusters() {
    let mut events: Vec<(&str, &str, &str, Value)> = Vec::new();
    for user in ["a", "b", "c"] {
        for time in ["2025-01-01T10:00:00Z", "2025-01-01T11:00:00Z", "2025-01-01T12:00:00Z"] {
            events.push((time, user, "look", json!({})));
        }
    }
    for user in ["d", "e"] {
        events.push(("2025-01-01T10:00:00Z", user, "buy", json!({})));
        events.push(("2025-01-01T11:00:00Z", user, "buy", json!({})));
    }
    let w = world(&events);
    let query = json!({"type": "personas", "clusters": 2, "range": {"from": "2025-01-01", "to": "2025-01-01"},
        "as_of": "2025-02-01T00:00:00Z", "target": {"ids": ["a", "d", "e"]}});
    let answer = ask(&w, query.clone());
    assert_eq!(answer["actors"], 5);
    let clusters = answer["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 2);
    // Three who look three times each, two who buy twice: the larger cluster first.
    assert_eq!((&clusters[0]["size"], &clusters[1]["size"]), (&json!(3), &json!(2)));
    assert_eq!(clusters[0]["share"], 0.6);
    assert_eq!(
        (&clusters[0]["events"][0]["event"], &clusters[0]["events"][0]["mean"]),
        (&json!("look"), &json!(3))
    );
    assert_eq!(
        (&clusters[1]["events"][1]["event"], &clusters[1]["events"][1]["mean"]),
        (&json!("buy"), &json!(2))
    );
    // z of look: ln 4 and 0 with mean 0.6 ln 4 and deviation ln 4 · sqrt(0.24).
    let z = clusters[0]["events"][0]["z"].as_f64().unwrap();
    assert!((z - 0.4 / 0.24f64.sqrt()).abs() < 1e-12, "{z}");
    assert_eq!(clusters[0]["overlap"], json!({"actors": 1, "share": 1.0 / 3.0}));
    assert_eq!(clusters[1]["overlap"], json!({"actors": 2, "share": 1}));
    // Who is in a cluster is asked of the same clusters.
    let mut who = query.clone();
    who["microscope"] = json!({"cluster": 2});
    let crowd = ask(&w, who);
    let names: Vec<&Value> = crowd["actors"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert_eq!(names, ["d", "e"]);
    // More clusters than kinds of actors are not made up.
    let mut many = query;
    many["clusters"] = json!(4);
    assert_eq!(ask(&w, many)["clusters"].as_array().unwrap().len(), 2);
}
