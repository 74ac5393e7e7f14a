//! What must hold of every request, however broken.

use super::Case;
use bytes::Bytes;
use serde_json::Value;
use tallymark_model::{Envelope, Event, PropertyOp};
use tallymark_wire::body::{Packing, decode as unpack};
use tallymark_wire::{Call, HEADERS, Parsed, Request, Sender, decode, limits, read};

const RECEIVED_AT: i64 = 1_795_220_540_000;
/// Years 1 to 9999.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Runs one request; the sentence says what is wrong.
pub fn check(case: &Case) -> Result<(), String> {
    let Some(call) = Call::of_path(&case.path) else { return Ok(()) };
    let header = |name: &str| case.headers.get(name).and_then(Value::as_str);
    let headers: Vec<(&'static str, String)> =
        HEADERS.into_iter().filter_map(|name| Some((name, header(name)?.to_owned()))).collect();
    let raw = if case.body.is_empty() { case.query.as_bytes() } else { &case.body };
    let packing = Packing { content_encoding: header("content-encoding"), query: &case.query };
    let Ok(decoded) = unpack(Bytes::copy_from_slice(raw), packing, call.decoded_limit()) else {
        return Ok(());
    };
    holds(decoded.body.len() <= call.decoded_limit(), || "the body outgrew its limit".into())?;
    let request = Request {
        call,
        path: &case.path,
        query: &case.query,
        authorization: header("authorization"),
        sent_at: header("sentat"),
        user_agent: header("user-agent"),
        headers: &headers,
        form_key: decoded.form_key,
        form: decoded.form,
        ip: Some("192.0.2.7".into()),
        body: decoded.body,
        received_at: RECEIVED_AT,
    };
    match read(&request) {
        Ok(parsed) => understood(&request, &parsed),
        Err(refusal) => {
            let answer = refusal.answer();
            holds((400..=503).contains(&answer.status), || format!("refused with {}", answer.status))?;
            holds(!answer.body.is_empty(), || "refused without a word".into())
        }
    }
}

fn understood(request: &Request<'_>, parsed: &Parsed) -> Result<(), String> {
    let count = parsed.envelopes.len();
    holds(parsed.senders.len() == count, || "an event without a sender".into())?;
    let indexes = parsed.senders.iter().map(|sender| sender.index);
    holds(indexes.is_sorted(), || "events changed places".into())?;
    for (envelope, sender) in parsed.envelopes.iter().zip(&parsed.senders) {
        verbatim(request, envelope)?;
        holds(envelope.token == parsed.token && envelope.lane == parsed.lane, || {
            "an event of another project or lane".into()
        })?;
        holds(envelope.key.len() <= limits::ID_BYTES, || "a routing key is too long".into())?;
        let (once, again) = (decode(envelope), decode(envelope));
        holds(once == again, || format!("decoding is not deterministic: {once:?} {again:?}"))?;
        match once {
            Ok(event) => sound(&event, envelope, sender)?,
            Err(reason) => {
                let fine =
                    !reason.code.is_empty() && !reason.message.is_empty() && reason.message.len() < 1500;
                holds(fine, || format!("a bad reason: {reason:?}"))?;
                holds(request.call != Call::Native, || format!("accepted, and then dead: {reason:?}"))?;
            }
        }
    }
    let answer = parsed.answer(count, "receipt", Some(true), RECEIVED_AT);
    let fine = matches!(answer.status, 200..=204) || (answer.status == 400 && parsed.per_event.is_some());
    holds(fine, || format!("accepted with {}", answer.status))
}

/// The log holds the client's bytes: a part of the body, or what a room wrote from a query, which is JSON.
fn verbatim(request: &Request<'_>, envelope: &Envelope) -> Result<(), String> {
    let (body, event) = (request.body.as_ptr_range(), envelope.body.as_ptr_range());
    let inside = body.start <= event.start && event.end <= body.end;
    let own = || serde_json::from_slice::<serde::de::IgnoredAny>(&envelope.body).is_ok();
    holds(inside || own(), || "an envelope's bytes are neither of the body nor JSON".into())
}

fn sound(event: &Event, envelope: &Envelope, sender: &Sender) -> Result<(), String> {
    let found = (event.device_id.as_ref(), event.user_id.as_ref());
    let seen = (sender.device.as_ref(), sender.user.as_ref());
    holds(found == seen, || format!("the door saw {seen:?}, decoding found {found:?}"))?;
    let key = event.device_id.as_ref().or(event.user_id.as_ref()).map_or("", String::as_str);
    holds(envelope.key == key, || format!("routed by {:?}, decoded as {key:?}", envelope.key))?;
    holds(!event.name.trim().is_empty(), || "an event without a name".into())?;
    holds(event.name.chars().count() <= limits::NAME_CHARS, || "the name is too long".into())?;
    let ids = [&event.user_id, &event.device_id, &event.insert_id, &event.session_id];
    let long = ids.into_iter().flatten().any(|id| id.is_empty() || id.len() > limits::ID_BYTES);
    holds(!long, || format!("an id is empty or too long: {ids:?}"))?;
    let persons = [&event.user_id, &event.device_id];
    let garbage = persons.into_iter().flatten().any(|id| tallymark_wire::ids::is_garbage(id));
    holds(!garbage, || format!("a garbage id names somebody: {persons:?}"))?;
    holds(TIMES.contains(&event.time), || format!("no time: {}", event.time))?;
    let of_groups = event.group_ops.iter().map(|(_, _, op)| op);
    let operands = event.person_ops.iter().chain(of_groups).map(|op: &PropertyOp| &op.value);
    let deep = event.properties.values().chain(operands).any(|value| depth(value) > limits::DEPTH);
    holds(!deep, || "a value is nested too deep".into())?;
    let written = serde_json::to_value(event).map_err(|error| format!("cannot be written: {error}"))?;
    let same =
        serde_json::from_value::<Event>(written).map_err(|error| format!("cannot be read: {error}"))?;
    holds(&same == event, || "writing and reading changed the event".into())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn holds(fine: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if fine { Ok(()) } else { Err(why()) }
}
