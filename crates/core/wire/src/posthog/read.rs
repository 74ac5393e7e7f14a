//! PostHog requests to envelopes.

use super::identity;
use crate::answer::{Problem, Refusal};
use crate::call::PosthogCall;
use crate::draft::missing;
use crate::json::{Doc, Fault, Object};
use crate::request::{Frame, Parsed, Rejected, Request};
use crate::split::{self, Outer, Piece};
use crate::{Call, Dialect, Sender, credentials, limits, time, token_of};
use serde_json::json;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use tallymark_model::{Lane, Millis, RequestContext, Value, WireFormat};

const DIALECT: Dialect = Dialect::Posthog;
/// `_` of the query is the client's clock only if it can be one: milliseconds after 2020.
const CLOCK_SINCE: Millis = 1_577_836_800_000;
/// The name of session recordings.
pub(super) const SNAPSHOT: &str = "$snapshot";
/// Why a session recording is not taken.
pub const RECORDING: &str = "session_recording";

/// One event as the door sees it.
struct Seen {
    piece: Piece,
    sender: Sender,
    token: Option<String>,
    fault: Option<Fault>,
    recording: bool,
}

/// The request's own members, apart from its events.
#[derive(Default)]
struct Envelope {
    pieces: Vec<Piece>,
    key: Option<String>,
    sent_at: Option<Millis>,
    historical: bool,
    single: bool,
}

/// Reads a v0 capture request.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let refuse = |problem, events| Refusal { events, ..Refusal::new(DIALECT, problem) };
    let body = &request.body;
    let outer = open(request).map_err(|broken| {
        refuse(
            Problem::InvalidBody(format!(
                "not the JSON of an event or a batch: {} at byte {}",
                broken.why, broken.at
            )),
            0,
        )
    })?;
    let count = outer.pieces.len();
    if request.call == Call::Posthog(PosthogCall::Recordings) {
        return recordings(body, outer).map_err(|problem| refuse(problem, count));
    }
    if count == 0 {
        return Err(refuse(Problem::InvalidBody("the batch is empty".into()), 0));
    }
    if count > limits::VENDOR_EVENTS {
        return Err(refuse(Problem::TooMany { found: count, limit: limits::VENDOR_EVENTS }, count));
    }
    let engage = request.call == Call::Posthog(PosthogCall::Engage);
    let pieces = outer.pieces.into_iter().enumerate();
    let mut seen: Vec<Seen> = pieces.map(|(index, piece)| look(body, index, piece, engage)).collect();
    let credential = match outer.key {
        Some(key) => key,
        None => of_events(&seen).map_err(|problem| refuse(problem, count))?,
    };
    let credential = credentials::clean(&credential).ok_or_else(|| refuse(Problem::MissingKey, count))?;
    let token = token_of(credential);
    if seen.iter().all(|event| event.fault.is_some())
        && let Some(fault) = seen[0].fault.take()
    {
        let problem = match fault.code {
            "event_too_large" => Problem::TooLarge { limit: limits::EVENT_BYTES, decoded: true },
            _ if outer.single => Problem::InvalidEvent(fault.message),
            _ => Problem::InvalidEvent(format!(
                "no event of the batch is valid; the first one: {}",
                fault.message
            )),
        };
        return Err(refuse(problem, count).of(token, count));
    }
    let query_clock = request.parameter("_").and_then(|ms| ms.parse().ok()).filter(|ms| *ms > CLOCK_SINCE);
    let lane = if outer.historical { Lane::Bulk } else { Lane::Live };
    let frame = Frame {
        body,
        token,
        wire: WireFormat::PosthogV0,
        lane,
        received_at: request.received_at,
        context: Arc::new(RequestContext {
            sent_at: outer.sent_at.or_else(|| query_clock.and_then(time::in_range)),
            call: engage.then(|| "engage".to_owned()),
            ..request.context()
        }),
    };
    let (mut envelopes, mut senders) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut rejected = Vec::new();
    for event in seen {
        if event.recording {
            rejected.push(recording(event.sender.index));
            continue;
        }
        envelopes.push(frame.envelope(event.piece.range, event.sender.routing_key()));
        senders.push(event.sender);
    }
    Ok(Parsed {
        token,
        lane,
        dialect: DIALECT,
        envelopes,
        senders,
        // Tells posthog-js to stop sending recordings for a while.
        per_event: (!rejected.is_empty()).then(|| json!(["recordings"])),
        rejected,
        payload_bytes: body.len(),
        beacon: request.parameter("beacon").as_deref() == Some("1"),
    })
}

