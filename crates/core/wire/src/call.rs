//! Which request path belongs to which protocol, and what the path alone decides: limits, lane, message type.
//!
//! Paths are matched without a trailing slash, because PostHog's and RudderStack's SDKs send one.

use crate::limits;
use tallymark_model::Lane;

/// An ingestion route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `POST /api/v1/events`.
    Native,
    /// `POST /batch`: Amplitude's and PostHog's; the body's keys decide.
    SharedBatch,
    /// `/track`: Mixpanel's and PostHog's first one; the first event decides.
    SharedTrack,
    /// `/engage`: Mixpanel's and PostHog's first one; the first item decides.
    SharedEngage,
    /// A Mixpanel route that is nobody else's.
    Mixpanel(MixpanelCall),
    /// A Heap route.
    Heap(HeapCall),
    /// An Amplitude route.
    Amplitude(AmplitudeCall),
    /// A PostHog capture route.
    Posthog(PosthogCall),
    /// A Segment or RudderStack route.
    Segment(SegmentCall),
    /// An mParticle route.
    Mparticle(MparticleCall),
    /// A Braze route.
    Braze(BrazeCall),
}

/// Amplitude's ingestion routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmplitudeCall {
    /// `/2/httpapi`.
    HttpV2,
    /// `/httpapi`, form `event`.
    HttpV1,
    /// `/`, form `e`: the first JavaScript and mobile SDKs.
    Legacy,
    /// `/identify`, form `identification`.
    Identify,
    /// `/groupidentify`, form `identification`.
    GroupIdentify,
    /// `/usermap`, form or query `mapping`.
    UserMap,
}

/// Mixpanel's routes beside `/track` and `/engage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MixpanelCall {
    /// `/groups`: changes of groups.
    Groups,
    /// `/import`: events of any age.
    Import,
}

/// Heap's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeapCall {
    /// `/api/track`: one event, or `events`.
    Track,
    /// `/api/v1/identify`.
    Identify,
    /// `/api/add_user_properties`: of one user, or `users`.
    UserProperties,
    /// `/api/add_account_properties`: of one account, or `accounts`.
    AccountProperties,
    /// `/h`: the pixel of the browser script.
    Pixel,
}

/// PostHog's capture routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PosthogCall {
    /// `/e`, `/i/v0/e`, `/capture`, `/track`: single events, arrays and batch objects alike.
    Capture,
    /// `/engage`: person changes without an event name.
    Engage,
    /// `/s`: session recordings.
    Recordings,
    /// `/i/v1/analytics/events`: a batch whose answer names each event.
    V1,
}

/// Segment's and RudderStack's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentCall {
    /// `/v1/batch`, `/v1/b`, `/beacon/v1/batch`.
    Batch,
    /// `/v1/import`.
    Import,
    /// `/v1/track` and the others: the path names the message type.
    One(&'static str),
    /// `/webhooks/segment`: a message or a list of them, forwarded by Segment, which may sign it.
    SegmentWebhook,
    /// `/webhooks/rudderstack`: the same by RudderStack.
    RudderWebhook,
}

/// mParticle's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MparticleCall {
    /// `/v2/events`: one batch.
    Events,
    /// `/v2/bulkevents`: a list of batches.
    Bulk,
    /// `/v3/JS/{key}/events`, `/webevents/v3/JS/{key}/events`: one batch of the browser SDK.
    Web,
    /// `/webhooks/mparticle`: a batch or a list of them, forwarded by the partner.
    Webhook,
}

/// Braze's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrazeCall {
    /// `/webhooks/braze`: events of Currents.
    Currents,
    /// `/users/track`: attributes, events and purchases.
    Track,
}

