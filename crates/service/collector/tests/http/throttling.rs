//! Throttling over HTTP: each vendor's 429, counts in the log, restarts, and rules files of every kind.

use crate::support::{KEY, Running, config, json, start, start_with_log};
use serde_json::{Value, json as j};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tallymark_log::AppendError;
use tallymark_model::{Control, Lane};
use tallymark_wire::token_of;

/// Ten events at once, then one in a hundred seconds.
const TIGHT: &str = r#"{"version":1,"rules":[
    {"name":"device","per":"device","events_per_second":0.01,"burst":10},
    {"name":"user","per":"user","events_per_second":0.01,"burst":10}]}"#;

fn throttled(folder: &Path) -> CollectorConfig {
    CollectorConfig {
        throttle_rules: Some(folder.join("throttle.json")),
        throttle_state: Some(folder.join("throttle.state")),
        throttle_interval: Duration::from_millis(20),
        ..config()
    }
}

fn folder(rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("throttle.json"), rules).unwrap();
    folder
}

async fn post(running: &Running, path: &str, body: Value) -> (u16, Option<u32>, Value) {
    let response = running.post(path).body(body.to_string()).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().parse().unwrap());
    let (status, body) = json(response).await;
    (status, retry_after, body)
}

/// Events of these devices.
fn native(devices: &[&str]) -> Value {
    let events: Vec<Value> = devices.iter().map(|d| j!({"event":"a","device_id":d})).collect();
    j!({"api_key": KEY, "events": events})
}

fn amplitude(devices: &[&str]) -> Value {
    let events: Vec<Value> = devices.iter().map(|d| j!({"event_type":"a","device_id":d})).collect();
    j!({"api_key": KEY, "events": events})
}

fn posthog(users: &[&str]) -> Value {
    let batch: Vec<Value> = users.iter().map(|u| j!({"event":"a","distinct_id":u})).collect();
    j!({"api_key": KEY, "batch": batch})
}

fn segment(users: &[&str]) -> Value {
    let batch: Vec<Value> = users.iter().map(|u| j!({"type":"track","event":"a","userId":u})).collect();
    j!({"writeKey": KEY, "batch": batch})
}

