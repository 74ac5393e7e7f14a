//! Changes of a request: of its bytes, of its structure, of how it is packed, of where it goes.

use super::{Case, Random};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use std::io::Write;

/// What breaks parsers, as text.
const TOKENS: [&[u8]; 20] = [
    b"{", b"}", b"[", b"]", b"\"", b"\\", b",", b":", b"null", b"\\u0000", b"\\ud800", b"1e999", b"-0",
    b"\xff", b"\n", b"&", b"=", b"%", b"+", b"data=",
];
/// Members and names that mean something to some room.
const WORDS: [&str; 52] = [
    "api_key",
    "token",
    "$token",
    "writeKey",
    "app_id",
    "events",
    "batch",
    "event",
    "event_type",
    "user_id",
    "device_id",
    "distinct_id",
    "$distinct_id",
    "$device_id",
    "$user_id",
    "$anon_distinct_id",
    "identity",
    "identification",
    "properties",
    "user_properties",
    "event_properties",
    "group_properties",
    "groups",
    "$groups",
    "$group_key",
    "$group_id",
    "$group_type",
    "$group_set",
    "$set",
    "$set_once",
    "$unset",
    "$add",
    "$append",
    "$union",
    "$delete",
    "$merge",
    "$identify",
    "$create_alias",
    "$distinct_ids",
    "alias",
    "userId",
    "anonymousId",
    "type",
    "context",
    "traits",
    "time",
    "timestamp",
    "sent_at",
    "$insert_id",
    "uuid",
    "session_id",
    "users",
];
/// Members that only partners' batches have.
const PARTNERS: [&str; 12] = [
    "data",
    "event_name",
    "user_identities",
    "user_attributes",
    "mpid",
    "mp_deviceid",
    "timestamp_unixtime_ms",
    "external_user_id",
    "attributes",
    "id",
    "name",
    "schema_version",
];
const PATHS: [&str; 33] = [
    "/api/v1/events",
    "/batch",
    "/2/httpapi",
    "/httpapi",
    "/",
    "/identify",
    "/groupidentify",
    "/usermap",
    "/e/",
    "/i/v0/e",
    "/capture",
    "/track",
    "/engage",
    "/groups",
    "/import",
    "/v1/batch",
    "/v1/import",
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/api/track",
    "/api/v1/identify",
    "/api/add_user_properties",
    "/api/add_account_properties",
    "/h",
    "/i/v1/analytics/events",
    "/v2/events",
    "/v2/bulkevents",
    "/braze/k",
    "/v1/webhook",
];

const CODINGS: [&str; 7] = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity", "x"];

/// A changed copy of `case`, with parts of `other`.
pub fn mutated(case: &Case, other: &Case, random: &mut Random) -> Case {
    let mut case = case.clone();
    if random.once_in(8) {
        case.path = (*random.of(&PATHS)).to_owned();
    }
    if random.once_in(8) {
        case.headers = other.headers.clone();
    }
    for _ in 0..=random.below(3) {
        match random.below(4) {
            0 if !case.query.is_empty() => case.query = text(changed(case.query.as_bytes(), random)),
            1 => bytes(&mut case.body, random),
            _ => structure(&mut case, other, random),
        }
    }
    if random.once_in(6) {
        pack(&mut case, random);
    }
    case
}

