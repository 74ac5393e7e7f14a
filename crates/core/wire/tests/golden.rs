//! Requests as each SDK sends them, and what must become of them: the answer, the lane, and every event.
//!
//! One file per case in `golden/`. `UPDATE_GOLDEN=1 cargo test -p tallymark-wire --test golden` rewrites the
//! expectations; read the difference before committing it. `tests/e2e/record.py` records requests of the
//! server SDKs, `tests/browser/record.mjs` of the browsers'.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use tallymark_wire::body::{Packing, decode as unpack};
use tallymark_wire::{Answer, Call, HEADERS, Request, decode, read};

const RECEIVED_AT: i64 = 1_795_220_540_000;

#[test]
fn every_golden_request() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "golden files are missing");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let mut case: Map<String, Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let expected = case.get("expect").cloned().unwrap_or_default();
        let found = run(&case);
        if found == expected {
            continue;
        }
        if update {
            case.insert("expect".into(), found);
            let mut out = serde_json::to_string_pretty(&case).unwrap();
            out.push('\n');
            std::fs::write(&file, out).unwrap();
        } else {
            wrong.push(format!("{}\nfound: {found:#}\nexpected: {expected:#}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn run(case: &Map<String, Value>) -> Value {
    let text = |name: &str| case.get(name).and_then(Value::as_str);
    let header = |name: &str| case.get("headers").and_then(|h| h.get(name)).and_then(Value::as_str);
    let call = Call::of_path(text("path").unwrap()).expect("an ingestion path");
    let query = text("query").unwrap_or("");
    let raw = match (case.get("body"), text("text")) {
        (Some(body), _) => body.to_string().into_bytes(),
        (None, Some(text)) => text.as_bytes().to_vec(),
        (None, None) => query.as_bytes().to_vec(),
    };
    let raw = if case.get("gzip") == Some(&json!(true)) { gzip(&raw) } else { raw };
    let headers: Vec<(&'static str, String)> =
        HEADERS.into_iter().filter_map(|name| Some((name, header(name)?.to_owned()))).collect();
    let packing = Packing { content_encoding: header("content-encoding"), query };
    let parsed = unpack(Bytes::from(raw), packing, call.decoded_limit()).map(|decoded| {
        read(&Request {
            call,
            path: text("path").unwrap(),
            query,
            authorization: header("authorization"),
            sent_at: header("sentat"),
            user_agent: header("user-agent"),
            headers: &headers,
            form_key: decoded.form_key,
            form: decoded.form,
            ip: Some("192.0.2.7".into()),
            body: decoded.body,
            received_at: RECEIVED_AT,
        })
    });
    let parsed = match parsed.expect("the golden bodies are well packed") {
        Ok(parsed) => parsed,
        Err(refusal) => return json!({"answer": answer(&refusal.answer())}),
    };
    assert_eq!(parsed.senders.len(), parsed.envelopes.len());
    let events: Vec<Value> = parsed
        .envelopes
        .iter()
        .zip(&parsed.senders)
        .map(|(envelope, sender)| match decode(envelope) {
            Ok(event) => {
                let sent_by = (sender.device.as_ref(), sender.user.as_ref());
                assert_eq!(
                    sent_by,
                    (event.device_id.as_ref(), event.user_id.as_ref()),
                    "throttling goes by the same ids"
                );
                let key = event.device_id.clone().or(event.user_id.clone()).unwrap_or_default();
                assert_eq!(envelope.key, key, "the door routes by the same id that decoding finds");
                compact(serde_json::to_value(&event).unwrap())
            }
            Err(reason) => json!({"dead": reason}),
        })
        .collect();
    let mut payload = answer(&parsed.answer(parsed.envelopes.len(), "RECEIPT", None, RECEIVED_AT));
    if let Some(size) = payload.get_mut("body").and_then(|b| b.get_mut("payload_size_bytes")) {
        assert_eq!(*size, json!(parsed.payload_bytes));
    }
    json!({
        "answer": payload, "lane": parsed.lane.name(), "token": parsed.token.to_string(), "events": events,
    })
}

fn answer(answer: &Answer) -> Value {
    let body =
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&answer.body)));
    json!({"status": answer.status, "body": body})
}

/// Without what is empty, to keep the files readable.
fn compact(event: Value) -> Value {
    let Value::Object(fields) = event else { panic!("an event is an object") };
    let is_empty = |v: &Value| match v {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty() || (map.len() == 1 && map.get("action") == Some(&json!("none"))),
        _ => false,
    };
    Value::Object(fields.into_iter().filter(|(_, v)| !is_empty(v)).collect())
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}
