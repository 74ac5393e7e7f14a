//! Projects, keys, data, books: what they answer, and how they refuse bad input.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode};
use serde_json::json;
use world::*;

#[tokio::test]
async fn projects_are_created_listed_and_found() {
    let w = World::new().await;
    let new = json!({"name": "gamma", "timezone": "Asia/Tokyo", "week_start": "sunday",
                     "identity": {"shared_device": "first_user"}, "inactive_events": ["ping"]});
    let created = w.post("/api/v1/projects", &w.admin, new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let (id, secret) = (created.json["id"].as_str().unwrap(), created.json["secret_key"].as_str().unwrap());
    let found = w.get("/api/v1/projects/gamma", secret).await;
    assert_eq!(found.json["id"], id);
    assert_eq!(
        (&found.json["timezone"], &found.json["week_start"]),
        (&json!("Asia/Tokyo"), &json!("sunday"))
    );
    assert_eq!(
        found.json["settings"],
        json!({"identity": {"shared_device": "first_user"}, "inactive_events": ["ping"]})
    );
    assert_eq!(found.json, w.get(&format!("/api/v1/projects/{id}"), secret).await.json);
    let created_at = found.json["created_at"].as_str().unwrap();
    assert!(created_at.ends_with('Z') && created_at.len() == 24, "{created_at}");
    let listed = w.get("/api/v1/projects", &w.admin).await;
    let names: Vec<_> =
        listed.json["projects"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
    assert_eq!(names, ["alpha", "beta", "gamma"]);
    assert!(!listed.text.contains("tms_"));
}

#[tokio::test]
async fn bodies_that_nobody_wants_are_read_before_the_answer() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let w = World::new().await;
    for (path, key, status) in [
        ("/api/v1/nothing", &w.admin, StatusCode::NOT_FOUND),
        ("/api/v1/projects", &"wrong".to_owned(), StatusCode::UNAUTHORIZED),
        ("/api/v1/projects", &w.admin, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let frames = futures::stream::iter((0..300).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 1000]))
        }));
        let answer = w.send(with_key("POST", path, key).body(Body::from_stream(frames)).unwrap()).await;
        assert_eq!((answer.status, read.load(Ordering::Relaxed)), (status, 300), "{path}");
    }
}

#[tokio::test]
async fn bad_projects_are_refused_with_reasons() {
    let w = World::new().await;
    for (body, code, word) in [
        (json!({"name": "alpha"}), "TM0401", "alpha"),
        (json!({"name": "42"}), "TM0402", "digits"),
        (json!({"name": "x", "timezone": "Berlin"}), "TM0405", "Berlin"),
        (json!({"name": "x", "week_start": "friday"}), "TM0004", "friday"),
        (json!({"name": "x", "zone": "UTC"}), "TM0004", "zone"),
        (json!({"timezone": "UTC"}), "TM0004", "name"),
        (json!([]), "TM0004", "expected"),
    ] {
        let answer = w.post("/api/v1/projects", &w.admin, body.clone()).await;
        assert_eq!(answer.code(), code, "{body}");
        let error = &answer.json["error"];
        assert!(answer.text.contains(word), "{body}: {}", answer.text);
        assert_eq!(error["docs"], format!("/docs/errors/{code}"));
        assert!(!error["hint"].as_str().unwrap().is_empty());
    }
    let request = with_key("POST", "/api/v1/projects", &w.admin).header("content-type", "application/json");
    let answer = w.send(request.body(Body::from("{\"name\": \"x\",\n oops}")).unwrap()).await;
    assert!(answer.code() == "TM0004" && answer.text.contains("line 2"), "{}", answer.text);
    let big = with_key("POST", "/api/v1/projects", &w.admin).header("content-type", "application/json");
    let answer = w.send(big.body(Body::from("x".repeat((1 << 20) + 1))).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "TM0006"));
}

