//! Answers in each vendor's shape: what SDKs read decides whether they keep, resend or throw away events.
//!
//! * Success is exactly 200 with JSON (PostHog's and RudderStack's Python SDKs resend after a 202 or 204).
//! * A vendor's error carries `code`, `error`, `message`, `detail` and `type` at once: each SDK looks for another.
//! * An Amplitude 400 names the event indexes or `missing_field`; without them its SDKs resend up to 12 times.
//! * Overload is 503 with `Retry-After`; 429 would lose data in browsers. 503 promises "nothing was accepted".
//! * 429 is for ids and keys that send more than they may, and for nobody else (`crate::throttled`).

use crate::throttled::Throttled;
use crate::{Dialect, Parsed};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tallymark_model::{Millis, ProjectToken};

/// An HTTP answer without HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Content type; empty if there is no body.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
    /// Seconds for `Retry-After`.
    pub retry_after_s: Option<u32>,
}

/// A request that was not taken, and how to say so.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// In whose shape.
    pub dialect: Dialect,
    /// What is wrong.
    pub problem: Problem,
    /// Whose request it was, if that is known.
    pub token: Option<ProjectToken>,
    /// How many events were refused, if that is known.
    pub events: usize,
}

/// Lists of event indexes per field, as Amplitude's SDKs read them: list name, field, indexes.
pub type EventLists = BTreeMap<&'static str, BTreeMap<String, Vec<usize>>>;

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The body is not what the route expects.
    #[error("{0}")]
    InvalidBody(String),
    /// No project key anywhere.
    #[error("the project's key is missing")]
    MissingKey,
    /// Events of one request name different projects.
    #[error("all events of a request must have the same project key")]
    MixedKeys,
    /// The member that holds the events is missing.
    #[error("the request has no '{0}'")]
    MissingMember(&'static str),
    /// A lone event that cannot be used.
    #[error("{0}")]
    InvalidEvent(String),
    /// Amplitude: some events cannot be used, so none was taken.
    #[error("Invalid field values on some events")]
    InvalidEvents(EventLists),
    /// The body is too large.
    #[error("the body is larger than {limit} bytes{}", if *.decoded { " after decompression" } else { "" })]
    TooLarge {
        /// Most bytes.
        limit: usize,
        /// True if it is the decompressed body.
        decoded: bool,
    },
    /// Too many events in one request.
    #[error("the request has {found} events; at most {limit} are allowed")]
    TooMany {
        /// Events found.
        found: usize,
        /// Most events.
        limit: usize,
    },
    /// The body's encoding is unknown or broken.
    #[error("{0}")]
    Encoding(String),
    /// The method is not part of the protocol.
    #[error("this path takes POST")]
    Method,
    /// The client sent too slowly.
    #[error("the body did not arrive in time")]
    Timeout,
    /// Too much is in flight; nothing was accepted.
    #[error("the server is busy: {0}")]
    Overloaded(String),
    /// The log does not accept records now; nothing was accepted.
    #[error("events cannot be stored now: {0}")]
    Unavailable(String),
    /// Throttled: nothing of the request was accepted.
    #[error("{}", .0.sentence())]
    Throttled(Box<Throttled>),
    /// The log failed in a way that leaves open whether the events are stored; resending is safe with insert ids.
    #[error("events may not have been stored: {0}")]
    Uncertain(String),
}

