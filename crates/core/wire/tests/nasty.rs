//! Poisoned events between good ones, and bytes that are no request at all: nothing panics, a poisoned event
//! ends as one rejection or one dead letter with a reason, and every neighbour is kept.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use proptest::prelude::*;
use std::path::Path;
use tallymark_model::Envelope;
use tallymark_wire::body::{Packing, decode as unpack};
use tallymark_wire::{Call, Parsed, Refusal, Request, decode, read};

const RECEIVED_AT: i64 = 1_795_220_540_000;
const PATHS: [&str; 35] = [
    "/api/v1/events",
    "/batch",
    "/2/httpapi",
    "/httpapi",
    "/",
    "/identify",
    "/groupidentify",
    "/e/",
    "/capture",
    "/engage",
    "/v1/batch",
    "/v1/import",
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/group",
    "/v1/alias",
    "/usermap",
    "/s/",
    "/i/v1/analytics/events",
    "/webhooks/segment",
    "/v2/events",
    "/v2/bulkevents",
    "/v3/JS/key-1/events",
    "/webhooks/mparticle",
    "/webhooks/braze",
    "/users/track",
    "/track",
    "/groups",
    "/import",
    "/api/track",
    "/api/v1/identify",
    "/api/add_user_properties",
    "/api/add_account_properties",
    "/h",
];

/// What happens to an event that holds the poison.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Kept,
    Refused,
}
use Fate::{Kept, Refused};

