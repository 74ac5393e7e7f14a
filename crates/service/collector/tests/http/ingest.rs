//! Every ingestion path: the vendor's answer, and the events in the log.

use crate::support::{KEY, config, json, start};
use serde_json::json as j;
use tallymark_model::Lane;
use tallymark_wire::token_of;

#[tokio::test]
async fn every_path_with_and_without_a_trailing_slash() {
    let running = start(config()).await;
    let amplitude = j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"}]}).to_string();
    let posthog = j!({"api_key":KEY,"event":"a","distinct_id":"user-1"}).to_string();
    let batch = j!({"api_key":KEY,"batch":[{"event":"a","distinct_id":"user-1"}]}).to_string();
    let segment = j!({"writeKey":KEY,"batch":[{"type":"track","event":"a","userId":"user-1"}]}).to_string();
    let message = |extra: serde_json::Value| {
        let mut message = j!({"writeKey":KEY,"userId":"user-1"});
        message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        message.to_string()
    };
    let form = format!("api_key={KEY}&event=%7B%22event_type%22%3A%22a%22%2C%22user_id%22%3A%22user-1%22%7D");
    let identification = format!("api_key={KEY}&identification=%7B%22user_id%22%3A%22user-1%22%7D");
    let groups = format!(
        "api_key={KEY}&identification=%5B%7B%22group_type%22%3A%22a%22%2C%22group_value%22%3A%22b%22%7D%5D"
    );
    let native = j!({"api_key":KEY,"events":[{"event":"a","user_id":"user-1"}]}).to_string();
    let cases: Vec<(&str, String, &str)> = vec![
        ("/api/v1/events", native, "accepted"),
        ("/2/httpapi", amplitude.clone(), "events_ingested"),
        ("/batch", amplitude, "events_ingested"),
        ("/batch", batch.clone(), "status"),
        ("/httpapi", form, "success"),
        ("/identify", identification, "success"),
        ("/groupidentify", groups, "success"),
        ("/e", posthog.clone(), "status"),
        ("/i/v0/e", posthog.clone(), "status"),
        ("/i/v0/ai/batch", batch, "status"),
        ("/capture", posthog.clone(), "status"),
        ("/track", posthog.clone(), "status"),
        ("/engage", j!({"$token":KEY,"$distinct_id":"user-1","$set":{"a":1}}).to_string(), "1"),
        ("/engage", j!({"token":KEY,"$distinct_id":"user-1","$set":{"a":1}}).to_string(), "status"),
        ("/v1/batch", segment.clone(), "success"),
        ("/v1/b", segment.clone(), "success"),
        ("/v1/import", segment, "success"),
        ("/v1/track", message(j!({"event":"a"})), "success"),
        ("/v1/t", message(j!({"event":"a"})), "success"),
        ("/v1/identify", message(j!({"traits":{}})), "success"),
        ("/v1/i", message(j!({})), "success"),
        ("/v1/page", message(j!({})), "success"),
        ("/v1/p", message(j!({})), "success"),
        ("/v1/screen", message(j!({})), "success"),
        ("/v1/s", message(j!({})), "success"),
        ("/v1/group", message(j!({"groupId":"g"})), "success"),
        ("/v1/g", message(j!({"groupId":"g"})), "success"),
        ("/v1/alias", message(j!({"previousId":"x"})), "success"),
        ("/v1/a", message(j!({"previousId":"x"})), "success"),
    ];
    let mut sent = 0;
    for (path, body, word) in &cases {
        for slash in ["", "/"] {
            let response = running.post(&format!("{path}{slash}")).body(body.clone()).send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert_eq!(status, 200, "{path}{slash}: {text}");
            assert!(text.contains(word), "{path}{slash}: {text}");
            sent += 1;
        }
    }
    let envelopes = running.envelopes().await;
    assert_eq!(envelopes.len(), sent);
    assert!(envelopes.iter().all(|e| e.token == token_of(KEY)));
    assert_eq!(running.events().await.len(), sent, "every one decodes");
    let bulk = envelopes.iter().filter(|e| e.lane == Lane::Bulk).count();
    assert_eq!(bulk, 4, "Amplitude /batch and Segment /v1/import");
}

