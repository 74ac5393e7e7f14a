//! mParticle batches to envelopes: one per event, and one for what a batch says about its person.

use super::decode;
use crate::answer::{Problem, Refusal};
use crate::call::MparticleCall;
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Request};
use crate::split::{self, Piece};
use crate::{Call, Dialect, Sender, credentials, limits, token_of};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tallymark_model::{Envelope, ProjectToken, RequestContext, WireFormat};

const DIALECT: Dialect = Dialect::Mparticle;
/// Most batches of one request.
const BATCHES: usize = 100;
/// Largest part of a batch beside its events and attributes; it is stored with every event.
const SHARED_BYTES: usize = 64 * 1024;

/// What was read so far.
struct Reading<'a> {
    request: &'a Request<'a>,
    token: ProjectToken,
    envelopes: Vec<Envelope>,
    senders: Vec<Sender>,
    events: usize,
    faults: usize,
    first: Option<Fault>,
}

/// Reads one batch or a list of them.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let body = &request.body;
    let refuse = |problem| Refusal::new(DIALECT, problem);
    let broken = |broken: split::Broken| {
        refuse(Problem::InvalidBody(format!("not an mParticle batch: {} at byte {}", broken.why, broken.at)))
    };
    let pieces = match split::first_byte(body) {
        Some(b'[') => split::elements(body, 0..body.len()).map_err(broken)?,
        _ => vec![Piece { range: 0..body.len(), depth: 0 }],
    };
    if pieces.len() > BATCHES {
        return Err(refuse(Problem::TooMany { found: pieces.len(), limit: BATCHES }));
    }
    let batches: Vec<Vec<(Range<usize>, Piece)>> = pieces
        .into_iter()
        .map(|piece| split::members(body, piece.range).map_err(broken))
        .collect::<Result<_, _>>()?;
    let key = credential(request, batches.first()).ok_or_else(|| refuse(Problem::MissingKey))?;
    let mut reading = Reading {
        request,
        token: token_of(&key),
        envelopes: Vec::new(),
        senders: Vec::new(),
        events: 0,
        faults: 0,
        first: None,
    };
    for batch in &batches {
        let before = reading.events;
        reading.batch(batch).map_err(|problem| refuse(problem).of(reading.token, before.max(1)))?;
    }
    if let Some(fault) = reading.first.take()
        && reading.faults == reading.events
    {
        return Err(refuse(Problem::InvalidEvent(fault.message)).of(reading.token, reading.events));
    }
    Ok(Parsed {
        token: reading.token,
        lane: request.call.lane(),
        dialect: DIALECT,
        envelopes: reading.envelopes,
        senders: reading.senders,
        rejected: Vec::new(),
        payload_bytes: body.len(),
        per_event: None,
        beacon: false,
    })
}

