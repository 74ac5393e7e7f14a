//! Heap requests to envelopes.

use super::decode::{Kind, check};
use super::pixel;
use crate::answer::{Problem, Refusal};
use crate::call::HeapCall;
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Request};
use crate::split::{self, Outer, Piece};
use crate::{Call, Dialect, Sender, credentials, limits, token_of};
use std::sync::Arc;
use tallymark_model::{Lane, RequestContext, Value, WireFormat};

const DIALECT: Dialect = Dialect::Heap;

/// Reads a request of any of Heap's paths.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let call = match request.call {
        Call::Heap(HeapCall::Pixel) => return pixel::read(request),
        Call::Heap(call) => call,
        _ => HeapCall::Track,
    };
    let refuse = |problem, events| Refusal { events, ..Refusal::new(DIALECT, problem) };
    let body = &request.body;
    let broken_body = |broken: split::Broken| {
        let why = format!("not the JSON object of a call: {} at byte {}", broken.why, broken.at);
        refuse(Problem::InvalidBody(why), 0)
    };
    let outer = Outer::parse(body).map_err(broken_body)?;
    let key = key(request, &outer).ok_or_else(|| refuse(Problem::MissingKey, 0))?;
    let token = token_of(&key);
    let list = match call {
        HeapCall::Track => outer.get("events"),
        HeapCall::UserProperties => outer.get("users"),
        HeapCall::AccountProperties => outer.get("accounts"),
        HeapCall::Identify | HeapCall::Pixel => None,
    };
    let (pieces, is_bulk) = match list {
        Some(list) => (split::elements(body, list.range.clone()).map_err(broken_body)?, true),
        None => (vec![Piece { range: 0..body.len(), depth: 0 }], false),
    };
    let count = pieces.len();
    if count > limits::HEAP_ITEMS {
        let problem = Problem::TooMany { found: count, limit: limits::HEAP_ITEMS };
        return Err(refuse(problem, count).of(token, count));
    }
    let kind = Kind::of_call(call);
    let frame = Frame {
        body,
        token,
        wire: WireFormat::Heap,
        lane: if is_bulk && kind == Kind::Track { Lane::Bulk } else { Lane::Live },
        received_at: request.received_at,
        // The caller is a server: where it stands says nothing about the user.
        context: Arc::new(RequestContext {
            ip: None,
            call: kind.name().map(str::to_owned),
            ..request.context()
        }),
    };
    let (mut envelopes, mut senders) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut faulty, mut first_fault) = (0, None);
    for (index, piece) in pieces.into_iter().enumerate() {
        let sender = sender(index, body, &piece, kind).unwrap_or_else(|fault| {
            faulty += 1;
            first_fault.get_or_insert(fault);
            Sender::nobody(index)
        });
        envelopes.push(frame.envelope(piece.range, sender.routing_key()));
        senders.push(sender);
    }
    if let Some(fault) = first_fault
        && faulty == count
    {
        let problem = match fault.code {
            "event_too_large" => Problem::TooLarge { limit: limits::EVENT_BYTES, decoded: true },
            _ => Problem::InvalidEvent(fault.message),
        };
        return Err(refuse(problem, count).of(token, count));
    }
    Ok(Parsed {
        token,
        lane: frame.lane,
        dialect: DIALECT,
        envelopes,
        senders,
        rejected: Vec::new(),
        payload_bytes: body.len(),
        per_event: None,
        beacon: false,
    })
}

/// `app_id` may be a number: Heap's own are.
fn key(request: &Request<'_>, outer: &Outer<'_>) -> Option<String> {
    let own = outer.value("app_id").and_then(|id| match id {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    own.as_deref()
        .and_then(credentials::clean)
        .map(str::to_owned)
        .or_else(|| credentials::of_authorization(request.authorization))
}

fn sender(index: usize, body: &[u8], piece: &Piece, kind: Kind) -> Result<Sender, Fault> {
    let text = &body[piece.range.clone()];
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    let ids = Doc::understand(text, |doc| check(&doc.object()?, kind))?;
    Ok(Sender::of(index, ids.device.as_deref(), ids.user.as_deref(), 1))
}