/// Takes note of session recordings, looking no deeper than whose they are.
fn recordings(body: &[u8], outer: Envelope) -> Result<Parsed, Problem> {
    let inner = || {
        let first = outer.pieces.first()?.range.clone();
        let properties = member(body, first.clone(), b"\"properties\"");
        let places = [Some(first), properties];
        let token = places.into_iter().flatten().find_map(|place| member(body, place, b"\"token\""))?;
        Doc::parse(&body[token]).ok()?.value().as_str().map(str::to_owned)
    };
    let key = outer.key.clone().or_else(inner).ok_or(Problem::MissingKey)?;
    let token = token_of(credentials::clean(&key).ok_or(Problem::MissingKey)?);
    let rejected = (0..outer.pieces.len()).map(recording).collect();
    Ok(Parsed {
        token,
        lane: Lane::Live,
        dialect: DIALECT,
        envelopes: Vec::new(),
        senders: Vec::new(),
        rejected,
        payload_bytes: body.len(),
        per_event: Some(json!(["recordings"])),
        beacon: false,
    })
}

/// The value of the last member with this name (in quotes), if `range` is an object that has one.
fn member(body: &[u8], range: Range<usize>, name: &[u8]) -> Option<Range<usize>> {
    let members = split::members(body, range).ok()?;
    members.into_iter().rev().find(|(key, _)| &body[key.clone()] == name).map(|(_, piece)| piece.range)
}

fn recording(index: usize) -> Rejected {
    let message = "session recordings are not stored".to_owned();
    Rejected { index, code: RECORDING.to_owned(), message, field: None }
}

/// Finds the events and what the request says about all of them.
fn open(request: &Request<'_>) -> Result<Envelope, split::Broken> {
    let body = &request.body;
    let outside = || {
        let query = ["api_key", "token"].iter().find_map(|name| request.parameter(name));
        query
            .or_else(|| request.form_key.clone())
            .or_else(|| credentials::of_authorization(request.authorization))
    };
    if split::first_byte(body) == Some(b'[') {
        let pieces = split::elements(body, 0..body.len())?;
        return Ok(Envelope { pieces, key: outside(), ..Envelope::default() });
    }
    let outer = Outer::parse(body)?;
    let key = outer.text_of(&["api_key", "token", "$token"]).or_else(outside);
    let sent_at = outer.value("sent_at").as_ref().and_then(time::of_value);
    let historical = outer.value("historical_migration") == Some(Value::Bool(true));
    let (pieces, single) = match outer.get("batch") {
        Some(batch) => (split::elements(body, batch.range.clone())?, false),
        None => (vec![Piece { range: 0..body.len(), depth: 0 }], true),
    };
    Ok(Envelope { pieces, key, sent_at, historical, single })
}

/// Looks at one event: its sender, its token, and whether it can be decoded.
fn look(body: &[u8], index: usize, piece: Piece, engage: bool) -> Seen {
    let text = &body[piece.range.clone()];
    let mut seen = Seen { piece, sender: Sender::nobody(index), token: None, fault: None, recording: false };
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        seen.fault = Some(Fault { code: "event_too_large", field: String::new(), message });
        return seen;
    }
    let checked = Doc::understand(text, |doc| {
        let event = &doc.object()?;
        let properties = event.get("properties").and_then(|p| p.as_object());
        seen.token = token(event, properties.as_ref());
        let name = name(event, engage)?;
        seen.recording = name == SNAPSHOT;
        if seen.recording {
            return Ok(identity::Ids::default());
        }
        identity::of(event, properties.as_ref(), None, &name)
    });
    match checked {
        Ok(found) => seen.sender = Sender::of(index, found.device.as_deref(), found.user.as_deref(), 1),
        Err(fault) => seen.fault = Some(fault),
    }
    seen
}

/// The event's name; `/engage` has none and means `$identify`.
pub(super) fn name(event: &Object<'_>, engage: bool) -> Result<String, Fault> {
    match event.get("event").and_then(|v| v.to_text()) {
        Some(name) if !name.trim().is_empty() => Ok(name),
        _ if engage => Ok("$identify".to_owned()),
        _ => Err(missing("event")),
    }
}

fn token(event: &Object<'_>, properties: Option<&Object<'_>>) -> Option<String> {
    let inner = || properties?.str("token");
    let own = ["token", "api_key", "$token"].iter().find_map(|name| event.str(name));
    own.or_else(inner).map(str::to_owned)
}

fn of_events(seen: &[Seen]) -> Result<String, Problem> {
    let tokens: BTreeSet<&str> = seen.iter().filter_map(|event| event.token.as_deref()).collect();
    match tokens.len() {
        0 => Err(Problem::MissingKey),
        1 => Ok(tokens.first().map(|token| (*token).to_owned()).unwrap_or_default()),
        _ => Err(Problem::MixedKeys),
    }
}