impl Problem {
    /// The documented error code.
    pub fn code(&self) -> &'static str {
        match self {
            Problem::InvalidBody(_) => "TM0101",
            Problem::MissingKey => "TM0102",
            Problem::MixedKeys => "TM0103",
            Problem::MissingMember(_) => "TM0104",
            Problem::InvalidEvent(_) | Problem::InvalidEvents(_) => "TM0105",
            Problem::TooLarge { .. } => "TM0106",
            Problem::TooMany { .. } => "TM0107",
            Problem::Encoding(_) => "TM0108",
            Problem::Method => "TM0109",
            Problem::Timeout => "TM0110",
            Problem::Overloaded(_) => "TM0111",
            Problem::Unavailable(_) => "TM0112",
            Problem::Uncertain(_) => "TM0113",
            Problem::Throttled(_) => "TM0114",
        }
    }

    /// A word for metrics and for the count of refused events.
    pub fn label(&self) -> &'static str {
        match self {
            Problem::InvalidBody(_) => "invalid_body",
            Problem::MissingKey => "missing_key",
            Problem::MixedKeys => "mixed_keys",
            Problem::MissingMember(_) => "missing_events",
            Problem::InvalidEvent(_) | Problem::InvalidEvents(_) => "invalid_event",
            Problem::TooLarge { .. } => "too_large",
            Problem::TooMany { .. } => "too_many",
            Problem::Encoding(_) => "encoding",
            Problem::Method => "method",
            Problem::Timeout => "timeout",
            Problem::Overloaded(_) => "overloaded",
            Problem::Unavailable(_) => "unavailable",
            Problem::Uncertain(_) => "uncertain",
            Problem::Throttled(_) => "throttled",
        }
    }

    /// The HTTP status in this dialect.
    pub fn status(&self, dialect: Dialect) -> u16 {
        let amplitude = matches!(dialect, Dialect::Amplitude | Dialect::AmplitudeText | Dialect::Shared);
        match self {
            Problem::MissingKey | Problem::MixedKeys if !amplitude => 401,
            Problem::Encoding(_) if dialect == Dialect::Native => 415,
            Problem::Timeout if dialect == Dialect::Native => 408,
            Problem::TooLarge { .. } | Problem::TooMany { .. } => 413,
            Problem::Method => 405,
            // Several SDKs throw a batch away after 408.
            Problem::Timeout | Problem::Overloaded(_) | Problem::Unavailable(_) => 503,
            Problem::Uncertain(_) => 500,
            Problem::Throttled(_) => 429,
            _ => 400,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Problem::InvalidBody(_) => "Send JSON as the documentation of this path shows.",
            Problem::MissingKey => {
                "Send the project's write key, for example as 'Authorization: Bearer KEY'."
            }
            Problem::MixedKeys => "Send one request per project.",
            Problem::MissingMember(_) => "Wrap the events as the documentation of this path shows.",
            Problem::InvalidEvent(_) | Problem::InvalidEvents(_) => {
                "Correct the named fields and send again."
            }
            Problem::TooLarge { .. } | Problem::TooMany { .. } => "Split the request and send again.",
            Problem::Encoding(_) => "Use gzip, deflate, br or zstd, or none.",
            Problem::Method => "Use POST.",
            Problem::Timeout => "Send again; smaller requests help on slow networks.",
            Problem::Overloaded(_) => "Nothing was accepted: send again after the time in Retry-After.",
            Problem::Unavailable(_) => {
                "Nothing was accepted: send again later; the operator sees the cause in /health/ready."
            }
            Problem::Uncertain(_) => {
                "Send again with the same insert ids: what is already stored counts once."
            }
            Problem::Throttled(_) => {
                "Nothing was accepted: send again after the time in Retry-After, and look why so much is sent."
            }
        }
    }

    fn retry_after_s(&self) -> Option<u32> {
        match self {
            Problem::Overloaded(_) | Problem::Timeout => Some(1),
            Problem::Unavailable(_) | Problem::Uncertain(_) => Some(5),
            Problem::Throttled(throttled) => Some(throttled.retry_after_s),
            _ => None,
        }
    }
}

impl Refusal {
    /// A refusal before anything is known about the request's content.
    pub fn new(dialect: Dialect, problem: Problem) -> Refusal {
        Refusal { dialect, problem, token: None, events: 0 }
    }

    /// With whose events were refused, and how many.
    pub fn of(self, token: ProjectToken, events: usize) -> Refusal {
        Refusal { token: Some(token), events, ..self }
    }

