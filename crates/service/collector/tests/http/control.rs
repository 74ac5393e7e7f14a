//! The control socket: control records into every shard, throttle rules, and how things are.

use crate::support::{KEY, NATIVE, Running, config, start};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json as j};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tallymark_log::AppendError;
use tallymark_model::{Control, Lane, Record, Shard};

fn with_socket(folder: &Path) -> CollectorConfig {
    CollectorConfig {
        control_socket: Some(folder.join("control.sock")),
        throttle_rules: Some(folder.join("throttle.json")),
        throttle_state: Some(folder.join("throttle.state")),
        throttle_interval: Duration::from_millis(20),
        ..config()
    }
}

/// One request over the socket.
async fn call(folder: &Path, method: &str, path: &str, body: impl Into<bytes::Bytes>) -> (u16, Value) {
    let stream = tokio::net::UnixStream::connect(folder.join("control.sock")).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri(path).header("host", "control");
    let request = request.body(Full::new(body.into())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{status} {body:?}")))
}

async fn up(running: &Running, folder: &Path) {
    let socket = folder.join("control.sock");
    let there = async {
        while !socket.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.unwrap();
    assert!(!running.task.is_finished());
}

fn rule(version: u32) -> Value {
    j!({"kind":"rule","id":1,"project":7,"version":version,"name":"no bots","enabled":true,"by":"ada",
        "made_at":1_795_000_000_000_i64,"action":{"type":"block","devices":["bot"]}})
}

fn redrive(offset: u64) -> Value {
    j!({"kind":"redrive","position":{"lane":"live","partition":2,"offset":offset},"wire":"native_v1",
        "body":"{\"event\":\"a\"}","by":"ada","made_at":1})
}

#[tokio::test]
async fn control_records_reach_every_shard_and_the_answer_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(with_socket(folder.path())).await;
    up(&running, folder.path()).await;
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
    let body = j!({"everywhere":[rule(1), rule(2)],
        "at":[{"shard":{"lane":"live","partition":2},"control":redrive(0)}]});
    let (status, answer) = call(folder.path(), "POST", "/control", body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    let positions: Vec<&str> =
        answer["positions"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!(positions.len(), 2 * 8 + 1);
    let shards: Vec<&str> = positions[..8].iter().map(|p| p.split('@').next().unwrap()).collect();
    assert_eq!(shards, ["live/0", "live/1", "live/2", "live/3", "bulk/0", "bulk/1", "bulk/2", "bulk/3"]);
    assert!(positions[16].starts_with("live/2@"));
    let mut versions = std::collections::BTreeMap::<Shard, Vec<u32>>::new();
    let mut redrives = Vec::new();
    for record in running.records().await {
        match record {
            Record::Control { shard, control: Control::Rule(rule) } => {
                versions.entry(shard).or_default().push(rule.version);
            }
            Record::Control { shard, control: Control::Redrive(_) } => redrives.push(shard),
            Record::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(versions.len(), 8);
    assert!(versions.values().all(|v| v == &[1, 2]));
    assert_eq!(redrives, [Shard { lane: Lane::Live, partition: 2 }]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_nothing_is_appended() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(with_socket(folder.path())).await;
    up(&running, folder.path()).await;
    let at = |partition: u16, control: Value| {
        j!({"at":[{"shard":{"lane":"live","partition":partition},"control":control}]}).to_string()
    };
    for (body, status, code, why) in [
        ("{".to_owned(), 400, "TM0004", "EOF"),
        ("{}".to_owned(), 400, "TM0004", "nothing"),
        (r#"{"everywere":[]}"#.to_owned(), 400, "TM0004", "unknown field"),
        (r#"{"everywhere":[{"kind":"magic"}]}"#.to_owned(), 400, "TM0004", "unknown variant"),
        (at(4, rule(1)), 400, "TM0005", "live/4"),
        (at(1, redrive(0)), 400, "TM0005", "does not belong to live/1"),
        (j!({"everywhere":[redrive(0)]}).to_string(), 400, "TM0005", "belongs in 'at'"),
        (j!({"everywhere": vec![rule(1); 1_251]}).to_string(), 413, "TM0006", "10008 records"),
        (" ".repeat(17 << 20), 413, "TM0006", "too large"),
    ] {
        let (got, answer) = call(folder.path(), "POST", "/control", body).await;
        assert_eq!((got, &answer["error"]["code"]), (status, &j!(code)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(why), "{answer}");
    }
    assert_eq!(call(folder.path(), "GET", "/control", "").await.0, 405);
    assert_eq!(call(folder.path(), "GET", "/health/ready", "").await.0, 404);
    for (failure, status, code) in [
        (AppendError::Full { free_bytes: 0, needed_bytes: 1 }, 503, "TM0112"),
        (AppendError::Unavailable { cause: "stopping".into() }, 503, "TM0112"),
        (AppendError::Poisoned { cause: "EIO".into() }, 500, "TM0113"),
        (AppendError::TooLarge { bytes: 2, max_bytes: 1 }, 413, "TM0006"),
    ] {
        running.log.fail_with(Some(failure));
        let body = j!({"everywhere":[rule(1)]}).to_string();
        let (got, answer) = call(folder.path(), "POST", "/control", body).await;
        assert_eq!((got, &answer["error"]["code"]), (status, &j!(code)));
    }
    running.log.fail_with(None);
    assert!(running.records().await.is_empty());
}

#[tokio::test]
async fn the_socket_is_its_owners_and_the_public_port_has_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    // A killed collector leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("control.sock")).unwrap());
    let running = start(with_socket(folder.path())).await;
    let answers = async {
        while tokio::net::UnixStream::connect(folder.path().join("control.sock")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answers).await.unwrap();
    let mode = std::fs::metadata(folder.path().join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let body = j!({"everywhere":[rule(1)]}).to_string();
    assert_ne!(running.post("/control").body(body).send().await.unwrap().status(), 200);
    assert_ne!(running.get("/throttle").send().await.unwrap().status(), 200);
    assert!(running.records().await.is_empty());
    running.shut_down().await;
    assert!(!folder.path().join("control.sock").exists());
}

#[tokio::test]
async fn events_are_taken_without_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(with_socket(&folder.path().join("missing"))).await;
    assert_eq!(running.post("/api/v1/events").body(NATIVE).send().await.unwrap().status(), 200);
    running.shut_down().await;
}

#[tokio::test]
async fn throttle_rules_can_be_replaced_and_seen() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(with_socket(folder.path())).await;
    up(&running, folder.path()).await;
    let (status, before) = call(folder.path(), "GET", "/throttle", "").await;
    assert_eq!((status, &before["source"], &before["problem"]), (200, &j!("built_in"), &j!(null)));
    assert_eq!(before["rules"]["rules"][0]["events_per_second"], j!(100.0));
    let rules = j!({"version":1,"rules":[{"name":"tight","per":"device","events_per_second":0.01,"burst":3}],
        "exempt":[{"device":"load-test"}]});
    let (status, after) = call(folder.path(), "POST", "/throttle", rules.to_string()).await;
    assert_eq!(
        (status, &after["source"], &after["rules"]["rules"][0]["lanes"]),
        (200, &j!("file"), &j!(["live"]))
    );
    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("throttle.json")).unwrap()).unwrap();
    assert_eq!(written, after["rules"]);

    let events = |device: &str| {
        let events = vec![j!({"event":"a","device_id":device}); 5];
        j!({"api_key":KEY,"events":events}).to_string()
    };
    for (device, accepted) in [("abuser", 3), ("load-test", 5)] {
        let sent = running.post("/api/v1/events").body(events(device)).send().await.unwrap();
        let answer: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
        assert_eq!(answer["accepted"], j!(accepted), "{device}");
    }
    assert_eq!(running.post("/api/v1/events").body(events("abuser")).send().await.unwrap().status(), 429);
    let (_, seen) = call(folder.path(), "GET", "/throttle", "").await;
    let row = &seen["throttled"][0];
    assert_eq!((&row["id"], &row["rule"], &row["refused"]), (&j!("abuser"), &j!("tight"), &j!(7)), "{seen}");
    assert_eq!(seen["state"]["rows"], j!(1));

    for bad in
        ["", "[]", r#"{"version":1,"rules":[{"name":"x","per":"device","events_per_second":-1,"burst":3}]}"#]
    {
        let (status, answer) = call(folder.path(), "POST", "/throttle", bad).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &j!("TM0004")), "{answer}");
    }
    assert_eq!(
        call(folder.path(), "GET", "/throttle", "").await.1["rules"],
        after["rules"],
        "nothing changed"
    );

    let (status, pressure) = call(folder.path(), "GET", "/pressure", "").await;
    assert_eq!((status, &pressure["admission"], &pressure["partitions"]), (200, &j!("open"), &j!(4)));
    assert_eq!(pressure["events"], j!({"accepted":8,"throttled":7,"marked":0}));
    assert!(pressure["received_through"].as_i64().unwrap() > 0);
    assert_eq!(pressure["requests"], j!({"total":3,"ok":2,"throttled":1,"other_4xx":0,"unavailable":0}));
}