impl Reading<'_> {
    fn batch(&mut self, members: &[(Range<usize>, Piece)]) -> Result<(), Problem> {
        let body = &self.request.body;
        let invalid = |why: String| Problem::InvalidBody(why);
        let without = |left_out: &[&str]| object_of(body, members, left_out);
        let shared = without(&["events", "user_attributes", "deleted_user_attributes"]);
        if shared.len() > SHARED_BYTES {
            return Err(invalid(format!(
                "a batch says more than {SHARED_BYTES} bytes beside its events and attributes"
            )));
        }
        let (ids, batch_id) = Doc::understand(shared.as_bytes(), |doc| {
            let says = doc.object()?;
            let names = ["source_request_id", "message_id"];
            let id =
                names.iter().find_map(|name| says.get(name)?.to_text().filter(|id| !id.trim().is_empty()));
            Ok((decode::ids(&says), id))
        })
        .map_err(|fault| invalid(fault.message))?;
        let context = |call: Option<String>| {
            Arc::new(RequestContext { call, shared: Some(shared.clone()), ..self.request.context() })
        };
        let sender = |index| Sender::of(index, ids.device.as_deref(), ids.user.as_deref(), 1);
        let profile = object_of(body, members, &["events"]);
        if decode::has_profile(&profile).map_err(|fault| invalid(fault.message))? {
            if profile.len() > limits::EVENT_BYTES {
                return Err(Problem::TooLarge { limit: limits::EVENT_BYTES, decoded: true });
            }
            let context =
                Arc::new(RequestContext { call: Some(decode::PROFILE.to_owned()), ..self.request.context() });
            self.take(Bytes::from(profile), sender(self.envelopes.len()), context);
        }
        let events = members.iter().rev().find(|(key, _)| &body[key.clone()] == b"\"events\"");
        let pieces = match events.map(|(_, piece)| piece.range.clone()) {
            Some(range) if body[range.start] == b'[' => split::elements(body, range)
                .map_err(|broken| invalid(format!("{} at byte {} of the events", broken.why, broken.at)))?,
            Some(range) if &body[range.clone()] != b"null" => {
                return Err(invalid("'events' of a batch is not a list".into()));
            }
            _ => Vec::new(),
        };
        if self.events + pieces.len() > limits::VENDOR_EVENTS {
            let found = self.events + pieces.len();
            return Err(Problem::TooMany { found, limit: limits::VENDOR_EVENTS });
        }
        let plain = context(None);
        for (place, piece) in pieces.into_iter().enumerate() {
            self.events += 1;
            let text = body.slice(piece.range);
            let has_id = match look(&text) {
                Ok(has_id) => has_id,
                Err(fault) => {
                    self.faults += 1;
                    self.first.get_or_insert(fault);
                    true
                }
            };
            let context = match &batch_id {
                Some(_) if !has_id => context(Some(place.to_string())),
                _ => Arc::clone(&plain),
            };
            self.take(text, sender(self.envelopes.len()), context);
        }
        Ok(())
    }

    fn take(&mut self, text: Bytes, sender: Sender, context: Arc<RequestContext>) {
        let frame = Frame {
            body: &text,
            token: self.token,
            wire: WireFormat::Mparticle,
            lane: self.request.call.lane(),
            received_at: self.request.received_at,
            context,
        };
        self.envelopes.push(frame.envelope(0..text.len(), sender.routing_key()));
        self.senders.push(sender);
    }
}

/// True if the event has an id of its own; its fault, if it can never become an event.
fn look(text: &[u8]) -> Result<bool, Fault> {
    if text.len() > limits::EVENT_BYTES {
        let message = format!("the event has {} bytes, more than {}", text.len(), limits::EVENT_BYTES);
        return Err(Fault { code: "event_too_large", field: String::new(), message });
    }
    Doc::understand(text, |doc| {
        let event = doc.object()?;
        let data = event.get("data").and_then(|v| v.as_object());
        decode::name(&event, data.as_ref())?;
        Ok(decode::own_id(data.as_ref())?.is_some())
    })
}

/// The members of a batch but for some, as one JSON object of the client's bytes.
fn object_of(body: &[u8], members: &[(Range<usize>, Piece)], left_out: &[&str]) -> String {
    let mut out = String::from("{");
    for (key, piece) in members {
        let name = &body[key.start + 1..key.end - 1];
        if left_out.iter().any(|left_out| left_out.as_bytes() == name) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&String::from_utf8_lossy(&body[key.clone()]));
        out.push(':');
        out.push_str(&String::from_utf8_lossy(&body[piece.range.clone()]));
    }
    out.push('}');
    out
}

fn credential(request: &Request<'_>, batch: Option<&Vec<(Range<usize>, Piece)>>) -> Option<String> {
    let of_path = || {
        let mut parts = request.path.trim_end_matches('/').rsplit('/');
        match request.call {
            Call::Mparticle(MparticleCall::Web) => parts.nth(1).map(str::to_owned),
            _ => None,
        }
    };
    let of_batch = || {
        let (_, piece) = batch?.iter().rev().find(|(key, _)| &request.body[key.clone()] == b"\"api_key\"")?;
        Doc::parse(&request.body[piece.range.clone()]).ok()?.value().as_str().map(str::to_owned)
    };
    let key = of_path()
        .or_else(|| credentials::of_authorization(request.authorization))
        .or_else(|| request.parameter("key"))
        .or_else(of_batch)?;
    credentials::clean(&key).map(str::to_owned)
}
