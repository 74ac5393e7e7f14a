//! Segment requests to envelopes.

use super::decode::{FORWARDED, Kind, check};
use crate::answer::{Problem, Refusal};
use crate::call::SegmentCall;
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Request};
use crate::split::{self, Outer, Piece};
use crate::{Call, Dialect, Sender, credentials, limits, time, token_of};
use bytes::Bytes;
use std::sync::Arc;
use tallymark_model::{RequestContext, WireFormat};

const DIALECT: Dialect = Dialect::Segment;
/// Largest batch-level `context`; it is stored with every event of the batch.
const CONTEXT_BYTES: usize = 32 * 1024;

/// Reads a batch or a single message.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let refuse = |problem, events| Refusal { events, ..Refusal::new(DIALECT, problem) };
    let body = &request.body;
    let broken_body = |broken: split::Broken| {
        refuse(
            Problem::InvalidBody(format!(
                "not a JSON message or batch: {} at byte {}",
                broken.why, broken.at
            )),
            0,
        )
    };
    let path_kind = match request.call {
        Call::Segment(SegmentCall::One(kind)) => Some(kind),
        _ => None,
    };
    let is_webhook =
        matches!(request.call, Call::Segment(SegmentCall::SegmentWebhook | SegmentCall::RudderWebhook));
    let list = if is_webhook && split::first_byte(body) == Some(b'[') {
        Some(split::elements(body, 0..body.len()).map_err(broken_body)?)
    } else {
        None
    };
    let empty = Bytes::from_static(b"{}");
    let outer = Outer::parse(if list.is_some() { &empty } else { body }).map_err(broken_body)?;
    let key = if is_webhook { forwarder(request) } else { credential(request, &outer) };
    let token = token_of(&key.ok_or_else(|| refuse(Problem::MissingKey, 0))?);
    let is_single = path_kind.is_some() || (is_webhook && outer.get("batch").is_none());
    let (pieces, shared) = if let Some(list) = list {
        (list, None)
    } else if is_single {
        (vec![Piece { range: 0..body.len(), depth: 0 }], None)
    } else {
        let batch =
            outer.get("batch").ok_or_else(|| refuse(Problem::MissingMember("batch"), 0).of(token, 0))?;
        let context = outer.get("context").filter(|piece| body[piece.range.start] == b'{');
        (split::elements(body, batch.range.clone()).map_err(broken_body)?, context)
    };
    let count = pieces.len();
    if count > limits::VENDOR_EVENTS {
        return Err(
            refuse(Problem::TooMany { found: count, limit: limits::VENDOR_EVENTS }, count).of(token, count)
        );
    }
    if shared.is_some_and(|piece| piece.range.len() > CONTEXT_BYTES) {
        let problem =
            Problem::InvalidBody(format!("the batch's 'context' is larger than {CONTEXT_BYTES} bytes"));
        return Err(refuse(problem, count).of(token, count));
    }
    let shared = shared.and_then(|piece| String::from_utf8(body[piece.range.clone()].to_vec()).ok());
    let header_clock = request.sent_at.and_then(time::parse);
    let frame = Frame {
        body,
        token,
        wire: WireFormat::SegmentV1,
        lane: request.call.lane(),
        received_at: request.received_at,
        context: Arc::new(RequestContext {
            sent_at: outer.value("sentAt").as_ref().and_then(time::of_value).or(header_clock),
            call: path_kind.or(is_webhook.then_some(FORWARDED)).map(str::to_owned),
            shared,
            ..request.context()
        }),
    };
    let mut first_fault = None;
    let mut faults = 0;
    let mut envelopes = Vec::with_capacity(count);
    let mut senders = Vec::with_capacity(count);
    for (index, piece) in pieces.into_iter().enumerate() {
        let sender = sender(index, body, &piece, path_kind).unwrap_or_else(|fault| {
            faults += 1;
            first_fault.get_or_insert(fault);
            Sender::nobody(index)
        });
        envelopes.push(frame.envelope(piece.range, sender.routing_key()));
        senders.push(sender);
    }
    if let Some(fault) = first_fault
        && faults == count
    {
        return Err(refuse(Problem::InvalidEvent(fault.message), count).of(token, count));
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

fn credential(request: &Request<'_>, outer: &Outer<'_>) -> Option<String> {
    let header = credentials::of_authorization(request.authorization);
    let body = || outer.text_of(&["writeKey"]).and_then(|key| credentials::clean(&key).map(str::to_owned));
    let query = || request.parameter("writeKey").and_then(|key| credentials::clean(&key).map(str::to_owned));
    if credentials::is_basic(request.authorization) && header.is_some() {
        header
    } else {
        body().or(header).or_else(query)
    }
}

/// The key of a webhook: a message's `writeKey` would be that of the partner's own source.
fn forwarder(request: &Request<'_>) -> Option<String> {
    credentials::of_authorization(request.authorization)
        .or_else(|| credentials::clean(&request.parameter("key")?).map(str::to_owned))
}

fn sender(index: usize, body: &[u8], piece: &Piece, path_kind: Option<&str>) -> Result<Sender, Fault> {
    let text = &body[piece.range.clone()];
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the message has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    let found = Doc::understand(text, |doc| {
        let message = &doc.object()?;
        check(message, Kind::of(message, path_kind)?)
    })?;
    Ok(Sender::of(index, found.device.as_deref(), found.user.as_deref(), 1))
}
