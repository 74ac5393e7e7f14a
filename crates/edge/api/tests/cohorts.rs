//! Cohorts: kept, changed, listed with members, made of a number's actors.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};
use world::*;

const COHORTS: &str = "/api/v1/projects/alpha/cohorts";

async fn send(w: &World, method: &str, path: &str, body: &Value) -> Answer {
    let request = with_key(method, path, &w.a.secret_key).header("content-type", "application/json");
    w.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_cohort_is_kept_changed_and_forgotten() {
    let w = World::new().await;
    let new = json!({"name": "buyers", "definition": {"performed": "buy"}});
    let made = w.post(COHORTS, &w.a.secret_key, new.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((&made.json["kind"], &made.json["version"]), (&json!("dynamic"), &json!(1)));
    assert_eq!(made.json["membership"], json!(null));
    assert_eq!(w.post(COHORTS, &w.a.secret_key, new).await.code(), "TM0409");

    let path = format!("{COHORTS}/{}", made.json["id"].as_str().unwrap());
    let members = w.get(&format!("{path}/members"), &w.a.secret_key).await;
    assert_eq!(members.status, StatusCode::OK, "{}", members.text);
    assert_eq!((&members.json["size"], &members.json["seq"]), (&json!(2), &json!(7)));
    // What was computed for the page is kept.
    let known = w.get(&path, &w.a.secret_key).await;
    assert_eq!(
        (&known.json["membership"]["size"], &known.json["membership"]["current"]),
        (&json!(2), &json!(true))
    );
    let request = with_key("GET", &format!("{path}/members"), &w.a.secret_key).header("accept", "text/csv");
    let csv = w.send(request.body(Body::empty()).unwrap()).await;
    assert!(csv.text.starts_with("person,name\r\n") && csv.text.contains("'=cmd()"), "{}", csv.text);

    let changed =
        send(&w, "PATCH", &path, &json!({"name": "shoppers", "definition": {"performed": "pay"}})).await;
    assert_eq!((&changed.json["name"], &changed.json["version"]), (&json!("shoppers"), &json!(2)));
    assert_eq!(changed.json["membership"]["current"], json!(false));
    // Another project cannot see it.
    let foreign = path.replace("alpha", "beta");
    assert_eq!(w.get(&foreign, &w.admin).await.code(), "TM0818");
    assert_eq!(send(&w, "DELETE", &path, &json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.get(&path, &w.a.secret_key).await.code(), "TM0818");
    assert_eq!(w.get(COHORTS, &w.a.secret_key).await.json["cohorts"], json!([]));
}

#[tokio::test]
async fn the_actors_behind_a_number_become_a_cohort() {
    let w = World::new().await;
    let query = json!({"event": "buy", "microscope": {"series": "A"}});
    let made = w.post(COHORTS, &w.a.secret_key, json!({"name": "them", "query": query})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((&made.json["kind"], &made.json["definition"]), (&json!("static"), &json!(null)));
    let path = format!("{COHORTS}/{}", made.json["id"].as_str().unwrap());
    assert_eq!(send(&w, "PATCH", &path, &json!({"definition": {"performed": "x"}})).await.code(), "TM0819");
    let made =
        w.post(COHORTS, &w.a.secret_key, json!({"name": "such", "query": query, "kind": "dynamic"})).await;
    assert_eq!(made.json["definition"], json!({"performed": "buy"}), "{}", made.text);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let w = World::new().await;
    for (body, code) in [
        (json!({"name": "x"}), "TM0819"),
        (json!({"name": " x", "definition": {"performed": "buy"}}), "TM0819"),
        (json!({"name": "x", "definition": {"performed": "buy"}, "kind": "static"}), "TM0819"),
        (json!({"name": "x", "definition": {}, "query": {}}), "TM0819"),
        (json!({"name": "x", "definition": {"wrong": 1}}), "TM0302"),
        (json!({"name": "x", "query": {"event": "buy"}}), "TM0302"),
        (json!({"name": "x", "colour": 1}), "TM0004"),
    ] {
        let answer = w.post(COHORTS, &w.a.secret_key, body.clone()).await;
        assert_eq!(answer.code(), code, "{body}: {}", answer.text);
    }
}
