//! The pixel of Heap's classic browser script: one query that holds a page view, or several events of one page.
//!
//! | name | meaning | becomes |
//! |---|---|---|
//! | `a` | app id | the key |
//! | `u`, `i`, `s` | user id made up by the script, identity, session | device, user, session |
//! | `ts`, `st` | time of the event and of sending, ms | time, corrected for the sender's clock |
//! | `z` | 0 events, 1 page view | name: `$autocapture`, `Pageview`, else `heap z` |
//! | `d`, `h`, `q`, `g` | domain, path, query, hash | `domain`, `path`, `query`, `hash`, all together `$current_url` |
//! | `t`, `r`, `b`, `tv`, `v` | title, referrer, platform, version, page view | `title`, `$referrer`, `platform`, `tracker_version`, `pageview_id` |
//! | `scw`, `sch` | screen | `$screen_width`, `$screen_height` |
//! | `k`, `sp` | names and values in turn, of the event and of the session | properties, those of the session as `session.name` |
//! | `n`, `c`, `e`, `y` | tag, class, text, place of an element | `target_tag`, `target_class`, `target_text`, `hierarchy` |
//!
//! Each `n` begins an event; after the first one `h` is where the element leads to (`href`). What stands for all
//! events of a request is stored with each of them.

use crate::answer::{Problem, Refusal};
use crate::draft::{ClientTime, Draft};
use crate::json::{Doc, Fault};
use crate::request::{Frame, Parsed, Request};
use crate::{Dialect, Sender, credentials, limits, time, token_of};
use bytes::Bytes;
use form_urlencoded::Serializer;
use std::borrow::Cow;
use std::sync::Arc;
use tallymark_model::{DeadReason, Envelope, Event, Lane, Millis, RequestContext, Value, WireFormat};

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Names that belong to the event whose `n` came last.
const OF_EVENT: [&str; 7] = ["n", "c", "e", "y", "h", "k", "ts"];

/// Reads the query, or the body of a beacon that has none.
pub(super) fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    let refuse = |problem| Refusal::new(Dialect::Pixel, problem);
    let text = if request.query.is_empty() { &request.body[..] } else { request.query.as_bytes() };
    let pairs: Pairs<'_> = form_urlencoded::parse(text).collect();
    let key = last(&pairs, "a").and_then(credentials::clean).ok_or_else(|| refuse(Problem::MissingKey))?;
    let token = token_of(key);
    let events = split(&pairs);
    let count = events.len();
    if count > limits::HEAP_PIXEL_EVENTS {
        let problem = Problem::TooMany { found: count, limit: limits::HEAP_PIXEL_EVENTS };
        return Err(refuse(problem).of(token, count));
    }
    let mut stored = Vec::new();
    let mut ranges = Vec::with_capacity(count);
    for event in &events {
        let start = stored.len();
        let mut query = Serializer::new(String::new());
        query.extend_pairs(event);
        stored.extend_from_slice(Value::String(query.finish()).to_string().as_bytes());
        ranges.push(start..stored.len());
    }
    let stored = Bytes::from(stored);
    let sent_at = last(&pairs, "st").and_then(|st| st.parse::<Millis>().ok()).and_then(time::in_range);
    let frame = Frame {
        body: &stored,
        token,
        wire: WireFormat::HeapPixel,
        lane: Lane::Live,
        received_at: request.received_at,
        context: Arc::new(RequestContext { sent_at, ..request.context() }),
    };
    let sender = |index| Sender::of(index, last(&pairs, "u"), last(&pairs, "i"), 1);
    let senders: Vec<Sender> = (0..count).map(sender).collect();
    let envelopes = ranges.into_iter().zip(&senders).map(|(range, s)| frame.envelope(range, s.routing_key()));
    Ok(Parsed {
        token,
        lane: Lane::Live,
        dialect: Dialect::Pixel,
        envelopes: envelopes.collect(),
        senders,
        rejected: Vec::new(),
        payload_bytes: text.len(),
        per_event: None,
        beacon: false,
    })
}

