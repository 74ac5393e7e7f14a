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
    /// An Amplitude route.
    Amplitude(AmplitudeCall),
    /// A PostHog v0 capture route.
    Posthog(PosthogCall),
    /// A Segment or RudderStack route.
    Segment(SegmentCall),
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
}

/// PostHog's v0 capture routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PosthogCall {
    /// `/e`, `/i/v0/e`, `/capture`, `/track`: single events, arrays and batch objects alike.
    Capture,
    /// `/engage`: person changes without an event name.
    Engage,
}

/// Segment's and RudderStack's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentCall {
    /// `/v1/batch`, `/v1/b`.
    Batch,
    /// `/v1/import`.
    Import,
    /// `/v1/track` and the others: the path names the message type.
    One(&'static str),
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
    /// Segment's and RudderStack's.
    Segment,
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
            "/e" | "/i/v0/e" | "/i/v0/ai/batch" | "/capture" | "/track" => {
                Call::Posthog(PosthogCall::Capture)
            }
            "/engage" => Call::Posthog(PosthogCall::Engage),
            "/v1/batch" | "/v1/b" => Call::Segment(SegmentCall::Batch),
            "/v1/import" => Call::Segment(SegmentCall::Import),
            "/v1/track" | "/v1/t" => Call::Segment(SegmentCall::One("track")),
            "/v1/identify" | "/v1/i" => Call::Segment(SegmentCall::One("identify")),
            "/v1/page" | "/v1/p" => Call::Segment(SegmentCall::One("page")),
            "/v1/screen" | "/v1/s" => Call::Segment(SegmentCall::One("screen")),
            "/v1/group" | "/v1/g" => Call::Segment(SegmentCall::One("group")),
            "/v1/alias" | "/v1/a" => Call::Segment(SegmentCall::One("alias")),
            _ => return None,
        })
    }

    /// True where `GET` with the data in the query string is part of the protocol.
    pub fn allows_get(self) -> bool {
        matches!(
            self,
            Call::Posthog(_) | Call::Amplitude(AmplitudeCall::Identify | AmplitudeCall::GroupIdentify)
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
            // 2 MB documented for single events; newer posthog-js sends whole batches here, SDK cap 5 MiB.
            Call::Posthog(_) => 6 * MB,
            // Segment documents 500 KB, RudderStack's gateway (same paths) 4000 KB.
            Call::Segment(SegmentCall::Import) => 20 * MB,
            Call::Segment(_) => 4 * MB,
        }
    }

    /// Where events of this route go unless the request says otherwise.
    pub fn lane(self) -> Lane {
        match self {
            Call::Segment(SegmentCall::Import) => Lane::Bulk,
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
            Call::Posthog(_) => Dialect::Posthog,
            Call::Segment(_) => Dialect::Segment,
        }
    }
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