    /// The answer to send.
    pub fn answer(&self) -> Answer {
        let status = self.problem.status(self.dialect);
        let body = match self.dialect {
            Dialect::Native => native_error(&self.problem),
            // Everything but `1` is a failure to Mixpanel's clients that did not ask for `verbose`.
            Dialect::MixpanelTerse => {
                let retry_after_s = self.problem.retry_after_s();
                return Answer { retry_after_s, ..text_answer(status, b"0") };
            }
            _ => vendor_error(status, self.dialect, &self.problem),
        };
        Answer { retry_after_s: self.problem.retry_after_s(), ..json_answer(status, &body) }
    }
}

impl Parsed {
    /// The answer once `accepted` events are durable. `receipt` and `visible` are told in the native dialect only.
    pub fn answer(&self, accepted: usize, receipt: &str, visible: Option<bool>, now: Millis) -> Answer {
        if self.beacon {
            return Answer { status: 204, content_type: "", body: Vec::new(), retry_after_s: None };
        }
        match self.dialect {
            Dialect::Native => {
                let mut body = json!({
                    "accepted": accepted, "rejected": self.rejected, "receipt": receipt,
                });
                if let Some(visible) = visible {
                    body["durable"] = json!(true);
                    body["visible"] = json!(visible);
                }
                json_answer(200, &body)
            }
            Dialect::Amplitude => json_answer(
                200,
                &json!({
                    "code": 200, "events_ingested": accepted,
                    "payload_size_bytes": self.payload_bytes, "server_upload_time": now,
                }),
            ),
            Dialect::AmplitudeText => text_answer(200, b"success"),
            Dialect::MixpanelTerse => text_answer(200, b"1"),
            Dialect::Mixpanel => json_answer(200, &json!({"status": 1, "error": null})),
            Dialect::MixpanelImport => match &self.per_event {
                None => {
                    json_answer(200, &json!({"code": 200, "num_records_imported": accepted, "status": "OK"}))
                }
                Some(failed) => json_answer(
                    400,
                    &json!({
                        "code": 400, "error": "some data points in the request failed validation",
                        "failed_records": failed, "num_records_imported": accepted, "status": "Bad Request",
                    }),
                ),
            },
            Dialect::Heap => json_answer(200, &json!({})),
            Dialect::Pixel => {
                Answer { status: 200, content_type: "image/gif", body: PIXEL.to_vec(), retry_after_s: None }
            }
            Dialect::Posthog | Dialect::Shared => {
                let mut body = json!({"status": "Ok"});
                if let Some(limited) = &self.per_event {
                    body["quota_limited"] = limited.clone();
                }
                json_answer(200, &body)
            }
            Dialect::PosthogV1 => json_answer(200, &json!({"results": self.per_event})),
            Dialect::Mparticle => {
                Answer { status: 202, content_type: "", body: Vec::new(), retry_after_s: None }
            }
            Dialect::Braze => {
                let mut body = json!({"message": "success"});
                if let (Some(body), Some(Value::Object(counts))) = (body.as_object_mut(), &self.per_event) {
                    body.extend(counts.clone());
                }
                json_answer(201, &body)
            }
            Dialect::Segment => json_answer(200, &json!({"success": true})),
        }
    }
}

/// A transparent GIF of one pixel.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

fn text_answer(status: u16, body: &[u8]) -> Answer {
    let content_type = "text/plain; charset=utf-8";
    Answer { status, content_type, body: body.to_vec(), retry_after_s: None }
}

/// A JSON answer.
pub fn json_answer(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        content_type: "application/json; charset=utf-8",
        body: body.to_string().into_bytes(),
        retry_after_s: None,
    }
}

fn native_error(problem: &Problem) -> Value {
    let mut error = Map::new();
    error.insert("code".into(), json!(problem.code()));
    error.insert("message".into(), json!(problem.to_string()));
    error.insert("hint".into(), json!(problem.hint()));
    error.insert("docs".into(), json!(format!("/docs/errors/{}", problem.code())));
    if let Problem::Throttled(throttled) = problem {
        throttled.native(&mut error);
    }
    json!({"error": error})
}

