//! What the collector writes: the client's bytes for one event, plus what the collector alone can know.

use crate::{Control, Lane, Millis, ProjectToken, Shard};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Protocol and version of the bytes in an [`Envelope`], so that a fixed parser can replay old bytes.
/// The numbers are persisted: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum WireFormat {
    /// An element of `events` of `POST /api/v1/events`.
    NativeV1 = 1,
    /// An Amplitude HTTP V2 / Batch event.
    AmplitudeV2 = 2,
    /// An Amplitude HTTP V1 event (`/httpapi`).
    AmplitudeV1 = 3,
    /// An item of Amplitude `/identify`.
    AmplitudeIdentify = 4,
    /// A PostHog v0 capture event.
    PosthogV0 = 5,
    /// A Segment message.
    SegmentV1 = 6,
    /// A PostHog v1 analytics event.
    PosthogV1 = 7,
    /// An event of an mParticle batch, or what the batch says about its person.
    Mparticle = 8,
    /// An event of Braze Currents, or an item of `/users/track`.
    Braze = 9,
    /// A Mixpanel event of `/track` or `/import`.
    MixpanelEvent = 10,
    /// A Mixpanel change of a person (`/engage`) or a group (`/groups`).
    MixpanelProfile = 11,
    /// A call of Heap's server API, or one item of it.
    Heap = 12,
    /// One event of a request of Heap's browser script: its part of the query, as a JSON string.
    HeapPixel = 13,
}

impl WireFormat {
    /// The format with this persisted number.
    pub fn from_u8(n: u8) -> Option<WireFormat> {
        use WireFormat::*;
        [
            NativeV1,
            AmplitudeV2,
            AmplitudeV1,
            AmplitudeIdentify,
            PosthogV0,
            SegmentV1,
            PosthogV1,
            Mparticle,
            Braze,
            MixpanelEvent,
            MixpanelProfile,
            Heap,
            HeapPixel,
        ]
        .into_iter()
        .find(|f| *f as u8 == n)
    }
}

/// What belongs to the request rather than to one event, kept because decoding needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestContext {
    /// The client's idea of "now" when it sent (`client_upload_time`, `sent_at`, `sentAt`), ms UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Millis>,
    /// Address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// `User-Agent` header, at most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Amplitude `options.min_id_length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_id_length: Option<u32>,
    /// The message type where the path, not the body, says it (Segment `/v1/track`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Batch-level JSON object that merges under each item (Segment batch `context`), as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
}

/// One client event, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whose event: unresolved, hashed.
    pub token: ProjectToken,
    /// How to read `body`.
    pub wire: WireFormat,
    /// Which lane it was sent to.
    pub lane: Lane,
    /// Routing key: device id, else user id, else empty; decides the partition together with the token.
    pub key: String,
    /// When the server received it, ms UTC; never decreases within a collector.
    pub received_at: Millis,
    /// What the request said once for all its events.
    pub context: Arc<RequestContext>,
    /// The client's bytes for this event (a JSON value).
    pub body: bytes::Bytes,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A client event.
    Event(Envelope),
    /// A rule or a note.
    Control {
        /// Where it goes, or was read.
        shard: Shard,
        /// What it says.
        control: Control,
    },
}