fn changed(old: &[u8], random: &mut Random) -> Vec<u8> {
    let mut new = old.to_vec();
    bytes(&mut new, random);
    new
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn bytes(body: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(body.len() + 1).min(body.len());
    match random.below(6) {
        0 if at < body.len() => body[at] = random.below(256) as u8,
        1 => body.truncate(at),
        2 if at < body.len() => drop(body.remove(at)),
        3 => {
            let piece: Vec<u8> = body[at..].iter().copied().take(random.below(80)).collect();
            let to = random.below(body.len() + 1);
            drop(body.splice(to..to, piece));
        }
        4 => {
            let word = random.of(&WORDS).as_bytes().to_vec();
            drop(body.splice(at..at, word));
        }
        _ => drop(body.splice(at..at, random.of(&TOKENS).iter().copied())),
    }
}

/// Changes the JSON of a body, also of one that stands in the `data` of a form or is base64 there.
fn structure(case: &mut Case, other: &Case, random: &mut Random) {
    let foreign = json_of(&other.body).map(|(value, _)| value).unwrap_or(Value::Null);
    let Some((mut value, wrap)) = json_of(&case.body) else { return bytes(&mut case.body, random) };
    let steps = random.below(6);
    node(&mut value, &foreign, steps, random);
    let json = value.to_string();
    let escaped = |data: &[u8]| form_urlencoded::byte_serialize(data).collect::<String>();
    case.body = match wrap {
        Wrap::None => json.into_bytes(),
        Wrap::Form(before, field, is_base64) => {
            let data = if is_base64 { BASE64_STANDARD.encode(json) } else { json };
            format!("{before}{field}={}", escaped(data.as_bytes())).into_bytes()
        }
    };
}

enum Wrap {
    None,
    /// The fields before, the name of the field with the JSON, and whether it is base64.
    Form(String, String, bool),
}

fn json_of(body: &[u8]) -> Option<(Value, Wrap)> {
    if let Ok(value) = serde_json::from_slice::<Value>(body)
        && (value.is_object() || value.is_array())
    {
        return Some((value, Wrap::None));
    }
    let mut before = String::new();
    for (name, data) in form_urlencoded::parse(body) {
        let plain = || serde_json::from_str::<Value>(&data).ok();
        let packed = || serde_json::from_slice(&BASE64_STANDARD.decode(data.replace(' ', "+")).ok()?).ok();
        if let Some(value) = plain().filter(|value| !value.is_number()) {
            return Some((value, Wrap::Form(before, name.into_owned(), false)));
        }
        if let Some(value) = packed() {
            return Some((value, Wrap::Form(before, name.into_owned(), true)));
        }
        let escaped: String = form_urlencoded::byte_serialize(data.as_bytes()).collect();
        before.push_str(&format!("{name}={escaped}&"));
    }
    None
}

/// Walks down some steps and changes what is there.
fn node(value: &mut Value, foreign: &Value, steps: usize, random: &mut Random) {
    if steps > 0 {
        let inner = match value {
            Value::Array(items) if !items.is_empty() => {
                let at = random.below(items.len());
                items.get_mut(at)
            }
            Value::Object(members) if !members.is_empty() => {
                let at = random.below(members.len());
                members.values_mut().nth(at)
            }
            _ => None,
        };
        if let Some(inner) = inner {
            return node(inner, foreign, steps - 1, random);
        }
    }
    match value {
        Value::Object(members) => object(members, foreign, random),
        Value::Array(items) => list(items, foreign, random),
        _ => *value = odd(foreign, random),
    }
}

fn object(members: &mut Map<String, Value>, foreign: &Value, random: &mut Random) {
    let at = random.below(members.len());
    let key = members.keys().nth(at).cloned();
    let word = if random.once_in(4) { random.of(&PARTNERS) } else { random.of(&WORDS) };
    match (random.below(5), key) {
        (0, Some(key)) => drop(members.remove(&key)),
        (1, Some(key)) => {
            if let Some(moved) = members.remove(&key) {
                members.insert((*word).to_owned(), moved);
            }
        }
        (2, Some(key)) => drop(members.insert(key, odd(foreign, random))),
        (3, _) => {
            if let Some((key, value)) = foreign.as_object().and_then(|f| f.iter().nth(random.below(f.len())))
            {
                members.insert(key.clone(), value.clone());
            }
        }
        _ => drop(members.insert((*word).to_owned(), odd(foreign, random))),
    }
}

fn list(items: &mut Vec<Value>, foreign: &Value, random: &mut Random) {
    let at = random.below(items.len());
    match random.below(4) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => {
            let copy = items[at].clone();
            items.extend(std::iter::repeat_n(copy, random.below(30)));
        }
        2 => items.extend(foreign.as_array().into_iter().flatten().take(3).cloned()),
        _ => items.push(odd(foreign, random)),
    }
}

/// A value that is legal JSON and seldom expected.
fn odd(foreign: &Value, random: &mut Random) -> Value {
    let mut nested = json!(1);
    match random.below(24) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1.7e308),
        7 => json!(5e-324),
        8 => json!(1_795_220_531_377_i64),
        9 => json!("1795220531.377"),
        10 => json!("2026-11-21T00:22:11.377Z"),
        11 => json!("9999-12-31T23:59:59.999-12:00"),
        12 => json!(""),
        13 => json!(" \u{0}\u{202e}\u{feff}"),
        14 => json!(*random.of(&[
            "null",
            "undefined",
            "0",
            "[object Object]",
            "$device:",
            "$device:x",
            "anonymous"
        ])),
        15 => json!("x".repeat(random.below(3000))),
        16 => json!([]),
        17 => json!({}),
        18 => json!(["a", "b"]),
        19 => json!({"$set": {"a": [1]}, "$add": {"n": "x"}, "$unset": [1, null]}),
        20 => json!(*random.of(&WORDS)),
        21 => {
            for _ in 0..random.below(70) {
                nested = if random.once_in(2) { json!([nested]) } else { json!({"a": nested}) };
            }
            nested
        }
        22 => json!({"a": {"b": {"c": [[["d"]]]}}}),
        _ => foreign.clone(),
    }
}

/// Packs the body as clients do, truthfully or not.
fn pack(case: &mut Case, random: &mut Random) {
    let mut say = |coding: &str| drop(case.headers.insert("content-encoding".into(), json!(coding)));
    match random.below(6) {
        0 => case.body = gzip(&case.body),
        1 => {
            say("gzip");
            case.body = gzip(&case.body);
        }
        2 => {
            let coding = random.of(&CODINGS);
            say(coding);
        }
        3 => case.body = BASE64_STANDARD.encode(&case.body).into_bytes(),
        4 => case.body = format!("data={}", BASE64_STANDARD.encode(&case.body)).into_bytes(),
        _ => {
            let data: String = form_urlencoded::byte_serialize(&case.body).collect();
            case.body = format!("verbose=1&ip=1&data={data}").into_bytes();
        }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}
