//! PostHog v1 capture: a batch whose answer names each event by its uuid.
//!
//! | the event | `result` | what becomes of it |
//! |---|---|---|
//! | is fine | `ok` | taken |
//! | has a distinct id that names nobody | `warning`, `invalid_distinct_id` | taken, nobody's |
//! | can never be decoded | `drop` with the reason | counted as refused; the SDK calls `on_error` |
//! | is a session recording | `drop`, `session_recording` | counted as refused |
//! | cannot be decoded and has no readable uuid | cannot be named | a dead letter |
//!
//! SDKs take a uuid that is missing from the answer for accepted, so every readable uuid is in it. `retry` and
//! `limited` are never said: what is too much is refused as a whole (429 with `Retry-After`), because SDKs take
//! `limited` for accepted.
//!
//! The SDKs lift some properties out (`options`, `session_id`, `window_id`) and name their library in a header only;
//! decoding puts all of it back. `PostHog-Request-Timestamp` is the client's clock.
//! Differences on purpose: none of the headers but the key is required; one uuid twice in a request is no error (it
//! counts once); a time that cannot be read does not cost the event.

use super::identity;
use super::read::{RECORDING, SNAPSHOT, name};
use crate::answer::{Problem, Refusal};
use crate::draft::id_in;
use crate::ids;
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Rejected, Request};
use crate::split::{self, Outer, Piece};
use crate::{Dialect, Sender, credentials, limits, time, token_of};
use serde_json::{Map, json};
use std::sync::Arc;
use tallymark_model::{Lane, RequestContext, Value, WireFormat};

const DIALECT: Dialect = Dialect::PosthogV1;
/// Longest library name or version kept.
const LIB_CHARS: usize = 100;

/// Reads a batch.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let refuse = |problem, events| Refusal { events, ..Refusal::new(DIALECT, problem) };
    let body = &request.body;
    let broken = |broken: split::Broken| {
        let why = format!("not the JSON of a batch: {} at byte {}", broken.why, broken.at);
        refuse(Problem::InvalidBody(why), 0)
    };
    let outer = Outer::parse(body).map_err(broken)?;
    let key = credentials::of_authorization(request.authorization).or_else(|| outer.text_of(&["api_key"]));
    let key = key.as_deref().and_then(credentials::clean);
    let token = token_of(key.ok_or_else(|| refuse(Problem::MissingKey, 0))?);
    let batch = outer.get("batch").ok_or_else(|| refuse(Problem::MissingMember("batch"), 0).of(token, 0))?;
    let pieces = split::elements(body, batch.range.clone()).map_err(broken)?;
    let count = pieces.len();
    if count == 0 {
        return Err(refuse(Problem::InvalidBody("the batch is empty".into()), 0).of(token, 0));
    }
    if count > limits::VENDOR_EVENTS {
        let problem = Problem::TooMany { found: count, limit: limits::VENDOR_EVENTS };
        return Err(refuse(problem, count).of(token, count));
    }
    let historical = outer.value("historical_migration") == Some(Value::Bool(true));
    let lane = if historical { Lane::Bulk } else { Lane::Live };
    let frame = Frame {
        body,
        token,
        wire: WireFormat::PosthogV1,
        lane,
        received_at: request.received_at,
        context: Arc::new(RequestContext {
            sent_at: request.header("posthog-request-timestamp").and_then(time::parse),
            shared: request.header("posthog-sdk-info").and_then(library),
            ..request.context()
        }),
    };
    let mut results = Map::new();
    let mut rejected = Vec::new();
    let (mut envelopes, mut senders) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (index, piece) in pieces.into_iter().enumerate() {
        let (uuid, result, sender) = match look(index, &body[piece.range.clone()]) {
            Ok(seen) => (seen.uuid, verdict(seen.garbage), seen.sender),
            Err(fault) => match uuid(body, &piece) {
                Some(uuid) => {
                    results.insert(uuid, json!({"result": "drop", "details": fault.message}));
                    rejected.push(Rejected {
                        index,
                        code: fault.code.to_owned(),
                        message: fault.message,
                        field: Some(fault.field).filter(|field| !field.is_empty()),
                    });
                    continue;
                }
                None => (None, Value::Null, Sender::nobody(index)),
            },
        };
        if let Some(uuid) = uuid {
            results.insert(uuid, result);
        }
        envelopes.push(frame.envelope(piece.range, sender.routing_key()));
        senders.push(sender);
    }
    Ok(Parsed {
        token,
        lane,
        dialect: DIALECT,
        envelopes,
        senders,
        rejected,
        payload_bytes: body.len(),
        per_event: Some(Value::Object(results)),
        beacon: false,
    })
}

struct Seen {
    sender: Sender,
    uuid: Option<String>,
    /// The distinct id names nobody.
    garbage: bool,
}

fn verdict(garbage: bool) -> Value {
    match garbage {
        true => json!({"result": "warning", "details": "invalid_distinct_id"}),
        false => json!({"result": "ok"}),
    }
}

/// Looks at one event as decoding will.
fn look(index: usize, text: &[u8]) -> Result<Seen, Fault> {
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    let (found, uuid) = Doc::understand(text, |doc| {
        let event = &doc.object()?;
        let name = name(event, false)?;
        if name == SNAPSHOT {
            return Err(Fault::field(RECORDING, "event", RECORDING));
        }
        if id_in(event, "uuid")?.is_some_and(|uuid| uuid.trim().len() > limits::ID_BYTES) {
            return Err(crate::draft::too_long("uuid", limits::ID_BYTES));
        }
        let object = |name| event.get(name).and_then(|v| v.as_object());
        let found = identity::of(event, object("properties").as_ref(), object("options").as_ref(), &name)?;
        Ok((found, event.str("uuid").filter(|uuid| !uuid.is_empty()).map(str::to_owned)))
    })?;
    let (device, user) = (found.device.as_deref(), found.user.as_deref());
    let garbage = user.or(device).is_some_and(ids::is_garbage);
    Ok(Seen { sender: Sender::of(index, device, user, 1), uuid, garbage })
}

/// The uuid of an event that is broken elsewhere.
fn uuid(body: &[u8], piece: &Piece) -> Option<String> {
    let members = split::members(body, piece.range.clone()).ok()?;
    let (_, value) = members.iter().rev().find(|(key, _)| &body[key.clone()] == b"\"uuid\"")?;
    let doc = Doc::parse(&body[value.range.clone()]).ok()?;
    match doc.value() {
        Value::String(uuid) if !uuid.is_empty() => Some(uuid),
        _ => None,
    }
}

/// `posthog-python/7.91.1` as the properties that the SDK left out.
fn library(info: &str) -> Option<String> {
    let (lib, version) = info.trim().split_once('/')?;
    let cut = |text: &str| text.chars().take(LIB_CHARS).collect::<String>();
    (!lib.is_empty()).then(|| json!({"$lib": cut(lib), "$lib_version": cut(version)}).to_string())
}
