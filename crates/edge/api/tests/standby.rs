//! While the catalog does not answer: people stay logged in and can log in, charts show their last answer as stale,
//! nothing is changed (A16-3, H15-6).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use http::StatusCode;
use serde_json::json;
use std::sync::atomic::Ordering;
use tallymark_catalog::Accounts;
use world::*;

const PASSWORD: &str = "correct horse battery";

async fn log_in(w: &World, password: &str) -> Answer {
    let body = json!({"email": "ann@example.org", "password": password}).to_string();
    let request =
        from_address("POST", "/api/v1/login", "10.0.0.1").header("content-type", "application/json");
    w.send(request.header("host", "localhost").body(Body::from(body)).unwrap()).await
}

async fn ann(w: &World) -> Person {
    w.catalog.offer_setup("ABCD-EFGH-JKLM").await.unwrap();
    let form =
        json!({"code": "ABCD-EFGH-JKLM", "email": "Ann@example.org", "password": PASSWORD, "name": "Ann"});
    Person::of(&w.browse("POST", "/api/v1/setup", None, Some(form)).await)
}

const CHART: &str = "/api/v1/projects/alpha/query";

#[tokio::test]
async fn without_a_catalog_people_stay_logged_in_and_can_log_in() {
    let w = World::new().await;
    let person = ann(&w).await;
    assert_eq!(w.browse("GET", "/api/v1/projects", Some(&person), None).await.status, StatusCode::OK);
    w.catalog.close().await;
    let session = w.browse("GET", "/api/v1/session", Some(&person), None).await;
    assert_eq!(session.json["user"]["name"], "Ann", "{}", session.text);
    let projects = w.browse("GET", "/api/v1/projects", Some(&person), None).await;
    assert_eq!(projects.json["projects"][0]["name"], "alpha", "{}", projects.text);
    let anonymous = w.browse("GET", "/api/v1/session", None, None).await;
    assert_eq!(anonymous.json["setup_required"], false, "{}", anonymous.text);
    assert_eq!(log_in(&w, "wrong horse battery").await.code(), "TM0208");
    // A cookie of a session that nobody remembers is no obstacle to the status page.
    let stranger = Person { cookie: person.cookie.replace('=', "=x"), csrf: String::new() };
    let status = w.browse("GET", "/status/api/v2/summary.json", Some(&stranger), None).await;
    assert_eq!(status.status, StatusCode::OK, "{}", status.text);
    let again = log_in(&w, PASSWORD).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    let again = Person::of(&again);
    assert_eq!(w.browse("GET", "/api/v1/session", Some(&again), None).await.json["user"]["name"], "Ann");
    // Changing something needs the catalog, and a key that was never seen is not believed.
    let new = json!({"name": "delta"});
    let refused = w.browse("POST", "/api/v1/projects", Some(&again), Some(new)).await;
    assert!(refused.status.is_server_error(), "{}", refused.text);
    assert!(w.get("/api/v1/projects/alpha", "tms_never_seen").await.status.is_server_error());
    let kept = w.keepsake.0.lock().unwrap().clone().unwrap();
    assert!(
        !kept.contains(PASSWORD) && !kept.contains(person.cookie.split('=').nth(1).unwrap()),
        "secrets are kept as hashes"
    );
}

#[tokio::test]
async fn the_last_answer_is_shown_as_stale() {
    let w = World::new().await;
    let query = json!({"type": "segmentation"});
    let fresh = w.post(CHART, &w.a.secret_key, query.clone()).await;
    assert_eq!((fresh.status, fresh.json.get("stale")), (StatusCode::OK, None), "{}", fresh.text);
    w.catalog.close().await;
    w.engine.fail.store(true, Ordering::SeqCst);
    let stale = w.post(CHART, &w.a.secret_key, query).await;
    assert_eq!((stale.status, &stale.json["complete"]), (StatusCode::OK, &json!(false)), "{}", stale.text);
    assert!(stale.json["stale"]["since"].is_string(), "{}", stale.text);
    let other = w.post(CHART, &w.a.secret_key, json!({"type": "funnel"})).await;
    assert!(other.status.is_server_error(), "never asked before: {}", other.text);
    let foreign =
        w.post("/api/v1/projects/beta/query", &w.a.secret_key, json!({"type": "segmentation"})).await;
    assert!(!foreign.status.is_success(), "{}", foreign.text);
}

#[tokio::test]
async fn a_catalog_whose_file_is_gone_takes_no_writes_and_its_answers_are_stale() {
    let w = World::new().await;
    w.lost.store(NOON, Ordering::SeqCst);
    let chart = w.post(CHART, &w.a.secret_key, json!({"type": "segmentation"})).await;
    assert_eq!(chart.json["stale"]["since"], "2023-11-14T22:13:20.000Z", "{}", chart.text);
    let refused = w.post("/api/v1/projects", &w.admin, json!({"name": "delta"})).await;
    assert!(refused.status.is_server_error(), "{}", refused.text);
    w.lost.store(0, Ordering::SeqCst);
    assert_eq!(
        w.post("/api/v1/projects", &w.admin, json!({"name": "delta"})).await.status,
        StatusCode::CREATED
    );
}
