//! Amplitude requests to envelopes: all events of a request, or none.

use super::check::{Checks, Item, MIN_ID_LENGTH};
use super::decode::USERMAP;
use super::form::Fields;
use crate::answer::{Problem, Refusal};
use crate::call::AmplitudeCall;
use crate::json::Doc;
use crate::request::{Frame, Parsed, Request};
use crate::split::{self, Outer};
use crate::{Call, Dialect, credentials, limits, time, token_of};
use bytes::Bytes;
use std::sync::Arc;
use tallymark_model::{Lane, Millis, ProjectToken, RequestContext, Value, WireFormat};

/// One request after its credentials and its list of items are found.
struct Batch<'a> {
    token: ProjectToken,
    dialect: Dialect,
    text: &'a Bytes,
    item: Item,
    wire: WireFormat,
    lane: Lane,
    sent_at: Option<Millis>,
    min_id_length: Option<u32>,
    call: Option<&'static str>,
}

/// Reads every Amplitude route but `/batch`, whose body was looked at to tell it from PostHog's.
pub(crate) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    match request.call {
        Call::Amplitude(AmplitudeCall::HttpV2) | Call::SharedBatch => {
            let outer = Outer::parse(&request.body).map_err(|broken| {
                let why = format!("{} at byte {}", broken.why, broken.at);
                Refusal::new(Dialect::Amplitude, Problem::InvalidBody(why))
            })?;
            read_events(request, &outer)
        }
        Call::Amplitude(AmplitudeCall::HttpV1) => read_form(request, "event", Item::Event),
        Call::Amplitude(AmplitudeCall::GroupIdentify) => {
            read_form(request, "identification", Item::GroupIdentification)
        }
        Call::Amplitude(AmplitudeCall::UserMap) => read_form(request, "mapping", Item::Mapping),
        Call::Amplitude(AmplitudeCall::Legacy) => read_form(request, "e", Item::Event),
        _ => read_form(request, "identification", Item::Identification),
    }
}

/// Reads `/2/httpapi` and `/batch`.
pub(crate) fn read_events(request: &Request<'_>, outer: &Outer<'_>) -> Result<Parsed, Refusal> {
    let dialect = Dialect::Amplitude;
    let key = outer.text_of(&["api_key"]).or_else(|| credentials::of_authorization(request.authorization));
    let token = token(key.as_deref(), dialect)?;
    let events = outer
        .get("events")
        .ok_or_else(|| Refusal::new(dialect, Problem::MissingMember("events")).of(token, 0))?;
    let text = outer.text.slice(events.range.clone());
    let batch = Batch {
        token,
        dialect,
        text: &text,
        item: Item::Event,
        wire: WireFormat::AmplitudeV2,
        lane: if request.call == Call::SharedBatch { Lane::Bulk } else { Lane::Live },
        sent_at: outer.value("client_upload_time").as_ref().and_then(time::of_value),
        min_id_length: outer.value("options").as_ref().and_then(min_id_length),
        call: None,
    };
    batch.read(request)
}

fn read_form(request: &Request<'_>, member: &'static str, item: Item) -> Result<Parsed, Refusal> {
    let dialect = Dialect::AmplitudeText;
    let mut fields = Fields::parse(&request.body);
    if item == Item::Mapping && fields.get(member).is_none() {
        // The documentation shows the fields in the query of a POST without a body.
        fields = Fields::parse(&Bytes::copy_from_slice(request.query.as_bytes()));
    }
    let key = fields.text("api_key").or_else(|| fields.text("client")).map(str::to_owned);
    let key = key.or_else(|| credentials::of_authorization(request.authorization));
    let token = token(key.as_deref(), dialect)?;
    let text = fields
        .get(member)
        .ok_or_else(|| Refusal::new(dialect, Problem::MissingMember(member)).of(token, 0))?;
    // Segment sends `options=undefined`: options that are not JSON are ignored.
    let options = fields.get("options").and_then(|text| Doc::parse(text).ok()).map(|doc| doc.value());
    let legacy = request.call == Call::Amplitude(AmplitudeCall::Legacy);
    let batch = Batch {
        token,
        dialect,
        text,
        item,
        wire: if item == Item::Event { WireFormat::AmplitudeV1 } else { WireFormat::AmplitudeIdentify },
        lane: Lane::Live,
        sent_at: fields.text("upload_time").and_then(time::parse),
        min_id_length: options.as_ref().and_then(min_id_length).or(legacy.then_some(1)),
        call: match item {
            Item::GroupIdentification => Some("groupidentify"),
            Item::Mapping => Some(USERMAP),
            _ => None,
        },
    };
    batch.read(request)
}