/// JSON values to be planted as a property, and what they must do.
fn values() -> Vec<(String, Fate)> {
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let deep_objects = |n: usize| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
    let mut out: Vec<(String, Fate)> = [
        // Numbers.
        ("1e400", Refused),
        ("-1e400", Refused),
        ("1e-400", Kept),
        ("NaN", Refused),
        ("Infinity", Refused),
        ("-Infinity", Refused),
        ("9007199254740993", Kept),
        ("18446744073709551616", Kept),
        ("-0", Kept),
        ("-0.0", Kept),
        ("0x10", Refused),
        ("01", Refused),
        ("+1", Refused),
        ("1.", Refused),
        (".5", Refused),
        ("1e", Refused),
        ("--1", Refused),
        ("1_000", Refused),
        ("5e-324", Kept),
        ("1.7976931348623157e308", Kept),
        ("0e999999999", Kept),
        // Characters.
        (r#""\u0000""#, Kept),
        (r#""\ud800""#, Kept),
        (r#""\udfff\ud800""#, Kept),
        (r#""\ud83d\ude00""#, Kept),
        (r#""\ud83dx""#, Kept),
        (r#""\u202e\u200b""#, Kept),
        (r#""\x41""#, Refused),
        (r#""\u12""#, Refused),
        ("\"\u{7f}\u{feff}\"", Kept),
        ("\"a\nb\"", Refused),
        ("\"\t\"", Refused),
        ("'single'", Refused),
        // Shapes.
        ("null", Kept),
        ("{}", Kept),
        ("[]", Kept),
        (r#"{"":""}"#, Kept),
        (r#"{"a":1,"a":2,"a":null}"#, Kept),
        (r#"{"__proto__":{"x":1},"constructor":2}"#, Kept),
        ("[1,]", Refused),
        (r#"{"a":1,}"#, Refused),
        (r#"{"a"}"#, Refused),
        (r#"{1:2}"#, Refused),
        ("undefined", Refused),
        ("True", Refused),
        ("tru", Refused),
        ("/* c */1", Refused),
        ("1 2", Refused),
        ("", Refused),
        ("nul", Refused),
    ]
    .map(|(text, fate)| (text.to_owned(), fate))
    .into();
    out.extend([60, 61].map(|n| (deep(n), Kept)));
    out.extend([64, 65, 128, 129, 10_000, 100_000].map(|n| (deep(n), Refused)));
    out.extend([(deep_objects(60), Kept), (deep_objects(65), Refused), (deep_objects(50_000), Refused)]);
    out.push((format!("\"{}\"", "x".repeat(900_000)), Kept));
    out.push((format!("\"{}\"", "x".repeat(1_100_000)), Refused));
    out.push((format!("\"{}\"", "e\u{301}".repeat(10_000)), Kept));
    out.push((
        format!("{{{}}}", (0..3000).map(|i| format!("\"p{i}\":{i}")).collect::<Vec<_>>().join(",")),
        Kept,
    ));
    out.push((format!("1{}", "0".repeat(5000)), Refused));
    out
}

fn request(path: &str, body: impl Into<Bytes>) -> Result<Parsed, Refusal> {
    read(&Request {
        call: Call::of_path(path).unwrap(),
        path,
        query: "",
        authorization: Some("Bearer key-1"),
        sent_at: None,
        user_agent: None,
        headers: &[],
        form_key: None,
        form: None,
        ip: None,
        body: body.into(),
        received_at: RECEIVED_AT,
    })
}

/// A path, how its protocol writes one event with a property `x`, and how it wraps several.
type Protocol = (&'static str, fn(&str) -> String, fn(&[String]) -> String);

/// The protocols that take batches.
fn protocols() -> [Protocol; 5] {
    [
        (
            "/api/v1/events",
            |x| format!(r#"{{"event":"a","user_id":"user-1","properties":{{"x":{x}}}}}"#),
            |events| format!(r#"{{"events":[{}]}}"#, events.join(",")),
        ),
        (
            "/batch",
            |x| format!(r#"{{"event":"a","distinct_id":"user-1","properties":{{"x":{x}}}}}"#),
            |events| format!(r#"{{"batch":[{}],"api_key":"key-1"}}"#, events.join(",")),
        ),
        (
            "/v1/batch",
            |x| format!(r#"{{"type":"track","event":"a","userId":"user-1","properties":{{"x":{x}}}}}"#),
            |events| format!(r#"{{"batch":[{}],"writeKey":"key-1"}}"#, events.join(",")),
        ),
        (
            "/track",
            |x| format!(r#"{{"event":"a","properties":{{"token":"key-1","distinct_id":"user-1","x":{x}}}}}"#),
            |events| format!("[{}]", events.join(",")),
        ),
        (
            "/api/track",
            |x| format!(r#"{{"event":"a","identity":"user-1","properties":{{"x":{x}}}}}"#),
            |events| format!(r#"{{"app_id":"key-1","events":[{}]}}"#, events.join(",")),
        ),
    ]
}

fn good(envelopes: &[Envelope]) -> usize {
    envelopes
        .iter()
        .filter(|e| decode(e).is_ok_and(|event| event.properties.get("x") == Some(&"good".into())))
        .count()
}

#[test]
fn neighbours_of_a_poisoned_event_are_kept() {
    for (value, fate) in values() {
        let shown: String = value.chars().take(60).collect();
        for (path, event, batch) in protocols() {
            let body = batch(&[event("\"good\""), event(&value), event("\"good\"")]);
            let parsed = request(path, body).unwrap_or_else(|r| panic!("{path} {shown}: {:?}", r.problem));
            assert_eq!(good(&parsed.envelopes), 2, "{path} {shown}");
            let planted: Vec<_> = parsed
                .envelopes
                .iter()
                .map(decode)
                .filter(|d| match d {
                    Ok(event) => event.properties.get("x") != Some(&"good".into()),
                    Err(_) => true,
                })
                .collect();
            let kept = matches!(planted.as_slice(), [Ok(_)]);
            assert_eq!(kept, fate == Kept, "{path} {shown}: {planted:?} {:?}", parsed.rejected);
            // Native rejects at the door, with index and reason; the others leave one dead letter with its bytes.
            let reasons: Vec<String> = match path {
                "/api/v1/events" => parsed
                    .rejected
                    .iter()
                    .map(|r| {
                        assert_eq!(r.index, 1);
                        r.message.clone()
                    })
                    .collect(),
                _ => planted.into_iter().filter_map(Result::err).map(|r| r.message).collect(),
            };
            assert_eq!(reasons.len(), usize::from(fate == Refused), "{path} {shown}");
            assert!(reasons.iter().all(|reason| !reason.is_empty() && reason.len() < 500), "{reasons:?}");
        }
    }
}

#[test]
fn amplitude_names_the_poisoned_index_and_takes_nothing() {
    for (value, fate) in values().into_iter().filter(|(value, _)| value.len() < 500_000) {
        let event =
            |x: &str| format!(r#"{{"event_type":"a","user_id":"user-1","event_properties":{{"x":{x}}}}}"#);
        let body =
            format!(r#"{{"api_key":"key-1","events":[{},{},{}]}}"#, event("1"), event(&value), event("2"));
        match (request("/2/httpapi", body), fate) {
            (Ok(parsed), Kept) => {
                assert_eq!(parsed.envelopes.iter().filter(|e| decode(e).is_ok()).count(), 3)
            }
            (Err(refusal), Refused) => {
                let body: serde_json::Value = serde_json::from_slice(&refusal.answer().body).unwrap();
                let lists = body["events_with_invalid_fields"].as_object().unwrap();
                assert_eq!(lists.values().collect::<Vec<_>>(), [&serde_json::json!([1])], "{value}");
            }
            (other, _) => panic!("{value}: {fate:?} {other:?}"),
        }
    }
}

#[test]
fn what_is_accepted_natively_always_decodes() {
    for (value, _) in values() {
        for field in [
            "event",
            "time",
            "user_id",
            "device_id",
            "insert_id",
            "session_id",
            "properties",
            "user_properties",
            "groups",
            "x",
        ] {
            let event = format!(r#"{{"event":"a","{field}":{value}}}"#);
            let Ok(parsed) = request("/api/v1/events", format!(r#"{{"events":[{event}]}}"#)) else {
                continue;
            };
            for envelope in &parsed.envelopes {
                let decoded = decode(envelope);
                assert!(decoded.is_ok(), "{field}: {decoded:?}");
            }
        }
    }
}

/// Routing and throttling go by the ids of the door; a number that parsing changes must not become another id there.
#[test]
fn an_id_that_is_an_unusual_number_is_the_same_at_the_door_and_behind_it() {
    for id in ["18446744073709551616", "5e-524", "123456789012345678901234567890"] {
        for (path, body) in [
            ("/api/v1/events", format!(r#"{{"events":[{{"event":"a","user_id":{id}}}]}}"#)),
            ("/2/httpapi", format!(r#"{{"api_key":"k","events":[{{"event_type":"a","user_id":{id}}}]}}"#)),
            ("/batch", format!(r#"{{"api_key":"k","batch":[{{"event":"a","distinct_id":{id}}}]}}"#)),
            ("/v1/batch", format!(r#"{{"batch":[{{"type":"track","event":"a","userId":{id}}}]}}"#)),
            ("/track", format!(r#"{{"event":"a","properties":{{"token":"k","distinct_id":{id}}}}}"#)),
            ("/api/track", format!(r#"{{"app_id":"k","event":"a","identity":{id}}}"#)),
        ] {
            // Rounded it is 0, which is too short for an id of Amplitude's.
            if path == "/2/httpapi" && id == "5e-524" {
                continue;
            }
            let parsed = request(path, body).unwrap_or_else(|r| panic!("{path} {id}: {:?}", r.problem));
            let event = decode(&parsed.envelopes[0]).unwrap();
            assert_eq!(event.user_id.as_deref(), Some(id), "{path}");
            assert_eq!(
                (&parsed.senders[0].user, &parsed.envelopes[0].key),
                (&event.user_id, &id.to_owned()),
                "{path}"
            );
        }
    }
}

#[test]
fn events_at_the_size_limit() {
    let limit = tallymark_wire::limits::EVENT_BYTES;
    let event = |size: usize| {
        let frame = r#"{"event":"a","properties":{"x":""}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "y".repeat(size - frame.len())))
    };
    for (size, accepted) in [(limit - 1, 1), (limit, 1), (limit + 1, 0)] {
        assert_eq!(event(size).len(), size);
        let parsed = request("/api/v1/events", format!(r#"{{"events":[{}]}}"#, event(size))).unwrap();
        assert_eq!((parsed.envelopes.len(), parsed.rejected.len()), (accepted, 1 - accepted), "{size}");
    }
}

#[test]
fn too_many_events_are_answered_413() {
    for (path, body) in [
        ("/2/httpapi", format!(r#"{{"api_key":"k","events":[{}]}}"#, vec!["{}"; 2001].join(","))),
        ("/api/v1/events", format!(r#"{{"events":[{}]}}"#, vec!["{}"; 20_001].join(","))),
        ("/v1/batch", format!(r#"{{"batch":[{}]}}"#, vec!["{}"; 20_001].join(","))),
        ("/batch", format!(r#"{{"api_key":"k","batch":[{}]}}"#, vec!["{}"; 20_001].join(","))),
        ("/import", format!("[{}]", vec!["{}"; 2001].join(","))),
        ("/api/track", format!(r#"{{"app_id":"k","events":[{}]}}"#, vec!["{}"; 1001].join(","))),
    ] {
        assert_eq!(request(path, body).unwrap_err().answer().status, 413, "{path}");
    }
}

/// Runs a whole request; whatever it holds, only panics are wrong.
fn exercise(path: &str, query: &str, bytes: &[u8]) {
    let call = Call::of_path(path).unwrap();
    let packing = Packing { content_encoding: None, query };
    let Ok(decoded) = unpack(Bytes::copy_from_slice(bytes), packing, call.decoded_limit()) else { return };
    let parsed = read(&Request {
        call,
        path,
        query,
        authorization: None,
        sent_at: None,
        user_agent: None,
        headers: &[],
        form_key: decoded.form_key,
        form: decoded.form,
        ip: None,
        body: decoded.body,
        received_at: RECEIVED_AT,
    });
    match parsed {
        Ok(parsed) => {
            for envelope in &parsed.envelopes {
                let _ = decode(envelope);
            }
            let _ = parsed.answer(parsed.envelopes.len(), "r", Some(true), 0);
        }
        Err(refusal) => assert!((400..=503).contains(&refusal.answer().status)),
    }
}

/// JSON-like text: much nearer to a request than random bytes.
fn jsonish() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("1e999".to_owned()),
        Just("\\ud800".to_owned()),
        Just("data=".to_owned()),
        Just("&".to_owned()),
        "[a-z$_]{1,6}".prop_map(|s| format!("\"{s}\"")),
        prop::sample::select(vec![
            "api_key",
            "events",
            "batch",
            "event",
            "event_type",
            "user_id",
            "device_id",
            "distinct_id",
            "properties",
            "userId",
            "type",
            "track",
            "writeKey",
            "context",
            "$set",
            "$groups",
            "time",
            "timestamp",
            "identification",
        ])
        .prop_map(|s| format!("\"{s}\":")),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn arbitrary_bytes_never_panic(path in prop::sample::select(&PATHS[..]), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(path, "", &bytes);
    }

    #[test]
    fn almost_json_never_panics(path in prop::sample::select(&PATHS[..]), text in jsonish(), query in "[a-z0-9=&%_]{0,30}") {
        exercise(path, &query, text.as_bytes());
    }

    /// Good events beside arbitrary JSON are kept, in order.
    #[test]
    fn good_events_are_kept_in_order(flags in prop::collection::vec(any::<bool>(), 1..40)) {
        let event = |(i, good): (usize, &bool)| match good {
            true => format!(r#"{{"event":"e{i}","user_id":"u"}}"#),
            false => format!(r#"{{"event":"e{i}","properties":{{"x":NaN,"y":"}}]"}}}}"#),
        };
        let events: Vec<String> = flags.iter().enumerate().map(event).collect();
        let parsed = request("/api/v1/events", format!(r#"{{"events":[{}]}}"#, events.join(" , "))).unwrap();
        let names: Vec<String> = parsed.envelopes.iter().map(|e| decode(e).unwrap().name).collect();
        let expected: Vec<String> =
            flags.iter().enumerate().filter(|(_, good)| **good).map(|(i, _)| format!("e{i}")).collect();
        prop_assert_eq!(names, expected);
        let rejected: Vec<usize> = parsed.rejected.iter().map(|r| r.index).collect();
        let expected: Vec<usize> = flags.iter().enumerate().filter(|(_, good)| !**good).map(|(i, _)| i).collect();
        prop_assert_eq!(rejected, expected);
    }
}

/// A short mutation fuzz on every golden request; the long one is in `fuzz/`.
#[test]
fn mutated_golden_requests_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seed = 0x5eed_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    let tokens: [&[u8]; 12] =
        [b"{", b"}", b"[", b"]", b"\"", b"\\", b",", b"null", b"\\u0000", b"\\ud800", b"1e999", b"\xff"];
    let mut runs = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let case: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = match (case.get("body"), case.get("text")) {
            (Some(body), _) => body.to_string().into_bytes(),
            (_, Some(text)) => text.as_str().unwrap().as_bytes().to_vec(),
            _ => case["query"].as_str().unwrap().as_bytes().to_vec(),
        };
        for _ in 0..150 {
            let mut mutated = body.clone();
            for _ in 0..=random(4) {
                let at = random(mutated.len());
                match random(5) {
                    0 if !mutated.is_empty() => mutated[at] = random(256) as u8,
                    1 => mutated.truncate(at),
                    2 => {
                        let token = tokens[random(tokens.len())];
                        mutated.splice(at..at, token.iter().copied());
                    }
                    3 if !mutated.is_empty() => {
                        mutated.remove(at);
                    }
                    _ => {
                        let piece: Vec<u8> = mutated[at..].iter().copied().take(random(60)).collect();
                        let to = random(mutated.len());
                        mutated.splice(to..to, piece);
                    }
                }
            }
            exercise(case["path"].as_str().unwrap(), case["query"].as_str().unwrap_or(""), &mutated);
            runs += 1;
        }
    }
    assert!(runs > 3000);
}
