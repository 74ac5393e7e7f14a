//! What others export, as events of the native API.
//!
//! Rows of Segment's, PostHog's and Amplitude's are put into the shape in which their SDKs send, and read by the same
//! code as requests of those SDKs (`wire`): ids, names, groups and changes of persons come out alike, whichever way an
//! event came in. Exports hold times that were corrected once, so none is corrected again.
//! Guarantees: pure. Deliberately not here: reading files.

mod amplitude;
mod mixpanel;
mod native;
mod posthog;
mod segment;

use crate::Format;
use serde_json::{Map, Value};

/// The event of a row.
pub(crate) fn event(format: Format, row: Map<String, Value>) -> Result<Map<String, Value>, String> {
    match format {
        Format::Events => Ok(row),
        Format::AmplitudeExport => amplitude::event(row),
        Format::PosthogExport => posthog::event(row),
        Format::MixpanelExport => mixpanel::event(row),
        Format::SegmentExport => segment::event(row),
    }
}

/// An object, also where an export wrote it as text (Parquet and CSV know no objects).
fn object(value: Option<Value>, field: &str) -> Result<Option<Map<String, Value>>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            serde_json::from_str(&text).map(Some).map_err(|e| format!("{field}: not a JSON object: {e}"))
        }
        Some(other) => Err(format!("{field}: expected an object, got {other}")),
    }
}

/// Milliseconds of a time as databases write it: `2026-01-02 03:04:05.678901`, UTC unless it says otherwise.
fn millis(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(n) => return n.as_i64(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_millisecond());
    }
    // ClickHouse leaves the minutes of the offset out, and `UTC` in words.
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(instant) = jiff::Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f%#z", text) {
        return Some(instant.as_millisecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests;
