//! Lines as the vendors export them, and what becomes of them.

use super::*;
use serde_json::json;
use std::sync::Arc;
use tallymark_model::{Envelope, Lane, ProjectToken, RequestContext, WireFormat};

fn of(format: Format, row: Value) -> Result<Value, String> {
    event(format, row.as_object().unwrap().clone()).map(Value::Object)
}

/// What the processor makes of it.
fn read_again(native: &Value) -> tallymark_model::Event {
    let envelope = Envelope {
        token: ProjectToken([0; 16]),
        wire: WireFormat::NativeV1,
        lane: Lane::Bulk,
        key: String::new(),
        received_at: 0,
        context: Arc::new(RequestContext::default()),
        body: native.to_string().into(),
    };
    tallymark_wire::decode(&envelope).unwrap()
}

#[test]
fn amplitude() {
    let line = json!({
        "server_received_time": "2026-01-02 03:04:09.000000", "app": 1, "device_carrier": null, "city": "Bonn",
        "user_id": "ann", "uuid": "u-1", "event_time": "2026-01-02 03:04:05.678000", "platform": "Web",
        "amplitude_id": 7, "version_name": "2.1", "ip_address": "1.2.3.4", "user_properties": {"plan": "pro"},
        "client_upload_time": "2026-01-02 03:04:08.000000", "$insert_id": "i-1", "event_type": "buy",
        "group_properties": {"company": {"acme": {"size": 9}}}, "groups": {"company": ["acme"]},
        "event_properties": {"price": 2, "quantity": 3}, "data": {"x": 1}, "device_id": "d1",
        "session_id": 1767323045000i64, "language": "German", "client_event_time": "2026-01-02 03:04:04.000000"
    });
    let got = of(Format::AmplitudeExport, line.clone()).unwrap();
    assert_eq!(
        got,
        json!({"event": "buy", "time": 1767323045678i64, "user_id": "ann", "device_id": "d1", "insert_id": "i-1",
               "session_id": "1767323045000",
               "properties": {"price": 2, "quantity": 3, "city": "Bonn", "platform": "Web", "language": "German",
                              "ip": "1.2.3.4", "app_version": "2.1", "revenue": 6.0},
               "user_properties": {"$set": {"plan": "pro"}}, "groups": {"company": ["acme"]},
               "group_properties": {"$set": {"size": 9}}})
    );
    let mut without = line;
    without["$insert_id"] = json!("");
    assert_eq!(of(Format::AmplitudeExport, without.clone()).unwrap()["insert_id"], "u-1");
    without["event_time"] = json!("soon");
    assert!(of(Format::AmplitudeExport, without).unwrap_err().contains("event_time"));
}

#[test]
fn posthog_as_json_and_as_parquet_writes_it() {
    let properties = json!({"$device_id": "dev-1", "$session_id": "s1", "$is_identified": true, "price": 5,
        "$groups": {"company": "acme"}});
    let row = |properties: Value, timestamp: &str| {
        json!({"uuid": "0197-a", "event": "buy", "timestamp": timestamp, "properties": properties,
               "distinct_id": "ann", "person_id": "p", "person_properties": {"old": 1}, "elements_chain": "a:b",
               "created_at": timestamp, "_inserted_at": timestamp, "set": {"plan": "pro"}, "set_once": null,
               "ip": "1.2.3.4", "site_url": "", "team_id": 2, "elements": ""})
    };
    let json = of(Format::PosthogExport, row(properties.clone(), "2026-01-02T03:04:05.678Z")).unwrap();
    let text = json!(properties.to_string());
    let parquet = of(Format::PosthogExport, row(text, "2026-01-02 03:04:05.678000")).unwrap();
    assert_eq!(json, parquet);
    let event = read_again(&json);
    assert_eq!((event.time, event.insert_id.as_deref()), (1767323045678, Some("0197-a")));
    assert_eq!(event.groups, [("company".to_owned(), "acme".to_owned())]);
    assert_eq!(json["user_properties"], json!({"$set": {"plan": "pro"}}));
    assert_eq!(json["properties"]["$elements_chain"], "a:b");
    assert!(json["properties"].get("person_id").is_none() && json["properties"].get("old").is_none());
    let bad = of(Format::PosthogExport, row(json!("{oops"), "2026-01-02T03:04:05Z")).unwrap_err();
    assert!(bad.starts_with("properties:"), "{bad}");
}

