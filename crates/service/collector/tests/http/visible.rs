//! `?wait=visible`: the answer comes when queries see the events, or after a bound.

use crate::support::{KEY, NATIVE, config, json, start, start_with};
use async_trait::async_trait;
use axum::extract::Path;
use axum::routing::get;
use serde_json::json as j;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tallymark_collector::{CollectorConfig, VisibilityProbe, decode_receipt};

/// Says yes after some questions.
struct After(AtomicUsize, usize);

#[async_trait]
impl VisibilityProbe for After {
    async fn visible(&self, receipt: &str, authorization: Option<&str>) -> Option<bool> {
        assert!(!decode_receipt(receipt).unwrap().is_empty());
        assert_eq!(authorization, Some(format!("Bearer {KEY}").as_str()));
        let asked = self.0.fetch_add(1, Ordering::SeqCst);
        if asked == 0 { None } else { Some(asked >= self.1) }
    }
}

#[tokio::test]
async fn waits_until_the_events_are_visible() {
    let probe = Arc::new(After(AtomicUsize::new(0), 3));
    let injected = Arc::clone(&probe);
    let running = start_with(config(), |collector| collector.with_probe(injected)).await;
    let response =
        running.post("/api/v1/events?wait=visible").bearer_auth(KEY).body(NATIVE).send().await.unwrap();
    let (status, body) = json(response).await;
    assert_eq!(
        (status, &body["durable"], &body["visible"], &body["accepted"]),
        (200, &j!(true), &j!(true), &j!(1))
    );
    assert_eq!(probe.0.load(Ordering::SeqCst), 4);
    // Without asking for it, nobody is asked.
    let (_, body) =
        json(running.post("/api/v1/events?wait=durable").body(NATIVE).send().await.unwrap()).await;
    assert!(body.get("visible").is_none());
    assert_eq!(probe.0.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn answers_after_the_bound_when_the_web_process_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(CollectorConfig {
        web_socket: Some(folder.path().join("web.sock")),
        visible_timeout: Duration::from_millis(80),
        ..config()
    })
    .await;
    let (status, body) =
        json(running.post("/api/v1/events?wait=visible").body(NATIVE).send().await.unwrap()).await;
    assert_eq!((status, &body["durable"], &body["visible"]), (200, &j!(true), &j!(false)));
    assert_eq!(running.envelopes().await.len(), 1);
}

#[tokio::test]
async fn asks_the_web_process_for_the_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let receipts = move |Path(receipt): Path<String>| async move {
        assert!(decode_receipt(&receipt).is_ok());
        let visible = counter.fetch_add(1, Ordering::SeqCst) >= 2;
        axum::Json(j!({"durable":true,"visible":visible}))
    };
    let router = axum::Router::new().route("/api/v1/receipts/{receipt}", get(receipts));
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let running = start(CollectorConfig { web_socket: Some(socket), ..config() }).await;
    let (_, body) =
        json(running.post("/api/v1/events?wait=visible").body(NATIVE).send().await.unwrap()).await;
    assert_eq!(body["visible"], j!(true));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
