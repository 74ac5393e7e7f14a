//! A line of Mixpanel's raw export: `{"event": …, "properties": {"time": …, "distinct_id": …, "$insert_id": …}}`.
//!
//! `time` is in seconds (older projects) or milliseconds, and in exports of old projects in the *project's time zone*,
//! written as if it were UTC; nothing in the file says so, so it is taken as it stands.

use super::native;
use serde_json::{Map, Value};
use tallymark_model::WireFormat;

/// Mixpanel's bookkeeping.
const DROPPED: [&str; 6] = [
    "mp_processing_time_ms",
    "mp_sent_by_lib_version",
    "$mp_api_endpoint",
    "$mp_api_timestamp_ms",
    "$import",
    "token",
];

/// The event of a line.
pub(super) fn event(mut row: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut properties = super::object(row.shift_remove("properties"), "properties")?.unwrap_or_default();
    properties.retain(|key, value| !value.is_null() && !DROPPED.contains(&key.as_str()));
    row.insert("properties".to_owned(), properties.into());
    let decoded = native::decoded(WireFormat::MixpanelEvent, &row)?;
    let time = decoded.client_time.ok_or("properties.time: missing, or not a time")?;
    Ok(native::encoded(decoded, Some(time)))
}
