//! Protocols in: native, Amplitude, PostHog, Segment, Mixpanel, Heap, mParticle, Braze; request bytes to envelopes,
//! envelopes to events.
//!
//! Two halves, one room per protocol:
//! * [`read`] turns one decoded request into [`Parsed`]: whose it is, its events as envelopes with the client's
//!   bytes verbatim, and what was refused. The collector calls it, and looks no deeper than it must to split,
//!   validate and route.
//! * [`decode`] turns one [`Envelope`] into an [`Event`]. The processor calls it, also for envelopes written by
//!   an older version, so the meaning of a [`WireFormat`] never changes.
//!
//! Guarantees: pure functions, no I/O, no clock, no panic on any input, no recursion deeper than
//! [`limits::DEPTH`]. A fault of one event stays with that event.
//! Deliberately not here: HTTP (the collector), projects and settings (the processor).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod amplitude;
pub mod answer;
pub mod body;
mod braze;
pub mod call;
mod credentials;
mod draft;
pub mod heap;
pub mod ids;
mod json;
pub mod limits;
pub mod mixpanel;
pub mod mparticle;
pub mod native;
mod ops;
pub mod posthog;
mod request;
pub mod segment;
mod sender;
mod split;
mod throttled;
mod time;

pub use answer::{Answer, Refusal};
pub use call::{Call, Dialect};
pub use credentials::{token_before_body, token_of};
pub use json::Fault;
pub use request::{HEADERS, Parsed, Rejected, Request};
pub use sender::Sender;
pub use throttled::Throttled;

use tallymark_model::{DeadReason, Envelope, Event, WireFormat};

/// Reads one request: splits it into envelopes, or says in the vendor's own shape why not.
pub fn read(request: &Request<'_>) -> Result<Parsed, Refusal> {
    match request.call {
        Call::Native => native::read(request),
        Call::SharedBatch => match split::Outer::parse(&request.body) {
            Ok(outer) if outer.get("events").is_some() && outer.get("batch").is_none() => {
                amplitude::read_events(request, &outer)
            }
            _ => posthog::read(request),
        },
        Call::SharedTrack if mixpanel::is_track(&request.body) => mixpanel::read(request),
        Call::SharedTrack => {
            posthog::read(&Request { call: Call::Posthog(call::PosthogCall::Capture), ..request.clone() })
        }
        Call::SharedEngage if mixpanel::is_engage(&request.body) => mixpanel::read(request),
        Call::SharedEngage => {
            posthog::read(&Request { call: Call::Posthog(call::PosthogCall::Engage), ..request.clone() })
        }
        Call::Mixpanel(_) => mixpanel::read(request),
        Call::Heap(_) => heap::read(request),
        Call::Posthog(call::PosthogCall::V1) => posthog::read_v1(request),
        Call::Posthog(_) => posthog::read(request),
        Call::Mparticle(_) => mparticle::read(request),
        Call::Braze(_) => braze::read(request),
        Call::Amplitude(_) => amplitude::read(request),
        Call::Segment(_) => segment::read(request),
    }
}

/// Decodes one envelope, or says why it can never become an event.
pub fn decode(envelope: &Envelope) -> Result<Event, DeadReason> {
    if envelope.body.len() > limits::EVENT_BYTES {
        return Err(DeadReason::new(
            "event_too_large",
            format!("the event has {} bytes, more than {}", envelope.body.len(), limits::EVENT_BYTES),
        ));
    }
    let doc = json::Doc::parse(&envelope.body).map_err(|fault| fault.dead())?;
    let event = decode_document(envelope, &doc);
    if !doc.is_doubtful(&envelope.body) {
        return event;
    }
    let doc = json::Doc::parse_exactly(&envelope.body).map_err(|fault| fault.dead())?;
    decode_document(envelope, &doc)
}

fn decode_document(envelope: &Envelope, doc: &json::Doc) -> Result<Event, DeadReason> {
    match envelope.wire {
        WireFormat::NativeV1 => native::decode(envelope, doc),
        WireFormat::AmplitudeV2 | WireFormat::AmplitudeV1 => amplitude::decode(envelope, doc),
        WireFormat::AmplitudeIdentify => amplitude::decode_identification(envelope, doc),
        WireFormat::PosthogV0 => posthog::decode(envelope, doc),
        WireFormat::SegmentV1 => segment::decode(envelope, doc),
        WireFormat::MixpanelEvent => mixpanel::decode_event(envelope, doc),
        WireFormat::MixpanelProfile => mixpanel::decode_profile(envelope, doc),
        WireFormat::Heap => heap::decode(envelope, doc),
        WireFormat::HeapPixel => heap::decode_pixel(envelope, doc),
        WireFormat::PosthogV1 => posthog::decode(envelope, doc),
        WireFormat::Mparticle => mparticle::decode(envelope, doc),
        WireFormat::Braze => braze::decode(envelope, doc),
    }
}
