//! Native requests to envelopes; each event is checked with the same rules that decoding applies.

use super::decode::check;
use crate::answer::{Problem, Refusal};
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Rejected, Request};
use crate::split::{self, Outer, Piece};
use crate::{Dialect, Sender, credentials, limits, time, token_of};
use std::sync::Arc;
use tallymark_model::{Lane, RequestContext, WireFormat};

/// Reads `POST /api/v1/events`.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let refuse = |problem| Refusal::new(Dialect::Native, problem);
    let body = &request.body;
    let outer = Outer::parse(body).map_err(|broken| {
        refuse(Problem::InvalidBody(format!(
            "the body is not a JSON object: {} at byte {}",
            broken.why, broken.at
        )))
    })?;
    let credential = credentials::of_authorization(request.authorization)
        .or_else(|| ["api_key", "token", "write_key"].iter().find_map(|name| request.parameter(name)))
        .or_else(|| outer.text_of(&["api_key", "token", "write_key", "writeKey"]));
    let credential = credential.as_deref().and_then(credentials::clean);
    let token = token_of(credential.ok_or_else(|| refuse(Problem::MissingKey))?);
    let list = outer.get("events").ok_or_else(|| refuse(Problem::MissingMember("events")).of(token, 0))?;
    let pieces = split::elements(body, list.range.clone()).map_err(|broken| {
        let why = format!("'events' is not a list: {} at byte {}", broken.why, broken.at);
        refuse(Problem::InvalidBody(why)).of(token, 0)
    })?;
    if pieces.len() > limits::NATIVE_EVENTS {
        let problem = Problem::TooMany { found: pieces.len(), limit: limits::NATIVE_EVENTS };
        return Err(refuse(problem).of(token, pieces.len()));
    }
    let sent_at = outer.value("sent_at").as_ref().and_then(time::of_value);
    let lane = match request.parameter("lane").as_deref() {
        Some("bulk") => Lane::Bulk,
        _ => Lane::Live,
    };
    let frame = Frame {
        body,
        token,
        wire: WireFormat::NativeV1,
        lane,
        received_at: request.received_at,
        context: Arc::new(RequestContext { sent_at, ..request.context() }),
    };
    let mut envelopes = Vec::with_capacity(pieces.len());
    let mut senders = Vec::with_capacity(pieces.len());
    let mut rejected = Vec::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        match sender(index, body, &piece) {
            Ok(sender) => {
                envelopes.push(frame.envelope(piece.range, sender.routing_key()));
                senders.push(sender);
            }
            Err(fault) => rejected.push(Rejected {
                index,
                code: fault.code.to_owned(),
                message: fault.message,
                field: Some(fault.field).filter(|f| !f.is_empty()),
            }),
        }
    }
    Ok(Parsed {
        token,
        lane,
        dialect: Dialect::Native,
        envelopes,
        senders,
        rejected,
        payload_bytes: body.len(),
        per_event: None,
        beacon: false,
    })
}

fn sender(index: usize, body: &[u8], piece: &Piece) -> Result<Sender, Fault> {
    let text = &body[piece.range.clone()];
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    let checked = Doc::understand(text, |doc| check(&doc.object()?))?;
    Ok(Sender { index, device: checked.device_id, user: checked.user_id })
}
