//! Operations: the summary, settings and their secrets, alerts, maintenance, throttling, the loss report, the public
//! status documents; and that every change leaves a line in the audit trail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tallymark_api::{Action, route_table};
use world::*;

#[tokio::test]
async fn the_summary_answers_although_parts_are_down() {
    let w = World::new().await;
    w.commit(7).await;
    let whole = w.get("/api/v1/operations/summary", &w.admin).await.json;
    assert_eq!((&whole["environment"], &whole["protected"]), (&json!("development"), &json!(false)));
    assert_eq!(whole["identity"]["acknowledged"], 24);
    assert_eq!((&whole["problems"]["critical"], &whole["unacknowledged"]), (&json!(1), &json!(1)));
    assert_eq!(whole["unknown"], json!([]));
    w.watcher.broken.store(true, Ordering::SeqCst);
    let partly = w.get("/api/v1/operations/summary", &w.admin).await;
    assert_eq!(partly.json["identity"], whole["identity"]);
    assert_eq!(partly.json["unknown"].as_array().unwrap().len(), 2);
    assert!(!partly.text.contains("/secret"), "{}", partly.text);
}

#[tokio::test]
async fn secrets_go_in_and_never_out() {
    let w = World::new().await;
    let path = "/api/v1/operations/settings";
    let alerts = json!({"channels": [{"name": "pager", "target": {"webhook": {"url": "https://hook.example/planted1", "secrets": ["planted2-secret-key"]}}}]});
    let set =
        w.put(path, &w.admin, json!({"alerts": alerts, "backup": {"to": "s3://id:planted3@bucket"}})).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    for page in [path, "/api/v1/operations/backups", "/api/v1/audit", "/api/v1/operations/summary"] {
        let text = w.get(page, &w.admin).await.text;
        assert!(!text.contains("planted"), "{page}: {text}");
    }
    // Sending back what was shown keeps the secrets.
    let shown = w.get(path, &w.admin).await.json;
    w.put(path, &w.admin, json!({"alerts": shown["alerts"]})).await;
    use tallymark_catalog::Instance;
    assert_eq!(w.catalog.setting("alerts").await.unwrap(), Some(alerts));
    for bad in
        [json!({"alerts": {"nonsense": 1}}), json!({"alerts": []}), json!({"environment": "pro duction"})]
    {
        assert_eq!(w.put(path, &w.admin, bad.clone()).await.code(), "TM0409", "{bad}");
    }
}

#[tokio::test]
async fn protection_cannot_be_taken_off_in_passing() {
    let w = World::new().await;
    let path = "/api/v1/operations/settings";
    let made = w.put(path, &w.admin, json!({"environment": "production"})).await;
    assert_eq!(made.json["protected"], true);
    for change in [json!({"protected": false}), json!({"environment": "development"})] {
        assert_eq!(w.put(path, &w.admin, change).await.code(), "TM0801");
    }
    let off = json!({"protected": false, "confirm": "production"});
    assert_eq!(w.put(path, &w.admin, off).await.json["protected"], false);
    assert_eq!(
        w.put(path, &w.admin, json!({"retention": {"log_days": 3}})).await.json["retention"]["log_days"],
        3
    );
}

