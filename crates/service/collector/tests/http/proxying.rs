//! Everything that is not ingestion goes to the web process, which may be down, slow or streaming.

use crate::support::{NATIVE, config, json, start};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use futures::StreamExt;
use serde_json::json as j;
use std::path::Path;
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// A web process: echoes what it got, streams, and swallows.
fn web(socket: &Path) -> CancellationToken {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    let echo = |request: Request| async move {
        let headers: serde_json::Map<String, serde_json::Value> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").into()))
            .collect();
        let answer =
            j!({"path": request.uri().to_string(), "method": request.method().as_str(), "headers": headers});
        Response::builder()
            .header("x-secret-hop", "1")
            .header("connection", "x-secret-hop")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(Body::from(answer.to_string()))
            .unwrap()
    };
    let count = |request: Request| async move {
        let mut stream = request.into_body().into_data_stream();
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len();
        }
        bytes.to_string()
    };
    let ticks = || async {
        let ticks = futures::stream::unfold(0u32, |n| async move {
            if n > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (n < 3).then(|| (Ok::<_, std::io::Error>(format!("data: {n}\n\n")), n + 1))
        });
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(ticks))
            .unwrap()
    };
    let router = axum::Router::new()
        .route("/count", post(count).layer(axum::extract::DefaultBodyLimit::disable()))
        .route("/ticks", get(ticks))
        .fallback(any(echo));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            () = stopped.cancelled() => {}
        }
    });
    stop
}

#[tokio::test]
async fn other_paths_reach_the_web_process() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let _web = web(&socket);
    let running = start(CollectorConfig { web_socket: Some(socket), ..config() }).await;
    let response = running
        .get("/api/v1/projects/demo/events?limit=5&q=%7B%7D")
        .header("x-forwarded-for", "6.6.6.6")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("cookie", "tallymark_session=x")
        .send()
        .await
        .unwrap();
    assert!(!response.headers().contains_key("x-secret-hop"));
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    let (status, echo) = json(response).await;
    assert_eq!((status, &echo["path"]), (200, &j!("/api/v1/projects/demo/events?limit=5&q=%7B%7D")));
    let headers = &echo["headers"];
    assert_eq!(headers["x-forwarded-for"], j!("127.0.0.1"), "a client cannot forge its address");
    assert_eq!(headers["host"], j!(running.address.to_string()));
    assert_eq!(headers["cookie"], j!("tallymark_session=x"));
    assert!(headers.get("x-hop").is_none() && headers.get("connection").is_none());
    for path in ["/", "/p/demo", "/api/v1/session", "/metrics", "/api/docs"] {
        let (_, echo) = json(running.get(path).send().await.unwrap()).await;
        assert_eq!(echo["path"], j!(path));
    }
    let delete = running.http.delete(running.url("/api/v1/x")).send().await.unwrap();
    assert_eq!(json(delete).await.1["method"], j!("DELETE"));
}

#[tokio::test]
async fn a_trusted_proxy_in_front_tells_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let _web = web(&socket);
    let running = start(CollectorConfig { web_socket: Some(socket), trusted_hops: 1, ..config() }).await;
    let response =
        running.get("/x").header("x-forwarded-for", "192.0.2.9").header("x-forwarded-proto", "https").send();
    let (_, echo) = json(response.await.unwrap()).await;
    assert_eq!(echo["headers"]["x-forwarded-for"], j!("192.0.2.9, 127.0.0.1"));
    assert_eq!(echo["headers"]["x-forwarded-proto"], j!("https"));
    let sent =
        running.post("/api/v1/events").header("x-forwarded-for", "1.1.1.1, 192.0.2.9").body(NATIVE).send();
    assert_eq!(sent.await.unwrap().status(), 200);
    assert_eq!(running.envelopes().await[0].context.ip.as_deref(), Some("192.0.2.9"));
}

#[tokio::test]
async fn the_client_is_found_through_as_many_hops_as_are_declared() {
    for (hops, seen) in [(0, "127.0.0.1"), (1, "10.0.0.7"), (2, "192.0.2.9"), (3, "6.6.6.6")] {
        let running = start(CollectorConfig { trusted_hops: hops, ..config() }).await;
        let sent = running.post("/api/v1/events").header("x-forwarded-for", "6.6.6.6, 192.0.2.9, 10.0.0.7");
        assert_eq!(sent.body(NATIVE).send().await.unwrap().status(), 200);
        assert_eq!(running.envelopes().await[0].context.ip.as_deref(), Some(seen), "{hops}");
    }
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let _web = web(&socket);
    let running = start(CollectorConfig { web_socket: Some(socket), ..config() }).await;
    let chunks = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 500_000])));
    let response = running.post("/count").body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "50000000");
    let response = running.get("/ticks").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let chunks: Vec<_> = response.bytes_stream().map(|c| c.unwrap()).collect().await;
    assert_eq!(chunks.concat(), b"data: 0\n\ndata: 1\n\ndata: 2\n\n");
    assert!(chunks.len() >= 2, "events arrive one by one, not in one piece at the end");
}

#[tokio::test]
async fn ingestion_goes_on_while_the_web_process_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let running = start(CollectorConfig { web_socket: Some(socket.clone()), ..config() }).await;
    let response = running.get("/api/v1/projects").send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let (status, body) = json(response).await;
    assert_eq!((status, &body["error"]["code"]), (503, &j!("TM0121")));
    let page = running.get("/").header("accept", "text/html,*/*").send().await.unwrap();
    assert_eq!(page.status(), 503);
    assert!(page.text().await.unwrap().contains("Events are still accepted"));
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
    // It comes, goes and comes back.
    for _ in 0..2 {
        let stop = web(&socket);
        let up = async {
            while running.get("/x").send().await.unwrap().status() != 200 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.unwrap();
        stop.cancel();
        std::fs::remove_file(&socket).unwrap();
    }
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
    assert_eq!(running.envelopes().await.len(), 2);
}
