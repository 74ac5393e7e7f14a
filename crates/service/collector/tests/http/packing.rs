//! Packed bodies over HTTP, and bombs.

use crate::support::{KEY, Wire, config, json, start};
use serde_json::json as j;
use std::io::Write;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn body(name: &str) -> Vec<u8> {
    j!({"api_key":KEY,"batch":[{"event":name,"distinct_id":"user-1"}]}).to_string().into_bytes()
}

#[tokio::test]
async fn every_packing_arrives() {
    let running = start(config()).await;
    let zlib = |plain: &[u8]| {
        let mut e = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(plain).unwrap();
        e.finish().unwrap()
    };
    let brotli = |plain: &[u8]| {
        let mut e = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        e.write_all(plain).unwrap();
        e.into_inner()
    };
    let cases: Vec<(&str, Vec<u8>, Option<&str>, &str)> = vec![
        ("gzip", gzip(&body("gzip")), Some("gzip"), "text/plain"),
        ("magic", gzip(&body("magic")), None, "text/plain"),
        ("rudder", gzip(&body("rudder")), Some("gzip"), "application/x-www-form-urlencoded"),
        ("deflate", zlib(&body("deflate")), Some("deflate"), "application/json"),
        ("br", brotli(&body("br")), Some("br"), "application/json"),
        ("zstd", zstd::encode_all(&body("zstd")[..], 3).unwrap(), Some("zstd"), "application/json"),
        ("plain", body("plain"), None, ""),
    ];
    let mut names: Vec<&str> = Vec::new();
    for (name, bytes, encoding, content_type) in cases {
        let mut request = running.post("/batch/").header("content-type", content_type).body(bytes);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let (status, answer) = json(request.send().await.unwrap()).await;
        assert_eq!((status, answer), (200, j!({"status":"Ok"})), "{name}");
        names.push(name);
    }
    names.sort_unstable();
    assert_eq!(running.names().await, names);
}

#[tokio::test]
async fn a_pixel_may_use_get() {
    let running = start(config()).await;
    let data = "eyJldmVudCI6InBpeGVsIiwiZGlzdGluY3RfaWQiOiJ1IiwiYXBpX2tleSI6ImsifQ";
    let response = running.get(&format!("/e/?data={data}")).send().await.unwrap();
    assert_eq!(json(response).await, (200, j!({"status":"Ok"})));
    assert_eq!(running.names().await, ["pixel"]);
    assert_eq!(running.get("/e/").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn bombs_are_answered_413_and_the_connection_lives_on() {
    let running = start(config()).await;
    let zeros = vec![b' '; 40 << 20];
    let bombs: Vec<(Vec<u8>, Option<&str>)> = vec![
        (gzip(&zeros), Some("gzip")),
        (gzip(&gzip(&zeros)), None),
        (zstd::encode_all(&zeros[..], 1).unwrap(), Some("zstd")),
    ];
    for (bomb, encoding) in bombs {
        for path in ["/batch", "/api/v1/events", "/2/httpapi", "/e/", "/v1/batch"] {
            let mut request = running.post(path).bearer_auth(KEY).body(bomb.clone());
            if let Some(encoding) = encoding {
                request = request.header("content-encoding", encoding);
            }
            let (status, _) = json(request.send().await.unwrap()).await;
            assert_eq!(status, 413, "{path} {encoding:?}");
        }
    }
    assert!(running.envelopes().await.is_empty());
}

#[tokio::test]
async fn limits_on_the_wire_hold_with_and_without_a_declared_length() {
    let running = start(config()).await;
    let event = |size: usize| {
        let frame =
            j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1","event_properties":{"x":""}}]});
        let frame = frame.to_string();
        frame.replace("\"\"", &format!("\"{}\"", "y".repeat(size - frame.len())))
    };
    for (size, expected) in [(999_999, 200), (1_000_000, 200), (1_000_001, 413)] {
        let (status, answer) = json(running.post("/2/httpapi").body(event(size)).send().await.unwrap()).await;
        assert_eq!((status, &answer["code"]), (expected, &j!(expected)), "{size}");
        let chunks = futures::stream::iter(vec![Ok::<_, std::io::Error>(event(size))]);
        let response =
            running.post("/2/httpapi").body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
        assert_eq!(response.status(), expected, "{size} chunked");
    }
    // One connection: a refusal does not cost the client its next request.
    let mut wire = Wire::connect(running.address).await;
    wire.send_post("/2/httpapi", &event(1_200_000)).await;
    assert!(wire.response().await.0.starts_with("http/1.1 413"));
    wire.send_post("/2/httpapi", &event(500)).await;
    assert!(wire.response().await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn unknown_and_broken_packings_are_told() {
    let running = start(config()).await;
    let send = |encoding: &'static str| {
        running.post("/api/v1/events").bearer_auth(KEY).header("content-encoding", encoding).body("{}").send()
    };
    let (status, body) = json(send("rot13").await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (415, &j!("TM0108")));
    assert!(body["error"]["message"].as_str().unwrap().contains("rot13"));
    let (status, _) = json(send("gzip").await.unwrap()).await;
    assert_eq!(status, 415);
}
