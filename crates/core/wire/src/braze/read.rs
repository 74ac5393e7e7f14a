//! Braze requests to envelopes.

use super::decode;
use crate::answer::{Problem, Refusal};
use crate::call::BrazeCall;
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Request};
use crate::split::{self, Outer, Piece};
use crate::{Call, Sender, credentials, limits, token_of};
use serde_json::{Map, json};
use std::sync::Arc;
use tallymark_model::{RequestContext, Value, WireFormat};

/// Reads events of Currents, or a `/users/track` call.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let dialect = request.call.dialect();
    let refuse = |problem| Refusal::new(dialect, problem);
    let body = &request.body;
    let broken = |broken: split::Broken| {
        refuse(Problem::InvalidBody(format!("not events of Braze: {} at byte {}", broken.why, broken.at)))
    };
    let key = credentials::of_authorization(request.authorization).or_else(|| request.parameter("key"));
    let key = key.as_deref().and_then(credentials::clean).ok_or_else(|| refuse(Problem::MissingKey))?;
    let token = token_of(key);
    let lists: Vec<(Option<&'static str>, Vec<Piece>)> = if request.call == Call::Braze(BrazeCall::Track) {
        let outer = Outer::parse(body).map_err(broken)?;
        let mut lists = Vec::new();
        for name in decode::LISTS {
            if let Some(list) = outer.get(name) {
                lists.push((Some(name), split::elements(body, list.range.clone()).map_err(broken)?));
            }
        }
        lists
    } else if split::first_byte(body) == Some(b'[') {
        vec![(None, split::elements(body, 0..body.len()).map_err(broken)?)]
    } else {
        let outer = Outer::parse(body).map_err(broken)?;
        let list =
            outer.get("events").ok_or_else(|| refuse(Problem::MissingMember("events")).of(token, 0))?;
        vec![(None, split::elements(body, list.range.clone()).map_err(broken)?)]
    };
    let count = lists.iter().map(|(_, pieces)| pieces.len()).sum();
    if count > limits::VENDOR_EVENTS {
        let problem = Problem::TooMany { found: count, limit: limits::VENDOR_EVENTS };
        return Err(refuse(problem).of(token, count));
    }
    if lists.is_empty() {
        return Err(refuse(Problem::MissingMember("events")).of(token, 0));
    }
    let mut counts = Map::new();
    let mut first = None;
    let mut faults = 0;
    let (mut envelopes, mut senders) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (list, pieces) in lists {
        if let Some(list) = list {
            counts.insert(format!("{list}_processed"), json!(pieces.len()));
        }
        let frame = Frame {
            body,
            token,
            wire: WireFormat::Braze,
            lane: request.call.lane(),
            received_at: request.received_at,
            context: Arc::new(RequestContext { call: list.map(str::to_owned), ..request.context() }),
        };
        for piece in pieces {
            let index = envelopes.len();
            let sender = look(index, &body[piece.range.clone()], list).unwrap_or_else(|fault| {
                faults += 1;
                first.get_or_insert(fault);
                Sender::nobody(index)
            });
            envelopes.push(frame.envelope(piece.range, sender.routing_key()));
            senders.push(sender);
        }
    }
    if let Some(fault) = first
        && faults == count
    {
        return Err(refuse(Problem::InvalidEvent(fault.message)).of(token, count));
    }
    Ok(Parsed {
        token,
        lane: request.call.lane(),
        dialect,
        envelopes,
        senders,
        rejected: Vec::new(),
        payload_bytes: body.len(),
        per_event: Some(Value::Object(counts)),
        beacon: false,
    })
}

fn look(index: usize, text: &[u8], list: Option<&str>) -> Result<Sender, Fault> {
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    let ids = Doc::understand(text, |doc| {
        let event = doc.object()?;
        decode::name(&event, list)?;
        decode::ids(&event, list)
    })?;
    Ok(Sender::of(index, ids.device.as_deref(), ids.user.as_deref(), 1))
}