/// Throttled counts in the log by (rule, id), once they add up to `total`.
async fn counts(running: &Running, total: u64) -> BTreeMap<(String, Option<String>), u64> {
    let found = async {
        loop {
            let mut found = BTreeMap::new();
            for control in running.controls().await {
                match control {
                    Control::Throttled { token, id, minute, count, rule } => {
                        assert_eq!((token, minute % 60_000), (token_of(KEY).to_string(), 0));
                        *found.entry((rule, id)).or_insert(0) += count;
                    }
                    Control::Refused { reason, .. } => assert_eq!(reason, "invalid_event", "counted twice"),
                    other => panic!("{other:?}"),
                }
            }
            let sum: u64 = found.values().sum();
            assert!(sum <= total, "more is counted than was refused: {found:?}");
            if sum == total {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("counts in the log")
}

fn of(rule: &str, id: &str) -> (String, Option<String>) {
    (rule.to_owned(), Some(id.to_owned()))
}

#[tokio::test]
async fn native_takes_what_fits_and_names_the_rest() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    let mut devices = ["abuser"; 15].to_vec();
    devices.insert(3, "normal");
    let mut body = native(&devices);
    body["events"].as_array_mut().unwrap().insert(0, j!({"no":"event"}));
    let (status, retry_after, answer) = post(&running, "/api/v1/events", body).await;
    assert_eq!((status, &answer["accepted"]), (200, &j!(11)), "{answer}");
    assert!((1..=30).contains(&retry_after.unwrap()));
    let rejected = answer["rejected"].as_array().unwrap();
    let indexes: Vec<u64> = rejected.iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [0, 12, 13, 14, 15, 16]);
    assert_eq!((&rejected[1]["code"], &rejected[1]["field"]), (&j!("throttled"), &j!("device_id")));
    assert!(rejected[1]["message"].as_str().unwrap().starts_with("the device 'abuser' sends more"));
    assert_eq!(running.envelopes().await.len(), 11);

    let (status, retry_after, answer) = post(&running, "/api/v1/events", native(&["abuser"; 3])).await;
    let error = &answer["error"];
    assert_eq!((status, &error["code"]), (429, &j!("TM0114")));
    assert_eq!((&error["throttled"]["devices"], &error["throttled"]["events"]), (&j!(["abuser"]), &j!(3)));
    assert_eq!(error["retry_after"], j!(retry_after.unwrap()));
    // Others are not concerned.
    assert_eq!(post(&running, "/api/v1/events", native(&["normal"; 3])).await.0, 200);
    assert_eq!(counts(&running, 8).await, BTreeMap::from([(of("device", "abuser"), 8)]));
}

#[tokio::test]
async fn amplitude_refuses_the_whole_request_and_names_indexes() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    assert_eq!(post(&running, "/2/httpapi", amplitude(&["abuser"; 10])).await.0, 200);
    let mixed = ["normal-1", "abuser", "normal-2", "abuser"];
    for _ in 0..2 {
        let (status, retry_after, answer) = post(&running, "/2/httpapi", amplitude(&mixed)).await;
        assert_eq!((status, retry_after.is_some()), (429, true));
        assert_eq!(answer["code"], j!(429));
        assert_eq!(answer["error"], j!("Too many requests for some devices and users"));
        assert_eq!(answer["throttled_events"], j!([1, 3]));
        assert_eq!(answer["eps_threshold"], j!(1));
        assert!(answer["throttled_devices"]["abuser"].as_u64().unwrap() >= 1);
        for empty in ["throttled_users", "exceeded_daily_quota_devices", "exceeded_daily_quota_users"] {
            assert_eq!(answer[empty], j!({}), "{empty}");
        }
    }
    assert_eq!(running.envelopes().await.len(), 10, "429 means that nothing was taken");
    // The SDK sends the others again at once.
    assert_eq!(post(&running, "/2/httpapi", amplitude(&["normal-1", "normal-2"])).await.0, 200);
    assert_eq!(counts(&running, 4).await, BTreeMap::from([(of("device", "abuser"), 4)]));
    // A user is told as a user; the batch endpoint is for imports.
    let body = |id: &str| {
        let events = vec![j!({"event_type":"a","user_id":id}); 12];
        j!({"api_key": KEY, "events": events})
    };
    let (status, _, answer) = post(&running, "/2/httpapi", body("user-1")).await;
    assert_eq!((status, &answer["throttled_events"]), (429, &j!([10, 11])));
    assert!(answer["throttled_users"].get("user-1").is_some() && answer["throttled_devices"] == j!({}));
    assert_eq!(post(&running, "/batch", body("user-2")).await.0, 200);
}

#[tokio::test]
async fn the_daily_quota_is_told_apart() {
    let rules = r#"{"version":1,"rules":[
        {"name":"device","per":"device","events_per_second":1000,"burst":10,"daily":25}]}"#;
    let folder = folder(rules);
    let running = start(throttled(folder.path())).await;
    let send = async |n: usize| post(&running, "/2/httpapi", amplitude(&vec!["abuser"; n])).await;
    let (status, _, answer) = send(30).await;
    assert_eq!(
        (status, &answer["exceeded_daily_quota_devices"]),
        (429, &j!({})),
        "over the rate, not the quota"
    );
    let quota = async {
        loop {
            let (status, _, answer) = send(5).await;
            if status == 429 && answer["throttled_devices"] == j!({}) {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), quota).await.unwrap();
    assert_eq!(answer["exceeded_daily_quota_devices"], j!({"abuser": 25}));
    assert_eq!(answer["throttled_events"], j!([0, 1, 2, 3, 4]));
    assert_eq!(running.envelopes().await.len(), 25);
}

