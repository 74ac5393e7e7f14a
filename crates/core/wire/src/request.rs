//! What a protocol room gets and gives: one decoded request in, envelopes out.

use crate::limits;
use crate::{Call, Dialect, Sender};
use bytes::Bytes;
use std::sync::Arc;
use tallymark_model::{Envelope, Lane, Millis, ProjectToken, RequestContext, Value, WireFormat};

/// Headers that only one protocol knows, in lower case.
pub const HEADERS: [&str; 2] = ["posthog-sdk-info", "posthog-request-timestamp"];

/// One request, its body already decoded by [`crate::body::decode`].
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The route.
    pub call: Call,
    /// The path, for routes that carry the key in it.
    pub path: &'a str,
    /// The query string without `?`.
    pub query: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `SentAt` header (RudderStack's browser SDK).
    pub sent_at: Option<&'a str>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a str>,
    /// Those of [`HEADERS`] that the request has.
    pub headers: &'a [(&'static str, String)],
    /// The key of the form that the body came in.
    pub form_key: Option<String>,
    /// What else that form said.
    pub form: Option<crate::body::FormHead>,
    /// Address of the client.
    pub ip: Option<String>,
    /// The decoded body; for `GET`, empty.
    pub body: Bytes,
    /// When the request arrived.
    pub received_at: Millis,
}

/// A request that was understood.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Whose events these are.
    pub token: ProjectToken,
    /// Where they go.
    pub lane: Lane,
    /// How the answer is written.
    pub dialect: Dialect,
    /// The events, in the order sent.
    pub envelopes: Vec<Envelope>,
    /// Who sent each of `envelopes`.
    pub senders: Vec<Sender>,
    /// Events that were not taken (native protocol only: the others have no way to say it).
    pub rejected: Vec<Rejected>,
    /// Bytes of the decoded body.
    pub payload_bytes: usize,
    /// What the answer says about single events, in protocols whose answer can.
    pub per_event: Option<Value>,
    /// `beacon=1`: the sender cannot read an answer and wants 204.
    pub beacon: bool,
}

/// One event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// Its index in the request.
    pub index: usize,
    /// Stable code, the same as for a dead letter.
    pub code: String,
    /// What is wrong and where.
    pub message: String,
    /// The field, if one is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Request<'_> {
    /// The value of a query parameter, the last one if repeated.
    pub fn parameter(&self, name: &str) -> Option<String> {
        if self.query.is_empty() {
            return None;
        }
        form_urlencoded::parse(self.query.as_bytes())
            .filter(|(k, _)| k == name)
            .last()
            .map(|(_, v)| v.into_owned())
    }

    /// The value of one of [`HEADERS`].
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// The context that every request has; rooms add what their protocol says once per request.
    pub(crate) fn context(&self) -> RequestContext {
        RequestContext {
            ip: self.ip.clone(),
            user_agent: self.user_agent.map(|u| u.chars().take(limits::USER_AGENT_CHARS).collect()),
            ..RequestContext::default()
        }
    }
}

/// Everything the envelopes of one request share.
pub(crate) struct Frame<'a> {
    pub body: &'a Bytes,
    pub token: ProjectToken,
    pub wire: WireFormat,
    pub lane: Lane,
    pub received_at: Millis,
    pub context: Arc<RequestContext>,
}

impl Frame<'_> {
    /// An envelope for the bytes `range` of the body.
    pub fn envelope(&self, range: std::ops::Range<usize>, key: String) -> Envelope {
        Envelope {
            token: self.token,
            wire: self.wire,
            lane: self.lane,
            key,
            received_at: self.received_at,
            context: Arc::clone(&self.context),
            body: self.body.slice(range),
        }
    }
}
