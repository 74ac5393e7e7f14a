//! Definitions: made, changed, listed, refused, deleted; one project's are nobody else's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use http::StatusCode;
use serde_json::{Value, json};
use world::*;

const LIST: &str = "/api/v1/projects/alpha/definitions";

#[tokio::test]
async fn they_have_versions_and_hold_for_their_project_only() {
    let w = World::new().await;
    let key = &w.a.secret_key;
    let path = format!("{LIST}/virtual_event/Engaged");
    let body = json!({"any": [{"event": "view", "where": [{"property": "n", "op": "gt", "value": 1}]}]});
    let made = w.put(&path, key, body.clone()).await;
    assert_eq!((made.status, &made.json["version"]), (StatusCode::OK, &json!(1)), "{}", made.text);
    assert_eq!(w.put(&path, key, json!({"any": [{"event": "buy"}]})).await.json["version"], 2);
    let lookup = json!({"on": {"property": "plan"}, "columns": ["tier"], "rows": [["pro", "paid"]]});
    assert_eq!(w.put(&format!("{LIST}/lookup/plans"), key, lookup).await.json["kind"], "lookup");
    let listed = w.get(LIST, key).await.json;
    let names: Vec<_> = listed["definitions"].as_array().unwrap().iter().map(|d| &d["name"]).collect();
    assert_eq!(names, ["plans", "Engaged"]);
    assert_eq!(
        w.get("/api/v1/projects/beta/definitions", &w.b.secret_key).await.json["definitions"],
        json!([])
    );
    let gone = w.delete(&path, key).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let again = w.delete(&path, key).await;
    assert_eq!((again.status, again.code()), (StatusCode::NOT_FOUND, "TM0816"));
    let versions = w.get(&format!("{path}/versions"), key).await.json;
    let bodies: Vec<_> = versions["definitions"].as_array().unwrap().iter().map(|d| &d["body"]).collect();
    assert_eq!(bodies, [&Value::Null, &json!({"any": [{"event": "buy"}]}), &body]);
    // What SDKs capture by themselves can be named as well.
    let clicks = json!({"any": [{"event": "$autocapture", "where": [{"property": "$el_text", "op": "is", "value": "Buy"}]}]});
    assert_eq!(w.put(&format!("{LIST}/virtual_event/Bought"), key, clicks).await.json["version"], 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_place() {
    let w = World::new().await;
    let key = &w.a.secret_key;
    for (path, body, code, word) in [
        ("virtual_event/X", json!({"any": []}), "TM0817", "any"),
        (
            "virtual_event/X",
            json!({"any": [{"event": "a", "where": [{"op": "is"}]}]}),
            "TM0817",
            "any[0].where",
        ),
        ("virtual_event/X", json!({"any": [{"event": "$identify"}]}), "TM0817", "$identify"),
        ("virtual_event/X", json!({"any": [{"event": ["a", "*"]}]}), "TM0817", "*"),
        ("virtual_event/X", json!({"any": [{"event": "$active"}]}), "TM0817", "$active"),
        ("custom_property/x", json!({"expression": "user.plan"}), "TM0817", "user"),
        ("custom_property/x", json!({"expression": "1 +"}), "TM0817", "expression"),
        ("lookup/x", json!({"on": {"property": "a"}, "columns": [], "rows": []}), "TM0817", "columns"),
        ("rename/$x", json!({"events": ["a"]}), "TM0817", "name"),
        ("segment/x", json!({}), "TM0816", "virtual_event"),
    ] {
        let answer = w.put(&format!("{LIST}/{path}"), key, body.clone()).await;
        assert_eq!(answer.code(), code, "{path} {body}: {}", answer.text);
        assert!(answer.text.contains(word), "{path} {body}: {}", answer.text);
    }
    assert_eq!(w.get(LIST, key).await.json["definitions"], json!([]));
}