#[tokio::test]
async fn posthog_and_segment_get_429_with_retry_after() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    for (path, body) in [
        ("/batch", posthog(&["ph"; 10])),
        ("/v1/batch", segment(&["seg"; 10])),
        ("/e/", j!({"api_key":KEY,"event":"a","distinct_id":"normal"})),
        ("/v1/track", j!({"writeKey":KEY,"event":"a","userId":"normal"})),
    ] {
        assert_eq!(post(&running, path, body).await.0, 200, "{path}");
    }
    for (path, body) in [
        ("/batch", posthog(&["ph"; 2])),
        ("/i/v0/e", posthog(&["ph"; 2])),
        ("/e/", j!({"api_key":KEY,"event":"a","distinct_id":"ph"})),
    ] {
        let (status, retry_after, answer) = post(&running, path, body).await;
        assert_eq!((status, &answer["code"]), (429, &j!("rate_limit_exceeded")), "{path}");
        assert!(answer["type"].is_string() && answer["detail"].is_string() && answer["attr"].is_null());
        assert!((1..=30).contains(&retry_after.unwrap()));
    }
    for (path, body) in
        [("/v1/batch", segment(&["seg"; 2])), ("/v1/t", j!({"writeKey":KEY,"event":"a","userId":"seg"}))]
    {
        let (status, retry_after, answer) = post(&running, path, body).await;
        // RudderStack's Python SDK wants `code` and `message` in every JSON error.
        assert_eq!((status, &answer["code"], answer["message"].is_string()), (429, &j!(429), true), "{path}");
        assert!((1..=30).contains(&retry_after.unwrap()));
    }
    let told = counts(&running, 8).await;
    assert_eq!(told, BTreeMap::from([(of("user", "ph"), 5), (of("user", "seg"), 3)]));
}

#[tokio::test]
async fn a_mixed_batch_is_taken_and_the_abusers_part_goes_to_the_bulk_lane() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    for (path, first, mixed) in [
        ("/batch", posthog(&["ph"; 10]), posthog(&["ph", "normal-1", "ph"])),
        ("/v1/batch", segment(&["seg"; 10]), segment(&["seg", "normal-2", "seg"])),
    ] {
        assert_eq!(post(&running, path, first).await.0, 200);
        assert_eq!(post(&running, path, mixed).await.0, 200, "{path}");
    }
    let envelopes = running.envelopes().await;
    assert_eq!(envelopes.len(), 26);
    let bulk: Vec<&str> = envelopes.iter().filter(|e| e.lane == Lane::Bulk).map(|e| e.key.as_str()).collect();
    assert_eq!(bulk.iter().filter(|key| **key == "ph").count(), 2);
    assert_eq!(bulk.iter().filter(|key| **key == "seg").count(), 2);
    assert_eq!(bulk.len(), 4);
    let told = counts(&running, 4).await;
    assert_eq!(told, BTreeMap::from([(of("user (marked)", "ph"), 2), (of("user (marked)", "seg"), 2)]));
}

#[tokio::test]
async fn imports_are_free_and_a_key_can_have_a_limit_of_its_own() {
    let rules = format!(
        r#"{{"version":1,"rules":[
            {{"name":"device","per":"device","events_per_second":0.01,"burst":10}},
            {{"name":"other-key","per":"key","events_per_second":0.01,"burst":20,"tokens":["{}"],"lanes":["live","bulk"]}}]}}"#,
        token_of("other-key-0000000001")
    );
    let folder = folder(&rules);
    let running = start(throttled(folder.path())).await;
    let import = native(&["imported"; 500]);
    assert_eq!(post(&running, "/api/v1/events?lane=bulk", import).await.2["accepted"], j!(500));
    let historical = j!({"api_key":KEY,"historical_migration":true,
        "batch": vec![j!({"event":"a","distinct_id":"u","properties":{"$device_id":"imported"}}); 100]});
    assert_eq!(post(&running, "/batch", historical).await.0, 200);
    assert_eq!(post(&running, "/v1/import", segment(&["imported"; 100])).await.0, 200);
    let mut other = native(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"]);
    other["api_key"] = j!("other-key-0000000001");
    assert_eq!(post(&running, "/api/v1/events", other.clone()).await.2["accepted"], j!(13));
    assert_eq!(post(&running, "/api/v1/events?lane=bulk", other.clone()).await.2["accepted"], j!(7));
    let (status, _, answer) = post(&running, "/api/v1/events", other).await;
    assert_eq!((status, &answer["error"]["throttled"]["key"]), (429, &j!(true)));
}

#[tokio::test]
async fn a_restart_in_the_middle_forgives_nobody() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"; 12])).await.2["accepted"], j!(10));
    let log = running.shut_down().await;
    let running = start_with_log(throttled(folder.path()), log, |collector| collector).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"])).await.0, 429);
    assert_eq!(counts(&running, 3).await, BTreeMap::from([(of("device", "abuser"), 3)]));
}