#[tokio::test]
async fn keys_are_shown_once_and_can_be_ended() {
    let w = World::new().await;
    let made =
        w.post("/api/v1/projects/alpha/keys", &w.a.secret_key, json!({"kind": "secret", "name": "ci"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let (id, value) = (made.json["id"].as_str().unwrap(), made.json["value"].as_str().unwrap());
    assert_eq!(w.get("/api/v1/projects/alpha", value).await.status, StatusCode::OK);
    let listed = w.get("/api/v1/projects/alpha/keys", &w.a.secret_key).await;
    assert!(
        !listed.text.contains(value)
            && !listed.text.contains(&w.a.secret_key)
            && listed.text.contains(&w.a.write_key)
    );
    let path = format!("/api/v1/projects/alpha/keys/{id}");
    let end = || with_key("DELETE", &path, &w.a.secret_key).body(Body::empty()).unwrap();
    assert_eq!(w.send(end()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.send(end()).await.code(), "TM0407");
    assert_eq!(w.get("/api/v1/projects/alpha", value).await.code(), "TM0202");
    assert_eq!(
        w.post("/api/v1/projects/alpha/keys", &w.a.secret_key, json!({"kind": "admin"})).await.code(),
        "TM0004"
    );

    let admin = w.post("/api/v1/keys", &w.admin, json!({"name": "second"})).await;
    let (id, value) = (admin.json["id"].as_str().unwrap(), admin.json["value"].as_str().unwrap());
    assert_eq!(w.get("/api/v1/status", value).await.json["components"][0]["status"], "up");
    let request = with_key("DELETE", &format!("/api/v1/keys/{id}"), &w.admin).body(Body::empty()).unwrap();
    assert_eq!(w.send(request).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.get("/api/v1/status", value).await.status, StatusCode::UNAUTHORIZED);
    let audit = w.get("/api/v1/audit?limit=2", &w.admin).await;
    let actions: Vec<_> =
        audit.json["entries"].as_array().unwrap().iter().map(|e| e["action"].clone()).collect();
    assert_eq!(actions, ["key.revoke", "key.create"]);
}

#[tokio::test]
async fn events_pass_their_parameters_on() {
    let w = World::new().await;
    let key = &w.a.secret_key;
    let answer = w
        .get(
            "/api/v1/projects/alpha/events?limit=5&event=a,b&person=x&from=2023-11-14&to=2023-11-14&cursor=c",
            key,
        )
        .await;
    let p = &answer.json["events"][0]["properties"];
    assert_eq!(p["events"], json!(["a,b"]));
    assert_eq!((&p["limit"], &p["person"], &p["cursor"]), (&json!(5), &json!("x"), &json!("c")));
    // A date is the whole local day of the project's zone.
    assert_eq!(p["to"].as_i64().unwrap() - p["from"].as_i64().unwrap(), 86_400_000);
    let list = w.get("/api/v1/projects/alpha/events?event=%5B%22a%22%2C%22b%22%5D", key).await;
    assert_eq!(list.json["events"][0]["properties"]["events"], json!(["a", "b"]));
    for (query, word) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("from=soon", "from"),
        ("event=%5B1", "event"),
        ("evnt=a", "evnt"),
    ] {
        let answer = w.get(&format!("/api/v1/projects/alpha/events?{query}"), key).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "TM0005"), "{query}");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains(word), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn lists_come_as_csv_with_formulas_disarmed() {
    let w = World::new().await;
    let csv = |path: &str| {
        with_key("GET", path, &w.a.secret_key).header("accept", "text/csv").body(Body::empty()).unwrap()
    };
    let answer = w.send(csv("/api/v1/projects/alpha/events")).await;
    assert!(answer.header("content-type").starts_with("text/csv"));
    assert!(answer.header("content-disposition").contains("events.csv"));
    let lines: Vec<&str> = answer.text.lines().collect();
    assert!(lines[0].starts_with("time,event,person,"));
    assert!(lines[1].starts_with("t,'=cmd(),canary"), "{}", lines[1]);
    let raw = w.send(csv("/api/v1/projects/alpha/events?raw=true")).await;
    assert!(raw.text.contains("t,=cmd(),"));
    let persons = w.send(csv("/api/v1/projects/alpha/persons?q=u")).await;
    assert!(persons.text.contains("\"[\"\"u\"\"]\""), "{}", persons.text);
}

#[tokio::test]
async fn persons_schema_and_queries_reach_the_engine() {
    let w = World::new().await;
    let (key, mine) = (&w.a.secret_key, canary(w.a.project.id));
    for path in
        ["persons", "persons/ann", "persons/ann/timeline?limit=7", "schema", "query?q=%7B%7D", "events"]
    {
        let answer = w.get(&format!("/api/v1/projects/alpha/{path}"), key).await;
        assert!(answer.status.is_success() && answer.text.contains(&mine), "{path}: {}", answer.text);
    }
    let slash = w.get("/api/v1/projects/alpha/persons/a%2Fb%20c", key).await;
    assert_eq!(slash.json["person"], "a/b c");
    assert_eq!(w.get("/api/v1/projects/alpha/persons/nobody", key).await.code(), "TM0304");
    let explain = w.post("/api/v1/projects/alpha/query/explain", key, json!({"type": "segmentation"})).await;
    assert_eq!(explain.json["canary"], mine);
    for (query, status, code) in [
        (json!({"type": "malformed"}), 400, "TM0302"),
        (json!({"type": "memory"}), 422, "TM0311"),
        (json!({"type": "panic"}), 500, "TM0001"),
    ] {
        let answer = w.post("/api/v1/projects/alpha/query", key, query).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.text);
        assert!(!answer.text.contains("as asked"));
    }
    assert_eq!(w.get("/api/v1/projects/alpha/query?q=%7B", key).await.code(), "TM0005");
    assert_eq!(w.get("/api/v1/projects/alpha/query", key).await.code(), "TM0005");
    let answer = w.post("/api/v1/projects/alpha/query", key, json!({"type": "ok"})).await;
    assert_eq!(answer.json["canary"], mine, "the engine works on after a panic");
}

#[tokio::test]
async fn the_ledger_shows_the_identity_with_every_term() {
    let w = World::new().await;
    w.commit(7).await;
    let ledger = w.get("/api/v1/projects/alpha/ledger", &w.admin).await.json;
    let identity = json!({"acknowledged": 19, "visible": 0, "duplicate": 0, "filtered": 0, "dead": 7, "pending": 12,
                          "balanced": true, "pending_exact": true});
    assert_eq!(ledger["identity"], identity);
    assert_eq!(
        (&ledger["conflicts"]["total"], &ledger["conflicts"]["hours"][0]["count"]),
        (&json!(2), &json!(2))
    );
    // The log ends at 20 and 5; one of the records is a control record.
    assert_eq!(ledger["instance"]["acknowledged"], 24);
    assert_eq!(ledger["instance"]["pending"], 17);
    assert_eq!(ledger["instance"]["balanced"], true);
    assert_eq!(
        ledger["lanes"][0],
        json!({"lane": "live", "partition": 0, "start": 0, "end": 20, "cursor": 8,
        "pending": 12, "watermark": "2023-11-14T22:13:20.000Z"})
    );
    assert_eq!(ledger["lanes"][1]["watermark"], json!(null), "nothing of it was processed yet");
    assert_eq!(ledger["complete_through"], json!(null));
    let row = &ledger["intervals"][0];
    assert_eq!(
        (&row["status"], &row["tally"]["dead"], &row["to"]),
        (&json!("accounted"), &json!(7), &json!(8))
    );
    let none = w.get("/api/v1/projects/alpha/ledger?from=2023-11-16", &w.admin).await.json;
    assert_eq!((none["intervals"].as_array().unwrap().len(), &none["identity"]), (0, &identity));
    assert_eq!(w.get("/api/v1/projects/alpha/ledger?from=x", &w.admin).await.code(), "TM0005");
}

#[tokio::test]
async fn the_ledger_does_not_balance_when_the_log_is_shorter_than_the_books() {
    let w = World::new().await;
    w.commit(29).await;
    let ledger = w.get("/api/v1/projects/alpha/ledger", &w.admin).await.json;
    assert_eq!(
        (&ledger["identity"]["balanced"], &ledger["instance"]["balanced"]),
        (&json!(false), &json!(false))
    );
}

#[tokio::test]
async fn dead_letters_come_with_their_bytes() {
    let w = World::new().await;
    let answer = w.get("/api/v1/projects/alpha/dead-letters?limit=3", &w.a.secret_key).await;
    assert_eq!(
        answer.json["dead"][0],
        json!({"lane": "live", "partition": 0, "offset": 3, "position": "live/0@3",
        "received_at": "2023-11-14T22:13:20.000Z", "reason": {"code": "invalid_json", "message": "at byte 3"},
        "wire": "native_v1", "body": format!("{{\"event\":\"{}\",\"time\":\"soon\"}}", canary(w.a.project.id))})
    );
    let broken = w.get("/api/v1/projects/alpha/dead-letters?cursor=broken", &w.a.secret_key).await;
    assert_eq!((broken.status, broken.code()), (StatusCode::SERVICE_UNAVAILABLE, "TM0007"));
    assert!(!broken.text.contains("/secret/path") && !broken.header("retry-after").is_empty());
}

#[tokio::test]
async fn receipts_tell_what_became_of_their_events() {
    let w = World::new().await;
    w.commit(7).await;
    let receipt = |ranges: &str| format!("/api/v1/receipts/{}", URL_SAFE_NO_PAD.encode(ranges));
    let answer = w.get(&receipt("[[0,0,4,10]]"), &w.a.secret_key).await;
    assert_eq!(
        answer.json,
        json!({"positions": 6, "durable": true, "visible": false,
        "outcomes": {"visible": 3, "duplicate": 1, "filtered": 0, "dead": 0, "pending": 2}})
    );
    assert_eq!(w.get(&receipt("[[0,0,4,10]]"), &w.a.write_key).await.json, answer.json, "for the sender too");
    let done = w.get(&receipt("[[0,0,4,8],[0,0,4,6]]"), &w.admin).await;
    assert_eq!((&done.json["positions"], &done.json["visible"]), (&json!(4), &json!(true)));
    for bad in [
        receipt("[[0,0,4,21]]"),
        receipt("[[0,7,0,1]]"),
        receipt("[[0,0,0,9999999]]"),
        receipt("{}"),
        "/api/v1/receipts/***".to_owned(),
    ] {
        assert_eq!(w.get(&bad, &w.admin).await.code(), "TM0408", "{bad}");
    }
}

#[tokio::test]
async fn health_needs_nobody() {
    let w = World::new().await;
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(w.get(path, "").await.status, StatusCode::OK, "{path}");
    }
    w.catalog.close().await;
    assert_eq!(w.get("/health/live", "").await.status, StatusCode::OK);
    assert_eq!(w.get("/health/ready", "").await.code(), "TM0007");
    let request = Request::builder().uri("/api/v1/session").body(Body::empty()).unwrap();
    assert_eq!(w.send(request).await.code(), "TM0007");
}