fn token(key: Option<&str>, dialect: Dialect) -> Result<ProjectToken, Refusal> {
    let key = key.and_then(credentials::clean).ok_or_else(|| Refusal::new(dialect, Problem::MissingKey))?;
    Ok(token_of(key))
}

fn min_id_length(options: &Value) -> Option<u32> {
    options.get("min_id_length")?.as_u64().and_then(|n| u32::try_from(n).ok())
}

impl Batch<'_> {
    fn read(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        let refuse = |problem, events| Refusal::new(self.dialect, problem).of(self.token, events);
        // A single item may come without a list around it.
        let pieces = match split::first_byte(self.text) {
            Some(b'{') => vec![split::Piece { range: 0..self.text.len(), depth: 0 }],
            _ => split::elements(self.text, 0..self.text.len()).map_err(|broken| {
                refuse(Problem::InvalidBody(format!("{} at byte {} of the events", broken.why, broken.at)), 0)
            })?,
        };
        let limit = match self.item {
            Item::Event | Item::Mapping => limits::AMPLITUDE_EVENTS,
            _ => limits::AMPLITUDE_IDENTIFICATIONS,
        };
        if pieces.len() > limit {
            return Err(refuse(Problem::TooMany { found: pieces.len(), limit }, pieces.len()));
        }
        if pieces.iter().any(|piece| piece.range.len() > limits::EVENT_BYTES) {
            // 413 makes the SDKs halve the batch until only the large event is dropped.
            let problem = Problem::TooLarge { limit: limits::EVENT_BYTES, decoded: true };
            return Err(refuse(problem, pieces.len()));
        }
        let frame = Frame {
            body: self.text,
            token: self.token,
            wire: self.wire,
            lane: self.lane,
            received_at: request.received_at,
            context: Arc::new(RequestContext {
                sent_at: self.sent_at,
                min_id_length: self.min_id_length,
                call: self.call.map(str::to_owned),
                ..request.context()
            }),
        };
        let mut checks = Checks::default();
        let mut envelopes = Vec::with_capacity(pieces.len());
        let mut senders = Vec::with_capacity(pieces.len());
        for (index, piece) in pieces.into_iter().enumerate() {
            let text = &self.text[piece.range.clone()];
            match Doc::parse(text) {
                Ok(doc) => {
                    let min = self.min_id_length.unwrap_or(MIN_ID_LENGTH);
                    let mut sender = checks.item(index, &doc, self.item, min);
                    // Ids that are unusual numbers are read as decoding will read them.
                    if doc.is_doubtful(text)
                        && let Ok(exact) = Doc::parse_exactly(text)
                    {
                        sender = Checks::default().item(index, &exact, self.item, min);
                    }
                    envelopes.push(frame.envelope(piece.range, sender.routing_key()));
                    senders.push(sender);
                }
                Err(fault) => checks.unreadable(index, &fault),
            }
        }
        if !checks.lists.is_empty() {
            // The SDKs resend the others at once, so only these stay behind.
            let faulty = checks.faulty();
            return Err(refuse(Problem::InvalidEvents(checks.lists), faulty));
        }
        Ok(Parsed {
            token: self.token,
            lane: self.lane,
            dialect: self.dialect,
            envelopes,
            senders,
            rejected: Vec::new(),
            payload_bytes: request.body.len(),
            per_event: None,
            beacon: false,
        })
    }
}