#[tokio::test]
async fn a_process_that_is_killed_has_saved_its_state_before() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"; 12])).await.2["accepted"], j!(10));
    let saved = async {
        while !std::fs::read_to_string(folder.path().join("throttle.state"))
            .is_ok_and(|s| s.contains("abuser"))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), saved).await.unwrap();
    // As after a kill: the first one never gets to its last save, the second one starts from the files.
    let copy = tempfile::tempdir().unwrap();
    for name in ["throttle.json", "throttle.state"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let again = start(throttled(copy.path())).await;
    assert_eq!(post(&again, "/api/v1/events", native(&["abuser"])).await.0, 429);
    // A state that cannot be read is not fatal.
    std::fs::write(copy.path().join("throttle.state"), "{").unwrap();
    let third = start(throttled(copy.path())).await;
    assert_eq!(post(&third, "/api/v1/events", native(&["abuser"])).await.0, 200);
}

#[tokio::test]
async fn rules_are_read_again_and_a_broken_file_keeps_the_last_good_ones() {
    let folder = folder(TIGHT);
    let path = folder.path().join("throttle.json");
    let running = start(throttled(folder.path())).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"; 10])).await.0, 200);
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"])).await.0, 429);
    // Broken: still throttled, here and after a restart.
    std::fs::write(&path, "{\"version\":1,").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"])).await.0, 429);
    let log = running.shut_down().await;
    let running = start_with_log(throttled(folder.path()), log, |collector| collector).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"])).await.0, 429);
    // Gone: the same.
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["abuser"])).await.0, 429);
    // Mended: the new rules hold.
    std::fs::write(&path, TIGHT.replace("\"burst\":10", "\"burst\":1000")).unwrap();
    let passes = async {
        while post(&running, "/api/v1/events", native(&["abuser"])).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), passes).await.unwrap();
}

#[tokio::test]
async fn what_the_log_does_not_take_is_not_charged() {
    let folder = folder(TIGHT);
    let running = start(throttled(folder.path())).await;
    running.log.fail_with(Some(AppendError::TooLarge { bytes: 1, max_bytes: 0 }));
    for _ in 0..5 {
        assert_eq!(post(&running, "/api/v1/events", native(&["patient"; 9])).await.0, 413);
    }
    running.log.fail_with(None);
    assert_eq!(post(&running, "/api/v1/events", native(&["patient"; 9])).await.2["accepted"], j!(9));
}

#[tokio::test]
async fn a_used_up_key_is_refused_unread_when_there_is_little_room() {
    let rules = r#"{"version":1,"rules":[{"name":"key","per":"key","events_per_second":0.01,"burst":5}]}"#;
    let folder = folder(rules);
    let running = start(CollectorConfig { requests_max: 1, ..throttled(folder.path()) }).await;
    assert_eq!(post(&running, "/api/v1/events", native(&["a"; 5])).await.0, 200);
    let mut slow = crate::support::Wire::connect(running.address).await;
    slow.send("POST /e/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").await;
    // With the only place taken a stranger hears 503, the used-up key 429 although its body is nonsense.
    let status = async |key: &str| {
        let sent = running.post("/api/v1/events").bearer_auth(key).body("nonsense").send().await.unwrap();
        sent.status().as_u16()
    };
    let taken = async {
        while status("stranger-key-00000001").await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap();
    assert_eq!(status(KEY).await, 429);
    drop(slow);
    let free = async {
        while status(KEY).await != 400 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), free).await.unwrap();
}

#[tokio::test]
async fn the_built_in_rules_hold_without_any_file() {
    let running = start(CollectorConfig { throttle_interval: Duration::from_millis(20), ..config() }).await;
    let (_, _, answer) = post(&running, "/api/v1/events", native(&["phone"; 20_000])).await;
    assert_eq!(answer["accepted"], j!(20_000), "weeks offline are no abuse");
    let (_, _, answer) = post(&running, "/api/v1/events", native(&vec!["phone"; 20_000])).await;
    assert!(answer["accepted"].as_u64().unwrap_or(0) < 10_000, "twice in a few seconds is");
}