/// The shape in which answers of a route are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `{"error":{"code":"TM…"}}`.
    Native,
    /// Amplitude's JSON with a mandatory `code`.
    Amplitude,
    /// Amplitude's plain text (`success`).
    AmplitudeText,
    /// PostHog's.
    Posthog,
    /// PostHog's v1 with a result per event.
    PosthogV1,
    /// mParticle's: 202 without a body, `{"errors":[…]}`.
    Mparticle,
    /// Braze's `/users/track`: 201 with counts.
    Braze,
    /// Segment's and RudderStack's.
    Segment,
    /// Mixpanel's JSON with `status` and `error`.
    Mixpanel,
    /// Mixpanel's answer without `verbose`: `1` or `0`.
    MixpanelTerse,
    /// Mixpanel's `/import` with `code` and `failed_records`.
    MixpanelImport,
    /// Heap's: `{}`.
    Heap,
    /// A transparent GIF of one pixel.
    Pixel,
    /// Not known yet (`/batch` before its body is read): a superset of them all.
    Shared,
}

impl Call {
    /// The ingestion route of this path, if it is one.
    pub fn of_path(path: &str) -> Option<Call> {
        use AmplitudeCall::*;
        let path = path.strip_suffix('/').unwrap_or(path);
        Some(match path {
            "/api/v1/events" => Call::Native,
            "/batch" => Call::SharedBatch,
            "/2/httpapi" => Call::Amplitude(HttpV2),
            "/httpapi" => Call::Amplitude(HttpV1),
            "" => Call::Amplitude(Legacy),
            "/identify" => Call::Amplitude(Identify),
            "/groupidentify" => Call::Amplitude(GroupIdentify),
            "/usermap" => Call::Amplitude(UserMap),
            "/track" => Call::SharedTrack,
            "/engage" => Call::SharedEngage,
            "/groups" => Call::Mixpanel(MixpanelCall::Groups),
            "/import" => Call::Mixpanel(MixpanelCall::Import),
            "/api/track" => Call::Heap(HeapCall::Track),
            "/api/v1/identify" => Call::Heap(HeapCall::Identify),
            "/api/add_user_properties" => Call::Heap(HeapCall::UserProperties),
            "/api/add_account_properties" => Call::Heap(HeapCall::AccountProperties),
            "/h" => Call::Heap(HeapCall::Pixel),
            "/e" | "/i/v0/e" | "/i/v0/ai/batch" | "/capture" => Call::Posthog(PosthogCall::Capture),
            "/s" => Call::Posthog(PosthogCall::Recordings),
            "/i/v1/analytics/events" => Call::Posthog(PosthogCall::V1),
            "/v1/batch" | "/v1/b" | "/beacon/v1/batch" => Call::Segment(SegmentCall::Batch),
            "/v1/import" => Call::Segment(SegmentCall::Import),
            "/v1/track" | "/v1/t" => Call::Segment(SegmentCall::One("track")),
            "/v1/identify" | "/v1/i" => Call::Segment(SegmentCall::One("identify")),
            "/v1/page" | "/v1/p" => Call::Segment(SegmentCall::One("page")),
            "/v1/screen" | "/v1/s" => Call::Segment(SegmentCall::One("screen")),
            "/v1/group" | "/v1/g" => Call::Segment(SegmentCall::One("group")),
            "/v1/alias" | "/v1/a" => Call::Segment(SegmentCall::One("alias")),
            "/webhooks/segment" => Call::Segment(SegmentCall::SegmentWebhook),
            "/webhooks/rudderstack" => Call::Segment(SegmentCall::RudderWebhook),
            "/v2/events" => Call::Mparticle(MparticleCall::Events),
            "/v2/bulkevents" => Call::Mparticle(MparticleCall::Bulk),
            "/webhooks/mparticle" => Call::Mparticle(MparticleCall::Webhook),
            "/webhooks/braze" => Call::Braze(BrazeCall::Currents),
            "/users/track" => Call::Braze(BrazeCall::Track),
            path if is_mparticle_web(path) => Call::Mparticle(MparticleCall::Web),
            _ => return None,
        })
    }

    /// True where `GET` with the data in the query string is part of the protocol.
    pub fn allows_get(self) -> bool {
        matches!(
            self,
            Call::Posthog(PosthogCall::Capture | PosthogCall::Engage)
                | Call::SharedTrack
                | Call::SharedEngage
                | Call::Mixpanel(_)
                | Call::Heap(HeapCall::Pixel)
                | Call::Amplitude(
                    AmplitudeCall::Identify | AmplitudeCall::GroupIdentify | AmplitudeCall::UserMap
                )
        )
    }

