//! Over a real connection: live tail, progress, cancellation on disconnect, many queries at one time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use futures::StreamExt;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallymark_api::Limits;
use tallymark_catalog::Settings;
use tokio::time::timeout;
use world::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn serve(w: &World) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = w.app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn open(address: SocketAddr, path: &str, key: &str) -> Response {
    let request = Client::new().get(format!("http://{address}{path}")).bearer_auth(key);
    request.header("accept", "text/event-stream").send().await.unwrap()
}

/// Reads messages until `stop` says so; comments are given as kind `:`.
async fn messages(response: Response, mut stop: impl FnMut(&str, &Value) -> bool) -> Vec<(String, Value)> {
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let mut body = response.bytes_stream();
    let (mut text, mut out) = (String::new(), Vec::new());
    let reading = async {
        while let Some(chunk) = body.next().await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            while let Some(end) = text.find("\n\n") {
                let message: String = text.drain(..end + 2).collect();
                let field = |name: &str| {
                    message.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim().to_owned()
                };
                let kind = if message.starts_with(':') { ":".to_owned() } else { field("event:") };
                let data: Value = serde_json::from_str(&field("data:")).unwrap_or_default();
                let last = stop(&kind, &data);
                out.push((kind, data));
                if last {
                    return;
                }
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("the stream went silent");
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_tail_sends_each_new_event_of_its_project() {
    let w = World::new().await;
    let address = serve(&w).await;
    let response = open(address, "/api/v1/projects/alpha/events", &w.a.secret_key).await;
    let (a, b) = (w.a.project.id, w.b.project.id);
    w.engine.show(a, json!({"event": "one"}));
    w.engine.show(b, json!({"event": canary(b)}));
    w.engine.show(a, json!({"event": "two"}));
    w.commit(2).await;
    let got = messages(response, |_, data| data["event"] == "two").await;
    let events: Vec<_> = got.iter().filter(|(k, _)| k == "event").map(|(_, d)| d["event"].clone()).collect();
    assert_eq!(events, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_tail_can_be_narrowed() {
    let w = World::new().await;
    let address = serve(&w).await;
    let response = open(address, "/api/v1/projects/1/events?event=buy&person=ann", &w.a.secret_key).await;
    for (event, person) in [("buy", "bob"), ("look", "ann"), ("buy", "ann")] {
        w.engine.show(w.a.project.id, json!({"event": event, "person": "p", "user_id": person}));
    }
    w.commit(2).await;
    let got = messages(response, |kind, _| kind == "event").await;
    assert_eq!(got.last().unwrap().1, json!({"event": "buy", "person": "p", "user_id": "ann"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_ends_with_its_credential() {
    let limits = Limits {
        tail_interval: Duration::from_millis(10),
        recheck_interval: Duration::from_millis(50),
        ..Limits::default()
    };
    let w = World::with(limits).await;
    let address = serve(&w).await;
    let response = open(address, "/api/v1/projects/alpha/events", &w.a.secret_key).await;
    let secret = w.catalog.keys(Some(w.a.project.id)).await.unwrap()[0].id;
    assert!(w.catalog.revoke_key(Some(w.a.project.id), secret).await.unwrap());
    let got = messages(response, |kind, _| kind == "error").await;
    assert_eq!(got.last().unwrap().1["error"]["code"], "TM0202");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_tails_is_limited_and_places_come_back() {
    let w =
        World::with(Limits { tails_max: 1, tail_interval: Duration::from_millis(10), ..Limits::default() })
            .await;
    let address = serve(&w).await;
    let path = "/api/v1/projects/alpha/events";
    let first = open(address, path, &w.a.secret_key).await;
    let refused = open(address, path, &w.a.secret_key).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains("TM0316"));
    drop(first);
    let again = async {
        while open(address, path, &w.a.secret_key).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place did not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_query_reports_progress_then_its_result() {
    let w = World::new().await;
    let address = serve(&w).await;
    let query = |q: Value| {
        let url = format!("http://{address}/api/v1/projects/alpha/query");
        Client::new()
            .post(url)
            .bearer_auth(&w.a.secret_key)
            .header("accept", "text/event-stream")
            .json(&q)
            .send()
    };
    let got = messages(query(json!({"steps": 120})).await.unwrap(), |kind, _| kind == "result").await;
    let progress: Vec<u64> = got
        .iter()
        .filter(|(k, _)| k == "progress")
        .map(|(_, d)| d["row_groups_done"].as_u64().unwrap())
        .collect();
    assert!(progress.len() >= 2 && progress.is_sorted(), "{progress:?}");
    assert_eq!(got.iter().filter(|(k, _)| k != "progress").count(), 1);
    assert_eq!(got.last().unwrap().1["canary"], canary(w.a.project.id));
    let failed = messages(query(json!({"type": "memory"})).await.unwrap(), |kind, _| kind == "error").await;
    assert_eq!(failed.last().unwrap().1["error"]["code"], "TM0311");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_cancelled_when_its_caller_goes_away() {
    let w = World::new().await;
    let address = serve(&w).await;
    for (cancelled, accept) in [(1, "application/json"), (2, "text/event-stream")] {
        let url = format!("http://{address}/api/v1/projects/alpha/query");
        let request = Client::new().post(url).bearer_auth(&w.a.secret_key).header("accept", accept);
        let call = tokio::spawn(async move {
            let response = request.json(&json!({"steps": 1_000_000})).send().await.unwrap();
            response.text().await
        });
        until(|| w.engine.running.load(Ordering::SeqCst) == 1).await;
        call.abort();
        until(|| w.engine.cancelled.load(Ordering::SeqCst) == cancelled).await;
        until(|| w.engine.running.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_queries_take_turns_and_all_are_answered() {
    let limits = Limits { queries_max: 4, queries_per_project_max: 2, ..Limits::default() };
    let w = World::with(limits).await;
    let mut calls = Vec::new();
    for i in 0..200 {
        let (path, key) = match i % 10 {
            0 => ("/api/v1/projects/beta/query", &w.b.secret_key),
            _ => ("/api/v1/projects/alpha/query", &w.a.secret_key),
        };
        calls.push(w.post(path, key, json!({"steps": 1})));
    }
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|a| a.status == 200));
    assert!(w.engine.most_running.load(Ordering::SeqCst) <= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_queue_queries_are_refused_at_once() {
    let limits =
        Limits { queries_max: 1, queries_per_project_max: 1, queries_waiting_max: 3, ..Limits::default() };
    let w = World::with(limits).await;
    let calls =
        (0..10).map(|_| w.post("/api/v1/projects/alpha/query", &w.a.secret_key, json!({"steps": 20})));
    let answers = futures::future::join_all(calls).await;
    let refused: Vec<_> = answers.iter().filter(|a| a.status == 503).collect();
    assert!(!refused.is_empty() && refused.len() < 10);
    assert!(refused.iter().all(|a| a.code() == "TM0315" && !a.header("retry-after").is_empty()));
}

async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it did not happen");
}