#[tokio::test]
async fn answers_are_exactly_the_documented_ones() {
    let running = start(config()).await;
    let body = j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"},{"event_type":"b","user_id":"user-1"}]});
    let text = body.to_string();
    let (status, answer) = json(running.post("/2/httpapi").body(text.clone()).send().await.unwrap()).await;
    let time = answer["server_upload_time"].as_i64().unwrap();
    assert!(time > 1_700_000_000_000);
    assert_eq!(
        (status, answer),
        (200, j!({"code":200,"events_ingested":2,"payload_size_bytes":text.len(),"server_upload_time":time}))
    );
    let posthog = j!({"api_key":KEY,"event":"a","distinct_id":"u"}).to_string();
    assert_eq!(
        json(running.post("/e/").body(posthog).send().await.unwrap()).await,
        (200, j!({"status":"Ok"}))
    );
    let segment = j!({"event":"a","userId":"u"}).to_string();
    let response = running.post("/v1/track").basic_auth(KEY, Some("")).body(segment).send().await.unwrap();
    assert_eq!(json(response).await, (200, j!({"success":true})));
    let response = running.post("/httpapi").body(format!("api_key={KEY}&event=%5B%5D")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.text().await.unwrap(), "success");
}

#[tokio::test]
async fn native_answers_with_a_receipt_and_each_rejection() {
    let running = start(config()).await;
    let body =
        j!({"events":[{"event":"a","user_id":"u"},{"event":7},{"event":"b","device_id":"d"}]}).to_string();
    let response = running.post("/api/v1/events").bearer_auth(KEY).body(body).send().await.unwrap();
    let (status, answer) = json(response).await;
    assert_eq!((status, &answer["accepted"]), (200, &j!(2)));
    assert_eq!(answer["rejected"][0]["index"], j!(1));
    assert_eq!(answer["rejected"][0]["field"], j!("event"));
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 1);
    let ranges = tallymark_collector::decode_receipt(answer["receipt"].as_str().unwrap()).unwrap();
    assert_eq!(ranges.iter().map(|(_, from, to)| to - from).sum::<u64>(), 2);
    assert_eq!(running.names().await, ["a", "b"]);
}

#[tokio::test]
async fn the_body_of_an_event_is_kept_verbatim() {
    let running = start(config()).await;
    let event = "{ \"event\" : \"a\",\n \"user_id\":\"u\", \"properties\":{\"n\":1.50,\"k\":1,\"k\":2} }";
    let body = format!("{{\"api_key\":\"{KEY}\",\"events\":[ {event} ]}}");
    assert_eq!(running.post("/api/v1/events").body(body).send().await.unwrap().status(), 200);
    let envelopes = running.envelopes().await;
    assert_eq!(envelopes[0].body, event.as_bytes());
    assert_eq!(envelopes[0].context.ip.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn receive_times_never_decrease() {
    let running = start(config()).await;
    let mut last = 0;
    for i in 0..20 {
        let body =
            j!({"api_key":KEY,"events":[{"event":"a","user_id":"u","properties":{"i":i}}]}).to_string();
        assert_eq!(running.post("/api/v1/events").body(body).send().await.unwrap().status(), 200);
    }
    for envelope in running.envelopes().await {
        assert!(envelope.received_at >= last);
        last = envelope.received_at;
    }
    assert!(last > 0);
}

#[tokio::test]
async fn wrong_methods_and_missing_keys_are_refused_in_the_vendors_shape() {
    let running = start(config()).await;
    let (status, body) = json(running.get("/api/v1/events").send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (405, &j!("TM0109")));
    let (status, body) =
        json(running.post("/api/v1/events").body("{\"events\":[]}").send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (401, &j!("TM0102")));
    assert!(body["error"]["hint"].as_str().unwrap().contains("write key"));
    let (status, body) = json(running.post("/2/httpapi").body("{\"events\":[]}").send().await.unwrap()).await;
    assert_eq!((status, &body["missing_field"], &body["code"]), (400, &j!("api_key"), &j!(400)));
    for (path, status) in [("/e/", 401), ("/v1/track", 401), ("/batch", 401)] {
        let (found, body) = json(running.post(path).body("{\"event\":\"a\"}").send().await.unwrap()).await;
        assert_eq!(found, status, "{path}");
        for key in ["code", "error", "message", "detail", "type"] {
            assert!(!body[key].is_null(), "{path} {key}");
        }
    }
    assert!(running.records().await.is_empty());
}

#[tokio::test]
async fn amplitude_takes_all_events_or_none() {
    let running = start(config()).await;
    let body =
        j!({"api_key":KEY,"events":[{"event_type":"a","user_id":"user-1"},{"user_id":"user-1"}]}).to_string();
    let (status, answer) = json(running.post("/2/httpapi").body(body).send().await.unwrap()).await;
    assert_eq!((status, &answer["events_with_missing_fields"]), (400, &j!({"event_type":[1]})));
    assert!(running.envelopes().await.is_empty());
}
