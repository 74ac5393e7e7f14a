//! Partners and answers per event: PostHog v1, recordings, webhooks, mParticle, Braze, over HTTP.

use crate::support::{KEY, Running, config, json, start};
use serde_json::{Value, json as j};
use std::collections::BTreeMap;
use std::time::Duration;
use tallymark_collector::CollectorConfig;
use tallymark_log::AppendError;
use tallymark_model::{Control, Lane};

const UUIDS: [&str; 3] = [
    "00000001-0000-4000-8000-000000000000",
    "00000002-0000-4000-8000-000000000000",
    "00000003-0000-4000-8000-000000000000",
];

/// Counts of refused events by reason, once they add up to `total`.
async fn refused(running: &Running, total: u64) -> BTreeMap<String, u64> {
    let found = async {
        loop {
            let mut found = BTreeMap::new();
            for control in running.controls().await {
                if let Control::Refused { reason, count, .. } = control {
                    *found.entry(reason).or_insert(0) += count;
                }
            }
            if found.values().sum::<u64>() >= total {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
}

fn v1(running: &Running, events: Value) -> reqwest::RequestBuilder {
    running
        .post("/i/v1/analytics/events")
        .header("authorization", format!("Bearer {KEY}"))
        .header("posthog-sdk-info", "posthog-python/7.91.1")
        .header("posthog-attempt", "1")
        .body(j!({"created_at": "2026-11-21T00:00:00Z", "batch": events}).to_string())
}

#[tokio::test]
async fn posthog_v1_names_every_event_and_counts_what_it_drops() {
    let running = start(CollectorConfig { refused_interval: Duration::from_millis(20), ..config() }).await;
    let events = j!([
        {"event": "a", "uuid": UUIDS[0], "distinct_id": "u", "options": {}, "properties": {}},
        {"event": "b", "uuid": UUIDS[1], "options": {}, "properties": {}},
        {"event": "$snapshot", "uuid": UUIDS[2], "distinct_id": "u", "options": {}, "properties": {}},
    ]);
    let (status, answer) = json(v1(&running, events.clone()).send().await.unwrap()).await;
    assert_eq!(status, 200);
    let result = |at: usize| answer["results"][UUIDS[at]]["result"].as_str();
    assert_eq!([result(0), result(1), result(2)], [Some("ok"), Some("drop"), Some("drop")]);
    assert_eq!(running.names().await, ["a"]);
    assert_eq!(running.events().await[0].properties["$lib"], j!("posthog-python"));
    let counts = refused(&running, 2).await;
    assert_eq!(counts, [("invalid_event".to_owned(), 1), ("session_recording".to_owned(), 1)].into());

    // What cannot be stored is refused as a whole, in a shape that the SDKs send again.
    running.log.fail_with(Some(AppendError::Unavailable { cause: "x".into() }));
    let response = v1(&running, events).send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let (status, answer) = json(response).await;
    assert_eq!(
        (status, answer["error"].as_str(), answer.get("results")),
        (503, Some("service_unavailable"), None)
    );
}

#[tokio::test]
async fn recordings_are_counted_and_cost_the_log_nothing() {
    let running = start(CollectorConfig { refused_interval: Duration::from_millis(20), ..config() }).await;
    let snapshot =
        j!({"event": "$snapshot", "properties": {"token": KEY, "distinct_id": "d", "$snapshot_data": []}});
    for (path, body) in [
        ("/s/?compression=gzip-js", j!([snapshot, snapshot])),
        ("/s", j!({"api_key": KEY, "batch": [snapshot]})),
        ("/e/", j!([snapshot, {"event": "a", "distinct_id": "d", "properties": {"token": KEY}}])),
    ] {
        let (status, answer) = json(running.post(path).body(body.to_string()).send().await.unwrap()).await;
        assert_eq!((status, &answer["quota_limited"]), (200, &j!(["recordings"])), "{path}");
    }
    assert_eq!(running.post("/s/").body("[]").send().await.unwrap().status(), 401, "nobody's");
    assert_eq!(refused(&running, 4).await, [("session_recording".to_owned(), 4)].into());
    assert_eq!(running.names().await, ["a"]);
}

#[tokio::test]
async fn a_webhook_of_segment_is_checked_when_a_secret_is_set() {
    let secrets = vec!["old".to_owned(), "Jefe".to_owned()];
    let running = start(CollectorConfig { webhook_secrets: secrets, ..config() }).await;
    let message = r#"{"type":"track","event":"a","userId":"u","messageId":"m"}"#;
    let post = |path: &str, signature: Option<&str>| {
        let request = running.post(&format!("{path}?key={KEY}")).body(message);
        match signature {
            Some(signature) => request.header("x-signature", signature),
            None => request,
        }
        .send()
    };
    // printf BODY | openssl dgst -sha1 -hmac Jefe
    let good = "1f6551185a8718ea1cfaf56a08b77cf91eb5d932";
    for wrong in [None, Some(""), Some("00"), Some(&good[2..])] {
        assert_eq!(post("/webhooks/segment", wrong).await.unwrap().status(), 400, "{wrong:?}");
    }
    assert!(running.envelopes().await.is_empty());
    assert_eq!(post("/webhooks/segment/", Some(good)).await.unwrap().status(), 200);
    assert_eq!(post("/webhooks/rudderstack", None).await.unwrap().status(), 200, "does not sign");
    assert_eq!(running.names().await, ["a", "a"]);
}

#[tokio::test]
async fn mparticle_and_braze_get_the_answers_that_they_wait_for() {
    let running = start(config()).await;
    let batch = j!({"user_identities": {"customerid": "u"}, "user_attributes": {"a": 1},
        "events": [{"event_type": "custom_event", "data": {"event_name": "m"}}]});
    let post = |path: &str, body: Value| {
        running.post(path).basic_auth(KEY, Some("secret")).body(body.to_string()).send()
    };
    for (path, body) in [("/v2/events", batch.clone()), ("/v2/bulkevents", j!([batch]))] {
        let response = post(path, body).await.unwrap();
        assert_eq!(response.status(), 202, "{path}");
        assert!(response.bytes().await.unwrap().is_empty());
    }
    let (status, answer) = json(post("/v2/events", j!([7])).await.unwrap()).await;
    assert_eq!((status, &answer["errors"][0]["code"]), (400, &j!("BAD_REQUEST")));
    assert_eq!(running.post("/v2/events").body("{}").send().await.unwrap().status(), 401);

    let event = j!({"event_type": "users.behaviors.app.SessionStart", "id": "i", "time": 1_795_220_531,
        "user": {"external_user_id": "u"}});
    let currents = running.post("/webhooks/braze").bearer_auth(KEY);
    let (status, _) = json(currents.body(j!({"events": [event]}).to_string()).send().await.unwrap()).await;
    assert_eq!(status, 200);
    let track = running.post("/users/track").bearer_auth(KEY);
    let events = j!({"events": [{"external_id": "u", "name": "t", "time": "2026-11-21T00:00:00Z"}]});
    let (status, answer) = json(track.body(events.to_string()).send().await.unwrap()).await;
    assert_eq!((status, &answer["events_processed"]), (201, &j!(1)));

    let names = ["$identify", "$identify", "m", "m", "t", "users.behaviors.app.SessionStart"];
    assert_eq!(running.names().await, names);
    let bulk = running.envelopes().await.iter().filter(|e| e.lane == Lane::Bulk).count();
    assert_eq!(bulk, 3, "the bulk call and what is forwarded");
}

#[tokio::test]
async fn v1_identify_is_mparticles_with_its_header_and_segments_without() {
    let running = start(config()).await;
    let body = j!({"known_identities": {"customerid": "u", "device_application_stamp": "d"}}).to_string();
    for path in ["/v1/identify", "/v1/login", "/v1/modify", "/v1/logout/"] {
        let request = running.post(path).header("x-mp-key", KEY).body(body.clone());
        let (status, answer) = json(request.send().await.unwrap()).await;
        assert_eq!((status, &answer["is_logged_in"]), (200, &j!(true)), "{path}");
        assert!(answer["mpid"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    }
    assert!(running.envelopes().await.is_empty());
    let message = j!({"writeKey": KEY, "userId": "u", "traits": {"a": 1}}).to_string();
    let (_, answer) = json(running.post("/v1/identify").body(message).send().await.unwrap()).await;
    assert_eq!(answer, j!({"success": true}));
    assert_eq!(running.names().await, ["$identify"]);
}