/// One body that every vendor's SDK understands.
fn vendor_error(status: u16, dialect: Dialect, problem: &Problem) -> Value {
    if let (Problem::Throttled(throttled), Dialect::Posthog) = (problem, dialect) {
        return throttled.posthog();
    }
    match dialect {
        Dialect::PosthogV1 => return posthog_v1_error(problem),
        Dialect::Mparticle => return mparticle_error(status, problem),
        _ => {}
    }
    let kind = if status >= 500 { "server_error" } else { "validation_error" };
    let mut body = Map::new();
    body.insert("code".into(), json!(status));
    let error = match dialect {
        Dialect::Mixpanel | Dialect::MixpanelImport | Dialect::Heap => problem.to_string(),
        _ => amplitude_text(problem),
    };
    body.insert("error".into(), json!(error));
    for key in ["message", "detail"] {
        body.insert(key.into(), json!(problem.to_string()));
    }
    body.insert("type".into(), json!(kind));
    match dialect {
        // Mixpanel's Python SDK reads `status` of every answer.
        Dialect::Mixpanel => {
            body.insert("status".into(), json!(0));
        }
        Dialect::MixpanelImport => {
            body.insert("status".into(), json!(import_status(status)));
            body.insert("num_records_imported".into(), json!(0));
        }
        _ => {}
    }
    body.insert("tallymark_code".into(), json!(problem.code()));
    match problem {
        Problem::MissingKey => {
            body.insert("missing_field".into(), json!("api_key"));
        }
        Problem::MissingMember(member) => {
            body.insert("missing_field".into(), json!(member));
        }
        // A body that nobody can read stays so: `missing_field` is what makes Amplitude's SDKs stop resending it.
        Problem::InvalidBody(_) | Problem::Encoding(_) if dialect != Dialect::Segment => {
            body.insert("missing_field".into(), json!("events"));
        }
        Problem::Throttled(throttled) if dialect != Dialect::Segment => throttled.amplitude(&mut body),
        Problem::InvalidEvents(lists) => {
            for list in
                ["events_with_invalid_fields", "events_with_missing_fields", "events_with_invalid_id_lengths"]
            {
                let fields = lists.get(list).cloned().unwrap_or_default();
                body.insert(list.into(), json!(fields));
            }
        }
        _ => {}
    }
    Value::Object(body)
}

/// The words of Mixpanel's documentation.
fn import_status(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500.. => "Service Unavailable",
        _ => "Bad Request",
    }
}

/// PostHog's v1: a tag, a sentence, a page.
fn posthog_v1_error(problem: &Problem) -> Value {
    let tag = match problem {
        Problem::MissingKey | Problem::MixedKeys => "invalid_api_token",
        Problem::TooLarge { .. } | Problem::TooMany { .. } => "payload_too_large",
        Problem::Encoding(_) => "unsupported_content_encoding",
        Problem::Throttled(_) => "rate_limited",
        Problem::Overloaded(_) | Problem::Unavailable(_) | Problem::Timeout => "service_unavailable",
        Problem::Uncertain(_) => "internal_error",
        _ => "invalid_request",
    };
    json!({
        "error": tag, "error_description": problem.to_string(),
        "error_uri": format!("/docs/errors/{}", problem.code()), "tallymark_code": problem.code(),
    })
}

/// mParticle's: a list of codes and sentences.
fn mparticle_error(status: u16, problem: &Problem) -> Value {
    let code = match status {
        401 => "UNAUTHORIZED",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "TOO_MANY_REQUESTS",
        500.. => "UNAVAILABLE",
        _ => "BAD_REQUEST",
    };
    json!({
        "errors": [{"code": code, "message": problem.to_string()}],
        "message": problem.to_string(), "tallymark_code": problem.code(),
    })
}

/// The words of Amplitude's documentation where it has some.
fn amplitude_text(problem: &Problem) -> String {
    match problem {
        Problem::InvalidBody(_) => "Invalid JSON request body".into(),
        Problem::MissingKey | Problem::MissingMember(_) => "Request missing required field".into(),
        Problem::TooLarge { .. } | Problem::TooMany { .. } => "Payload too large".into(),
        Problem::Throttled(_) => "Too many requests for some devices and users".into(),
        other => other.to_string(),
    }
}
