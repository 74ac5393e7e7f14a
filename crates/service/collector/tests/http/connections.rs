//! Connections: HTTP/2 without TLS, slow senders, and stopping without cutting anyone off.

use crate::support::{NATIVE, Wire, config, start};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tokio::net::TcpStream;

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let running = start(config()).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let url = running.url("/api/v1/events");
    let mut requests = Vec::new();
    for _ in 0..10 {
        let request = http::Request::post(&url).body(Full::new(Bytes::from(NATIVE))).unwrap();
        requests.push(sender.send_request(request));
    }
    for response in futures::future::join_all(requests).await {
        let response = response.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{\"accepted\":1"));
    }
    assert_eq!(running.envelopes().await.len(), 10);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let running = start(config()).await;
    let mut wire = Wire::connect(running.address).await;
    for _ in 0..5 {
        wire.send_post("/api/v1/events", NATIVE).await;
        let (head, _) = wire.response().await;
        assert!(head.starts_with("http/1.1 200") && !head.contains("connection: close"), "{head}");
    }
    assert_eq!(running.envelopes().await.len(), 5);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_and_an_idle_connection_is_not() {
    let running = start(CollectorConfig { head_timeout: Duration::from_millis(300), ..config() }).await;
    let mut idle = Wire::connect(running.address).await;
    idle.send_post("/api/v1/events", NATIVE).await;
    idle.response().await;
    let mut slow = Wire::connect(running.address).await;
    slow.send("POST /api/v1/events HTTP/1.1\r\nHost: x\r\n").await;
    assert!(tokio::time::timeout(Duration::from_secs(20), slow.closed()).await.unwrap());
    idle.send_post("/api/v1/events", NATIVE).await;
    assert!(idle.response().await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered() {
    let running = start(CollectorConfig { body_timeout: Duration::from_millis(100), ..config() }).await;
    for (path, status) in [("/api/v1/events", "408"), ("/e/", "503"), ("/2/httpapi", "503")] {
        let mut slow = Wire::connect(running.address).await;
        slow.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{")).await;
        let (head, _) = tokio::time::timeout(Duration::from_secs(20), slow.response()).await.unwrap();
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{path} {head}");
    }
    assert!(running.envelopes().await.is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let running = start(CollectorConfig { requests_max: 1, ..config() }).await;
    for _ in 0..3 {
        let mut wire = Wire::connect(running.address).await;
        wire.send("POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"events\"").await;
    }
    let free = async {
        while running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), free).await.unwrap();
    assert_eq!(running.envelopes().await.len(), 1);
}

#[tokio::test]
async fn stopping_tells_clients_to_close_and_finishes_what_is_in_work() {
    let running = start(CollectorConfig { drain_timeout: Duration::from_secs(20), ..config() }).await;
    let mut idle = Wire::connect(running.address).await;
    idle.send_post("/api/v1/events", NATIVE).await;
    idle.response().await;
    let mut half = Wire::connect(running.address).await;
    half.send(format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{{",
        NATIVE.len()
    ))
    .await;
    let address = running.address;
    running.stop.cancel();
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    // The idle connection still takes a request, and is then told that it was the last one.
    idle.send_post("/api/v1/events", NATIVE).await;
    let (head, _) = idle.response().await;
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    assert!(idle.closed().await);
    half.send(&NATIVE[1..]).await;
    let (head, _) = half.response().await;
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    let log = running.shut_down().await;
    let mut events = 0;
    for partition in 0..4 {
        let shard = tallymark_model::Shard { lane: tallymark_model::Lane::Live, partition };
        events += tallymark_log::LogReader::bounds(&log, shard).await.unwrap().end;
    }
    assert_eq!(events, 3);
}