#[tokio::test]
async fn alerts_windows_and_throttles_are_managed() {
    let w = World::new().await;
    let report = w.get("/api/v1/operations/incidents/inc1/report", &w.admin).await;
    assert_eq!(
        (&report.json["incident"]["id"], report.status),
        (&json!("inc1"), StatusCode::OK),
        "{}",
        report.text
    );
    assert!(report.json["markdown"].as_str().unwrap().starts_with("# Events without"), "{}", report.text);
    assert_eq!(w.get("/api/v1/operations/incidents/inc9/report", &w.admin).await.code(), "TM0815");
    let done = w.post("/api/v1/operations/alerts/inc1/acknowledge", &w.admin, json!({})).await;
    assert!(done.json["acknowledged_by"].as_str().unwrap().starts_with("key:"), "{}", done.text);
    assert_eq!(
        w.post("/api/v1/operations/alerts/inc2/acknowledge", &w.admin, json!({})).await.code(),
        "TM0812"
    );

    let windows = "/api/v1/operations/maintenances";
    let window =
        json!({"name": "new disks", "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T01:00:00Z"});
    let made = w.post(windows, &w.admin, window.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let own = format!("{windows}/{}", made.json["id"].as_str().unwrap());
    let mut backwards = window;
    backwards["ends_at"] = "2029-01-01T00:00:00Z".into();
    assert_eq!(w.put(&own, &w.admin, backwards).await.code(), "TM0004");
    assert_eq!(w.get(windows, &w.admin).await.json["maintenances"].as_array().unwrap().len(), 1);
    assert_eq!(w.delete(&own, &w.admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.delete(&own, &w.admin).await.code(), "TM0813");

    let throttle = "/api/v1/operations/throttle";
    assert_eq!(w.put(throttle, &w.admin, json!({"version": 9})).await.code(), "TM0409");
    assert_eq!(w.put(throttle, &w.admin, json!({"version": 1})).await.json["rules"]["version"], 1);
}

#[tokio::test]
async fn sources_are_shown_and_decided_about() {
    let w = World::new().await;
    let path = "/api/v1/projects/alpha/sources";
    let own = format!("{path}/ab12");
    let shown = w.get(path, &w.admin).await.json;
    let source = &shown["sources"][0];
    assert_eq!((&source["protocol"], &source["state"]), (&json!("PostHog"), &json!("silent")));
    assert_eq!((&source["usual_rate"], source["minutes"].as_array().unwrap().len()), (&json!(12.5), 60));
    assert_eq!(w.get("/api/v1/projects/beta/sources", &w.admin).await.json["sources"], json!([]));
    assert_eq!(w.delete("/api/v1/projects/beta/sources/ab12", &w.admin).await.code(), "TM0820");

    assert_eq!(w.patch(&own, &w.admin, json!({"watched": false})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.patch(&own, &w.admin, json!({"muted": true})).await.code(), "TM0004");
    let none = w.patch(&format!("{path}/none"), &w.admin, json!({"watched": true})).await;
    assert_eq!(none.code(), "TM0820");
    assert_eq!(w.delete(&own, &w.admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(w.delete(&own, &w.admin).await.code(), "TM0820");
    assert_eq!(w.get(path, &w.admin).await.json["sources"], json!([]));
    let files = |project| format!("/api/v1/projects/{project}/files");
    assert_eq!(w.get(&files("alpha"), &w.admin).await.json["files"][0]["name"], "orders");
    assert_eq!(w.get(&files("beta"), &w.admin).await.json["files"], json!([]));
    let trail = w.get("/api/v1/audit", &w.admin).await.text;
    assert!(trail.contains("source.unwatch") && trail.contains("source.end"), "{trail}");
}

#[tokio::test]
async fn the_loss_report_says_who_is_affected_and_adds_up() {
    let w = World::new().await;
    w.commit(7).await;
    let report = w.get("/api/v1/operations/loss-report?lane=live&from=0&to=12", &w.admin).await.json;
    let equation = &report["equation"];
    assert_eq!(
        (&equation["offsets"], &equation["dead"], &equation["control"]),
        (&json!(12), &json!(7), &json!(1))
    );
    assert_eq!((&equation["pending"], &equation["balanced"]), (&json!(4), &json!(true)));
    let sender = &report["senders"][0];
    assert_eq!((&sender["project_name"], &sender["events"]), (&json!("alpha"), &json!(12)));
    let receipt = sender["receipts"][0].as_str().unwrap();
    assert_eq!(w.get(&format!("/api/v1/receipts/{receipt}"), &w.admin).await.json["positions"], 12);
    for bad in
        ["lane=fast&from=0&to=1", "lane=live&from=5&to=5", "lane=live&from=0&to=21", "lane=bulk&from=0&to=1"]
    {
        let answer = w.get(&format!("/api/v1/operations/loss-report?{bad}"), &w.admin).await;
        assert_eq!(answer.code(), "TM0005", "{bad}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_ledger_shows_what_stands_beside_the_identity() {
    let w = World::new().await;
    w.commit(7).await;
    let ledger = w.get("/api/v1/projects/alpha/ledger", &w.a.secret_key).await.json;
    assert_eq!((&ledger["held_back"]["throttled"], &ledger["held_back"]["refused"]), (&json!(7), &json!(3)));
    assert_eq!(ledger["held_back"]["known"], true);
    assert_eq!((&ledger["skipped"], &ledger["restatements"]), (&json!([]), &json!([])));
    let later = w.get("/api/v1/projects/alpha/ledger?from=2030-01-01", &w.a.secret_key).await.json;
    assert_eq!(later["held_back"]["throttled"], 0);
    w.fold.broken.store(true, Ordering::SeqCst);
    let alone = w.get("/api/v1/projects/alpha/ledger", &w.a.secret_key).await.json;
    assert_eq!((&alone["identity"], &alone["held_back"]["known"]), (&ledger["identity"], &json!(false)));
    let hours = w.get("/api/v1/projects/alpha/accounting?from=2023-11-14", &w.a.secret_key).await.json;
    assert_eq!(
        hours["hours"],
        json!([{"hour": "2023-11-14T22:00:00.000Z", "lane": "live",
                "tally": {"visible": 0, "duplicate": 0, "filtered": 0, "dead": 7, "control": 0, "hole": 0}}])
    );
}

#[tokio::test]
async fn status_documents_are_public_and_need_neither_catalog_nor_log() {
    let w = World::new().await;
    w.catalog.close().await;
    for (path, document) in [
        ("api/v2/summary.json", "Summary"),
        ("api/v2/incidents/unresolved.json", "UnresolvedIncidents"),
        ("api/v2/scheduled-maintenances/active.json", "ActiveMaintenances"),
        ("history.rss", "Rss"),
        ("history.atom", "Atom"),
        ("page.json", "Page"),
    ] {
        let answer = w.get(&format!("/status/{path}"), "").await;
        assert_eq!((answer.status, &answer.json["document"]), (StatusCode::OK, &json!(document)), "{path}");
        assert!(answer.header("cache-control").contains("max-age"));
    }
    assert_eq!(w.get("/status/api/v2/nothing.json", "").await.code(), "TM0002");
    assert!(
        w.get("/status", "").await.header("content-type").starts_with("text/html"),
        "the page is the app's"
    );
}

/// A body with which the route does something.
fn working(path: &str) -> (String, Value) {
    let filled = path
        .replace("{project}", "alpha")
        .replace("{person}", "ann")
        .replace("{alert}", "inc1")
        .replace("{rule}", "1")
        .replace("{cohort}", "1")
        .replace("{kind}", "rename")
        .replace("{name}", "seen")
        .replace("{erasure}", "1")
        .replace("{maintenance}", "m0")
        .replace("{source}", "ab12")
        .replace("{job}", "1");
    let window = json!({"name": "w", "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T01:00:00Z"});
    let body = match path {
        "/api/v1/projects" => json!({"name": "gamma"}),
        "/api/v1/projects/{project}/keys" => json!({"kind": "write"}),
        "/api/v1/operations/dead-letters/redrive" => json!({"reason": "invalid_field", "project": "alpha"}),
        p if p.ends_with("/redrive") => json!({"items": [{"position": "live/0@3", "body": {"event": "x"}}]}),
        p if p.contains("/rules/preview") => {
            json!({"action": {"type": "block", "users": ["u"]}, "wait_ms": 0})
        }
        p if p.contains("/rules") => json!({"name": "r", "action": {"type": "block", "users": ["u"]}}),
        p if p.ends_with("/sources/{source}") => json!({"watched": false}),
        p if p.ends_with("/erase") => json!({"reason": "asked"}),
        p if p.contains("/maintenances") => window,
        p if p.ends_with("/settings") => json!({"retention": {"log_days": 3}}),
        p if p.ends_with("/throttle") => json!({"version": 1}),
        "/api/v1/operations/jobs" => json!({"kind": "rebuild_state"}),
        "/api/v1/projects/{project}/cohorts" => json!({"name": "c", "definition": {"performed": "buy"}}),
        p if p.ends_with("/cohorts/{cohort}") => json!({"name": "d"}),
        p if p.contains("/definitions/") => json!({"events": ["view"]}),
        _ => json!({}),
    };
    (filled, body)
}

#[tokio::test]
async fn every_change_leaves_a_line_in_the_audit_trail() {
    let w = World::new().await;
    let mut forgotten = Vec::new();
    let mut changed = 0;
    for route in route_table() {
        let asks = matches!(
            route.action,
            Action::ReadData | Action::ReadOperations | Action::Enter | Action::LogOut
        );
        // Keys have their own test, and a deleted project needs another order.
        let elsewhere = route.path.contains("{key}") || route.path.ends_with("/restore");
        if route.method == "GET" || asks || elsewhere || route.action == Action::DeleteProject {
            continue;
        }
        let lines = |w: &World| {
            let catalog = w.catalog.clone();
            async move { tallymark_catalog::Accounts::audit_log(&catalog, 1_000).await.unwrap().len() }
        };
        let before = lines(&w).await;
        let (path, body) = working(route.path);
        let answer = match route.method {
            "POST" => w.post(&path, &w.admin, body).await,
            "PUT" => w.put(&path, &w.admin, body).await,
            "PATCH" => {
                let request = with_key("PATCH", &path, &w.admin).header("content-type", "application/json");
                w.send(request.body(body.to_string().into()).unwrap()).await
            }
            _ => w.delete(&path, &w.admin).await,
        };
        assert!(answer.status.is_success(), "{} {path}: {}", route.method, answer.text);
        changed += 1;
        if lines(&w).await == before {
            forgotten.push(format!("{} {}", route.method, route.path));
        }
    }
    assert!(changed > 15, "{changed}");
    assert!(forgotten.is_empty(), "no line for {}", forgotten.join(", "));
}
