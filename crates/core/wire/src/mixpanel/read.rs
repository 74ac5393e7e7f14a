//! Mixpanel requests to envelopes.

use super::{event, profile};
use crate::answer::{Problem, Refusal};
use crate::call::MixpanelCall;
use crate::json::{Doc, Fault, Object};
use crate::request::{Frame, Parsed, Rejected, Request};
use crate::split::{self, Outer, Piece};
use crate::{Call, Dialect, Sender, credentials, limits, token_of};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tallymark_model::{Millis, RequestContext, Value, WireFormat};

/// Members beside `properties` that only PostHog's events have.
const POSTHOG: [&str; 8] =
    ["api_key", "token", "batch", "distinct_id", "uuid", "timestamp", "offset", "$set"];

/// True if a body of `/track` is Mixpanel's: it has `event` and `properties`, and nothing of PostHog's.
pub(crate) fn is_track(body: &Bytes) -> bool {
    let is_theirs = |event: &Outer<'_>| {
        let library = event
            .value("properties")
            .is_some_and(|properties| properties.get("$lib").is_some() && properties.get("mp_lib").is_none());
        library || POSTHOG.iter().any(|member| event.get(member).is_some())
    };
    !of_first(body, is_theirs).unwrap_or(false)
}

/// True if a body of `/engage` is Mixpanel's: only there each item has `$token`.
pub(crate) fn is_engage(body: &Bytes) -> bool {
    of_first(body, |item| item.get("$token").is_some()).unwrap_or(true)
}

/// What `look` sees in the first item, if its outline can be read.
fn of_first<T>(body: &Bytes, look: impl FnOnce(&Outer<'_>) -> T) -> Option<T> {
    let item = body.slice(split::first(body)?);
    Outer::parse(&item).ok().map(|outer| look(&outer))
}

/// What the items of a request are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Event,
    /// An event that `/import` checks at this time.
    Import(Millis),
    Profile,
}

/// One item as the door sees it.
struct Seen {
    piece: Piece,
    sender: Sender,
    token: Option<String>,
    insert_id: Option<String>,
    fault: Option<Fault>,
}

/// Reads a request of any of Mixpanel's paths.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let dialect = dialect(request);
    let refuse = |problem, events| Refusal { events, ..Refusal::new(dialect, problem) };
    let body = &request.body;
    let pieces = pieces(request).map_err(|broken| {
        let why = format!("not the JSON of an event or a list: {} at byte {}", broken.why, broken.at);
        refuse(Problem::InvalidBody(why), 0)
    })?;
    let count = pieces.len();
    if count == 0 {
        return Err(refuse(Problem::InvalidBody("the list is empty".into()), 0));
    }
    if count > limits::MIXPANEL_EVENTS {
        return Err(refuse(Problem::TooMany { found: count, limit: limits::MIXPANEL_EVENTS }, count));
    }
    let kind = kind(request, dialect);
    let looked = |(index, piece)| look(body, index, piece, kind);
    let mut seen: Vec<Seen> = pieces.into_iter().enumerate().map(looked).collect();
    let credential = credential(request, &seen).map_err(|problem| refuse(problem, count))?;
    let token = token_of(&credential);
    let faulty = seen.iter().filter(|item| item.fault.is_some()).count();
    if faulty == count
        && dialect != Dialect::MixpanelImport
        && let Some(fault) = seen[0].fault.take()
    {
        let problem = match fault.code {
            "event_too_large" => Problem::TooLarge { limit: limits::EVENT_BYTES, decoded: true },
            _ => Problem::InvalidEvent(fault.message),
        };
        return Err(refuse(problem, count).of(token, count));
    }
    let frame = Frame {
        body,
        token,
        wire: if kind == Kind::Profile { WireFormat::MixpanelProfile } else { WireFormat::MixpanelEvent },
        lane: request.call.lane(),
        received_at: request.received_at,
        context: Arc::new(RequestContext {
            ip: request.ip.clone().filter(|_| asks(request, "ip")),
            ..request.context()
        }),
    };
    let mut parsed = Parsed {
        token,
        lane: frame.lane,
        dialect,
        envelopes: Vec::with_capacity(count),
        senders: Vec::with_capacity(count),
        rejected: Vec::new(),
        payload_bytes: body.len(),
        per_event: None,
        beacon: false,
    };
    let mut failed = Vec::new();
    for item in seen {
        match item.fault {
            Some(fault) if dialect == Dialect::MixpanelImport => {
                failed.push(failure(item.sender.index, item.insert_id, &fault));
                parsed.rejected.push(rejected(item.sender.index, fault));
            }
            _ => {
                parsed.envelopes.push(frame.envelope(item.piece.range, item.sender.routing_key()));
                parsed.senders.push(item.sender);
            }
        }
    }
    parsed.per_event = (!failed.is_empty()).then_some(Value::Array(failed));
    Ok(parsed)
}

