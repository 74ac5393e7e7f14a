//! One batch of events in the words of one vendor's SDK.

use crate::instance::WRITE_KEY;
use serde_json::{Value, json};

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `/api/v1/events`.
    Native,
    /// `/2/httpapi`.
    Amplitude,
    /// `/batch/`.
    Posthog,
    /// `/v1/batch`.
    Segment,
}

/// One event, before it is put into anybody's words.
#[derive(Debug, Clone)]
pub struct Event {
    /// Insert id.
    pub id: String,
    /// Name.
    pub name: String,
    /// User, if known.
    pub user: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// Unix milliseconds.
    pub time: i64,
    /// Properties.
    pub properties: Value,
    /// Properties of the user to set; null = none.
    pub sets: Value,
}

impl Event {
    /// Whose it is, in one word.
    pub fn owner(&self) -> &str {
        self.user.as_deref().or(self.device.as_deref()).unwrap_or_default()
    }
}

impl Shape {
    /// Path to send to.
    pub fn path(self) -> &'static str {
        match self {
            Shape::Native => "/api/v1/events",
            Shape::Amplitude => "/2/httpapi",
            Shape::Posthog => "/batch/",
            Shape::Segment => "/v1/batch",
        }
    }

    /// The body of a request.
    pub fn body(self, events: &[Event]) -> Value {
        match self {
            Shape::Native => json!({"events": events.iter().map(native).collect::<Vec<_>>()}),
            Shape::Amplitude => {
                json!({"api_key": WRITE_KEY, "events": events.iter().map(amplitude).collect::<Vec<_>>()})
            }
            Shape::Posthog => {
                json!({"api_key": WRITE_KEY, "batch": events.iter().map(posthog).collect::<Vec<_>>()})
            }
            Shape::Segment => {
                json!({"writeKey": WRITE_KEY, "batch": events.iter().map(segment).collect::<Vec<_>>()})
            }
        }
    }
}

/// Adds a key unless there is nothing to say.
fn put(into: &mut Value, key: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        into[key] = value;
    }
}

fn native(e: &Event) -> Value {
    let mut out =
        json!({"event": e.name, "insert_id": e.id, "time": iso(e.time), "properties": e.properties});
    put(&mut out, "user_id", e.user.clone());
    put(&mut out, "device_id", e.device.clone());
    put(&mut out, "user_properties", e.sets.clone());
    out
}

fn amplitude(e: &Event) -> Value {
    let mut out = json!({
        "event_type": e.name, "insert_id": e.id, "time": e.time, "event_properties": e.properties,
    });
    put(&mut out, "user_id", e.user.clone());
    put(&mut out, "device_id", e.device.clone());
    put(&mut out, "user_properties", e.sets.clone());
    out
}

fn posthog(e: &Event) -> Value {
    let mut out = json!({
        "event": e.name, "uuid": e.id, "timestamp": iso(e.time), "distinct_id": e.owner(),
        "properties": e.properties,
    });
    put(&mut out, "$set", e.sets.clone());
    out
}

fn segment(e: &Event) -> Value {
    let mut out = json!({
        "type": "track", "event": e.name, "messageId": e.id, "timestamp": iso(e.time),
        "properties": e.properties,
    });
    put(&mut out, "userId", e.user.clone());
    put(&mut out, "anonymousId", e.device.clone());
    if !e.sets.is_null() {
        out["context"] = json!({"traits": e.sets});
    }
    out
}

fn iso(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.to_string()).unwrap_or_default()
}