    /// Most bytes of the body as sent.
    pub fn wire_limit(self) -> usize {
        self.decoded_limit()
    }

    /// Most bytes of the body after decompression.
    pub fn decoded_limit(self) -> usize {
        const MB: usize = 1_000_000;
        const _: () = assert!(limits::EVENT_BYTES > MB);
        match self {
            Call::Native | Call::SharedBatch => 20 * MB,
            Call::Amplitude(_) => MB,
            Call::Posthog(PosthogCall::V1 | PosthogCall::Recordings) => 20 * MB,
            Call::Mparticle(MparticleCall::Events | MparticleCall::Web) => 6 * MB,
            Call::Mparticle(_) | Call::Braze(BrazeCall::Currents) => 20 * MB,
            Call::Braze(BrazeCall::Track) => 6 * MB,
            // 2 MB documented for single events; newer posthog-js sends whole batches here, SDK cap 5 MiB.
            Call::Posthog(_) | Call::SharedTrack | Call::SharedEngage => 6 * MB,
            Call::Mixpanel(MixpanelCall::Import) => 10 * MB,
            Call::Mixpanel(_) => 6 * MB,
            Call::Heap(HeapCall::Pixel) => 64 * 1024,
            // 1000 events of the size that SDKs send.
            Call::Heap(_) => 6 * MB,
            // Segment documents 500 KB, RudderStack's gateway (same paths) 4000 KB.
            Call::Segment(SegmentCall::Import) => 20 * MB,
            Call::Segment(_) => 4 * MB,
        }
    }

    /// Where events of this route go unless the request says otherwise.
    pub fn lane(self) -> Lane {
        match self {
            Call::Segment(SegmentCall::Import)
            | Call::Mixpanel(MixpanelCall::Import)
            | Call::Mparticle(MparticleCall::Bulk | MparticleCall::Webhook)
            | Call::Braze(BrazeCall::Currents) => Lane::Bulk,
            _ => Lane::Live,
        }
    }

    /// How answers of this route are written before the body is read.
    pub fn dialect(self) -> Dialect {
        match self {
            Call::Native => Dialect::Native,
            Call::SharedBatch => Dialect::Shared,
            Call::Amplitude(AmplitudeCall::HttpV2) => Dialect::Amplitude,
            Call::Amplitude(_) => Dialect::AmplitudeText,
            Call::SharedTrack | Call::SharedEngage | Call::Mixpanel(_) => Dialect::Mixpanel,
            Call::Heap(HeapCall::Pixel) => Dialect::Pixel,
            Call::Heap(_) => Dialect::Heap,
            Call::Posthog(PosthogCall::V1) => Dialect::PosthogV1,
            Call::Posthog(_) => Dialect::Posthog,
            Call::Mparticle(_) => Dialect::Mparticle,
            Call::Braze(BrazeCall::Track) => Dialect::Braze,
            Call::Braze(BrazeCall::Currents) => Dialect::Segment,
            Call::Segment(_) => Dialect::Segment,
        }
    }
}

/// The browser SDK of mParticle has its key in the path, and before it a folder if it knows a `domain` of the customer's.
fn is_mparticle_web(path: &str) -> bool {
    let parts: Vec<&str> = path.strip_prefix("/webevents").unwrap_or(path).split('/').collect();
    matches!(parts.as_slice(), ["", "v3", "JS" | "js", key, "events"] if !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_work_with_and_without_a_trailing_slash() {
        for path in ["/batch", "/e", "/2/httpapi", "/v1/track", "/api/v1/events", "/i/v0/e"] {
            assert!(Call::of_path(path).is_some(), "{path}");
            assert_eq!(Call::of_path(path), Call::of_path(&format!("{path}/")));
        }
        assert_eq!(Call::of_path("/"), Some(Call::Amplitude(AmplitudeCall::Legacy)));
        for path in ["/batch//", "/api/v1/projects", "/v1/x", "/E"] {
            assert_eq!(Call::of_path(path), None, "{path}");
        }
    }
}