/// The events: what stands for all of them, and each one's own.
fn split<'a>(pairs: &Pairs<'a>) -> Vec<Pairs<'a>> {
    let mut shared = Pairs::new();
    let mut own: Vec<Pairs<'a>> = Vec::new();
    for pair in pairs {
        let name = pair.0.as_ref();
        if name == "n" {
            own.push(Pairs::new());
        }
        match own.last_mut() {
            Some(event) if OF_EVENT.contains(&name) => event.push(pair.clone()),
            _ => shared.push(pair.clone()),
        }
    }
    if own.is_empty() {
        return vec![shared];
    }
    own.into_iter().map(|event| shared.iter().cloned().chain(event).collect()).collect()
}

fn last<'a>(pairs: &'a Pairs<'_>, name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_ref())
}

/// Decodes one event of the pixel.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let Value::String(query) = doc.value() else {
        return Err(Fault::field("invalid_event", "", "the event is not a query in a JSON string"));
    };
    let pairs: Pairs<'_> = form_urlencoded::parse(query.as_bytes()).collect();
    let mut draft = Draft::new(envelope, doc);
    let is_element = last(&pairs, "n").is_some();
    draft.name(match last(&pairs, "z") {
        _ if is_element => "$autocapture".to_owned(),
        None | Some("" | "0") => "$autocapture".to_owned(),
        Some("1") => "Pageview".to_owned(),
        Some(other) => format!("heap {other}"),
    });
    draft.event.device_id = draft.id(last(&pairs, "u"), 1);
    draft.event.user_id = draft.id(last(&pairs, "i"), 1);
    draft.session_id(last(&pairs, "s").map(str::to_owned));
    let client = match last(&pairs, "ts") {
        None => ClientTime::Absent,
        Some(ts) => ts.parse().ok().and_then(time::in_range).map_or(ClientTime::Unusable, ClientTime::At),
    };
    draft.time(client, envelope.context.sent_at);
    properties(&mut draft, &pairs);
    Ok(draft.event)
}

fn properties(draft: &mut Draft<'_>, pairs: &Pairs<'_>) {
    let mut add = |name: &str, value: &str| {
        draft
            .event
            .properties
            .insert(name.replace('\0', "\u{fffd}"), Value::from(value.replace('\0', "\u{fffd}")));
    };
    let (mut element, mut place) = (false, [""; 4]);
    let (mut key_of_event, mut key_of_session) = (None, None);
    for (name, value) in pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        match name {
            "a" | "u" | "i" | "s" | "ts" | "st" | "z" => {}
            "k" => match key_of_event.take() {
                None => key_of_event = Some(value),
                Some(key) => add(key, value),
            },
            "sp" => match key_of_session.take() {
                None => key_of_session = Some(value),
                Some(key) => add(&format!("session.{key}"), value),
            },
            "h" if element => add("href", value),
            _ => {
                element |= name == "n";
                if let Some(part) = ["d", "h", "q", "g"].iter().position(|part| *part == name) {
                    place[part] = value;
                }
                add(property(name), value);
            }
        }
    }
    if !place[0].is_empty() {
        add("$current_url", &format!("https://{}", place.concat()));
    }
}

/// The property that a name stands for; others keep theirs.
fn property(name: &str) -> &str {
    match name {
        "d" => "domain",
        "h" => "path",
        "q" => "query",
        "g" => "hash",
        "t" => "title",
        "r" => "$referrer",
        "b" => "platform",
        "tv" => "tracker_version",
        "v" => "pageview_id",
        "scw" => "$screen_width",
        "sch" => "$screen_height",
        "n" => "target_tag",
        "c" => "target_class",
        "e" => "target_text",
        "y" => "hierarchy",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_begins_an_event_and_the_rest_is_shared() {
        let pairs: Pairs<'_> =
            form_urlencoded::parse(b"a=1&h=/p&n=a&c=x&h=/to&n=button&e=Buy&st=9&ts=7").collect();
        let events: Vec<String> = split(&pairs)
            .into_iter()
            .map(|event| event.iter().map(|(n, v)| format!("{n}={v} ")).collect())
            .collect();
        assert_eq!(events, ["a=1 h=/p st=9 n=a c=x h=/to ", "a=1 h=/p st=9 n=button e=Buy ts=7 "]);
        let page: Pairs<'_> = form_urlencoded::parse(b"a=1&z=1&ts=7").collect();
        assert_eq!(split(&page), [page]);
    }
}
