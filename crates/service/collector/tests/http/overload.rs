//! What a client hears when the log or the collector has no room: 503, nothing kept, and a count.

use crate::support::{KEY, NATIVE, Wire, config, json, start};
use serde_json::json as j;
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tallymark_log::AppendError;
use tallymark_model::Control;
use tallymark_wire::token_of;

fn bodies() -> [(&'static str, String); 5] {
    [
        ("/api/v1/events", NATIVE.to_owned()),
        ("/2/httpapi", j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"}]}).to_string()),
        ("/batch", j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"}]}).to_string()),
        ("/e/", j!({"api_key":KEY,"event":"a","distinct_id":"u"}).to_string()),
        ("/v1/track", j!({"writeKey":KEY,"event":"a","userId":"u"}).to_string()),
    ]
}

#[tokio::test]
async fn a_log_without_room_is_503_with_retry_after_before_the_body_is_parsed() {
    let running = start(config()).await;
    for failure in [
        AppendError::Full { free_bytes: 1, needed_bytes: 2 },
        AppendError::Unavailable { cause: "stopping".into() },
        AppendError::Poisoned { cause: "EIO".into() },
    ] {
        running.log.fail_with(Some(failure));
        for (path, body) in bodies() {
            let response = running.post(path).body(body).send().await.unwrap();
            let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=30).contains(&seconds));
            let (status, body) = json(response).await;
            assert_eq!(status, 503, "{path}");
            assert!(body["error"].is_object() || body["code"] == j!(503), "{path} {body}");
            // Unparsed: even nonsense gets the same answer.
            assert_eq!(running.post(path).body("nonsense").send().await.unwrap().status(), 503, "{path}");
        }
    }
    running.log.fail_with(None);
    assert!(running.records().await.is_empty());
    for (path, body) in bodies() {
        assert_eq!(running.post(path).body(body).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(running.envelopes().await.len(), 5);
}

#[tokio::test]
async fn a_batch_the_log_finds_too_large_is_413() {
    let running = start(config()).await;
    running.log.fail_with(Some(AppendError::TooLarge { bytes: 10, max_bytes: 5 }));
    for (path, body) in bodies() {
        assert_eq!(running.post(path).body(body).send().await.unwrap().status(), 413, "{path}");
    }
}

#[tokio::test]
async fn more_requests_than_places_are_turned_away() {
    let running = start(CollectorConfig { requests_max: 1, ..config() }).await;
    let mut slow = Wire::connect(running.address).await;
    slow.send(format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{{",
        NATIVE.len()
    ))
    .await;
    // The place is taken once the head is read: the second request sees it sooner or later.
    let turned_away = async {
        loop {
            let response = running.post("/api/v1/events").body(NATIVE).send().await.unwrap();
            if response.status() == 503 {
                break json(response).await.1;
            }
        }
    };
    let body = tokio::time::timeout(Duration::from_secs(20), turned_away).await.unwrap();
    assert_eq!(body["error"]["code"], j!("TM0111"));
    slow.send(&NATIVE[1..]).await;
    assert!(slow.response().await.0.starts_with("http/1.1 200"));
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn bodies_beyond_the_memory_budget_are_turned_away() {
    let running = start(CollectorConfig { buffered_bytes_max: 256 * 1024, ..config() }).await;
    let large = format!("{{\"api_key\":\"{KEY}\",\"events\":[],\"x\":\"{}\"}}", "y".repeat(400 * 1024));
    let (status, body) = json(running.post("/api/v1/events").body(large).send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (503, &j!("TM0111")));
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn refused_events_are_counted_in_the_log() {
    let running = start(CollectorConfig { refused_interval: Duration::from_millis(20), ..config() }).await;
    let bad = j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"},{}]}).to_string();
    assert_eq!(running.post("/2/httpapi").body(bad).send().await.unwrap().status(), 400);
    let some = j!({"api_key":KEY,"events":[{"event":"a"},{},{}]}).to_string();
    assert_eq!(running.post("/api/v1/events").body(some).send().await.unwrap().status(), 200);
    let counted = async {
        loop {
            let controls = running.controls().await;
            let total: u64 = controls
                .iter()
                .map(|c| if let Control::Refused { count, .. } = c { *count } else { 0 })
                .sum();
            if total >= 3 {
                break (total, controls);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (total, controls) = tokio::time::timeout(Duration::from_secs(20), counted).await.unwrap();
    assert_eq!(total, 3, "the faulty one of the refused request, two rejected one by one");
    for control in controls {
        let Control::Refused { token, minute, reason, .. } = control else { panic!("{control:?}") };
        assert_eq!(
            (token, minute % 60_000, reason.as_str()),
            (token_of(KEY).to_string(), 0, "invalid_event")
        );
    }
}

#[tokio::test]
async fn counts_are_kept_while_the_log_refuses_and_written_at_the_end() {
    let running = start(CollectorConfig { refused_interval: Duration::from_millis(10), ..config() }).await;
    running.log.fail_with(Some(AppendError::TooLarge { bytes: 1, max_bytes: 0 }));
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 413);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(running.controls().await.is_empty());
    running.log.fail_with(None);
    let address = running.address;
    let log = running.shut_down().await;
    let mut count = 0;
    for partition in 0..4 {
        for lane in tallymark_model::Lane::ALL {
            let bounds = tallymark_log::LogReader::bounds(&log, tallymark_model::Shard { lane, partition })
                .await
                .unwrap();
            count += bounds.end;
        }
    }
    assert_eq!(count, 1, "one control record");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