#[test]
fn segment_takes_the_corrected_time() {
    let track = json!({"type": "track", "event": "buy", "userId": "ann", "anonymousId": "a1", "messageId": "m1",
        "timestamp": "2026-01-02T03:04:05.678Z", "originalTimestamp": "2026-01-02T04:04:05Z",
        "sentAt": "2026-01-02T04:04:06Z", "receivedAt": "2026-01-02T03:04:06.678Z",
        "properties": {"price": 5}, "context": {"traits": {"plan": "pro"}, "os": {"name": "x"}}});
    let got = of(Format::SegmentExport, track.clone()).unwrap();
    assert_eq!((&got["time"], &got["insert_id"]), (&json!(1767323045678i64), &json!("m1")));
    assert_eq!(got["user_properties"], json!({"$set": {"plan": "pro"}}));
    let mut uncorrected = track;
    uncorrected.as_object_mut().unwrap().shift_remove("timestamp");
    assert_eq!(of(Format::SegmentExport, uncorrected).unwrap()["time"], got["time"]);

    let alias = json!({"type": "alias", "previousId": "old", "userId": "ann", "messageId": "m2",
        "timestamp": "2026-01-02T03:04:05Z"});
    let event = read_again(&of(Format::SegmentExport, alias).unwrap());
    assert_eq!(event.action, tallymark_model::IdentityAction::Alias { other: "old".to_owned() });
    let group = json!({"type": "group", "groupId": "g1", "userId": "ann", "messageId": "m3",
        "traits": {"size": 9}, "timestamp": "2026-01-02T03:04:05Z"});
    let event = read_again(&of(Format::SegmentExport, group).unwrap());
    assert_eq!(event.group_ops[0].0, "group");
    assert!(
        of(Format::SegmentExport, json!({"type": "track", "timestamp": "2026-01-02T03:04:05Z"})).is_err()
    );
}

#[test]
fn mixpanel_seconds_and_milliseconds_users_and_devices() {
    let line = |time: Value, ids: Value| {
        let mut properties = json!({"time": time, "$insert_id": "i1", "$import": true, "price": 5});
        properties.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
        of(Format::MixpanelExport, json!({"event": "buy", "properties": properties}))
    };
    let got = line(json!(1767323045), json!({"distinct_id": "ann"})).unwrap();
    assert_eq!(
        got,
        json!({"event": "buy", "time": 1767323045000i64, "user_id": "ann", "insert_id": "i1",
               "properties": {"price": 5}})
    );
    let got = line(json!(1767323045678i64), json!({"distinct_id": "$device:d1"})).unwrap();
    assert_eq!((&got["time"], &got["device_id"]), (&json!(1767323045678i64), &json!("d1")));
    assert!(got.get("user_id").is_none());
    let got = line(json!(1), json!({"distinct_id": "x", "$user_id": "ann", "$device_id": "d1"})).unwrap();
    assert_eq!((&got["user_id"], &got["device_id"]), (&json!("ann"), &json!("d1")));
    assert!(line(json!("soon"), json!({})).unwrap_err().contains("time"));
}

#[test]
fn times_as_databases_write_them() {
    for text in [
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04:05",
        "2026-01-02 03:04:05.000000 UTC",
        "2026-01-02 04:04:05+01:00",
        "2026-01-02 04:04:05.000000+01",
    ] {
        assert_eq!(millis(&json!(text)), Some(1767323045000), "{text}");
    }
    assert_eq!(millis(&json!("soon")), None);
}