fn kind(request: &Request<'_>, dialect: Dialect) -> Kind {
    match request.call {
        Call::SharedEngage | Call::Mixpanel(MixpanelCall::Groups) => Kind::Profile,
        _ if dialect == Dialect::MixpanelImport && request.parameter("strict").as_deref() != Some("0") => {
            Kind::Import(request.received_at)
        }
        _ => Kind::Event,
    }
}

/// How the sender wants to be answered.
fn dialect(request: &Request<'_>) -> Dialect {
    if request.call == Call::Mixpanel(MixpanelCall::Import) && request.form.is_none() {
        Dialect::MixpanelImport
    } else if request.parameter("img").as_deref() == Some("1") {
        Dialect::Pixel
    } else if asks(request, "verbose") {
        Dialect::Mixpanel
    } else {
        Dialect::MixpanelTerse
    }
}

/// True if the form, or else the query, has 1 for this name.
fn asks(request: &Request<'_>, name: &str) -> bool {
    let form = request.form.as_ref().and_then(|form| match name {
        "ip" => form.ip.clone(),
        _ => form.verbose.clone(),
    });
    form.or_else(|| request.parameter(name)).is_some_and(|value| value == "1" || value == "true")
}

/// The items: one, a list, or (of `/import`) one per line.
fn pieces(request: &Request<'_>) -> Result<Vec<Piece>, split::Broken> {
    let body = &request.body;
    if split::first_byte(body) == Some(b'[') {
        return split::elements(body, 0..body.len());
    }
    match split::members(body, 0..body.len()) {
        Ok(_) => Ok(vec![Piece { range: 0..body.len(), depth: 0 }]),
        Err(_) if request.call == Call::Mixpanel(MixpanelCall::Import) && body.contains(&b'\n') => {
            Ok(lines(body))
        }
        Err(broken) => Err(broken),
    }
}

fn lines(body: &[u8]) -> Vec<Piece> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for line in body.split(|b| *b == b'\n') {
        let range = start..start + line.len();
        start += line.len() + 1;
        if split::first_byte(line).is_some() {
            pieces.push(Piece { range, depth: 0 });
        }
    }
    pieces
}

/// Looks at one item: its sender, its token, and whether it can be decoded.
fn look(body: &[u8], index: usize, piece: Piece, kind: Kind) -> Seen {
    let text = &body[piece.range.clone()];
    let mut seen = Seen { piece, sender: Sender::nobody(index), token: None, insert_id: None, fault: None };
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        seen.fault = Some(Fault { code: "event_too_large", field: String::new(), message });
        return seen;
    }
    let checked = Doc::understand(text, |doc| {
        let item = &doc.object()?;
        if kind == Kind::Profile {
            seen.token = item.str("$token").map(str::to_owned);
            return Ok(match profile::check(item)? {
                profile::Target::Person(ids) => Some(ids),
                profile::Target::Group(..) => None,
            });
        }
        named(item, &mut seen);
        let (name, ids) = event::check(item)?;
        if let Kind::Import(now) = kind {
            event::check_import(item, &name, now)?;
        }
        Ok(Some(ids))
    });
    match checked {
        Ok(Some(ids)) => seen.sender = Sender::of(index, ids.device.as_deref(), ids.user.as_deref(), 1),
        Ok(None) => {}
        Err(fault) => seen.fault = Some(fault),
    }
    seen
}

/// Token and insert id, which are wanted of a faulty event too.
fn named(item: &Object<'_>, seen: &mut Seen) {
    if let Some(properties) = item.get("properties").and_then(|p| p.as_object()) {
        seen.token = properties.str("token").map(str::to_owned);
        seen.insert_id = properties.get("$insert_id").and_then(|id| id.to_text());
    }
}

fn credential(request: &Request<'_>, seen: &[Seen]) -> Result<String, Problem> {
    let tokens: BTreeSet<&str> =
        seen.iter().filter_map(|item| credentials::clean(item.token.as_deref()?)).collect();
    if tokens.len() > 1 {
        return Err(Problem::MixedKeys);
    }
    let own = tokens.first().map(|token| (*token).to_owned());
    own.or_else(|| credentials::of_authorization(request.authorization))
        .or_else(|| ["token", "api_key"].iter().find_map(|name| request.parameter(name)))
        .or_else(|| request.form_key.clone())
        .and_then(|key| credentials::clean(&key).map(str::to_owned))
        .ok_or(Problem::MissingKey)
}

/// A failed record as Mixpanel's documentation shows it; older pages call the id `$insert_id`.
fn failure(index: usize, insert_id: Option<String>, fault: &Fault) -> Value {
    let insert_id = insert_id.unwrap_or_default();
    json!({
        "index": index, "insert_id": insert_id, "$insert_id": insert_id,
        "field": fault.field, "message": fault.message,
    })
}

fn rejected(index: usize, fault: Fault) -> Rejected {
    Rejected {
        index,
        code: fault.code.to_owned(),
        message: fault.message,
        field: Some(fault.field).filter(|field| !field.is_empty()),
    }
}
