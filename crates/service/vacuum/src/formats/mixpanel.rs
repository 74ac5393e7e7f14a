//! A line of Mixpanel's raw export: `{"event": …, "properties": {"time": …, "distinct_id": …, "$insert_id": …}}`.
//!
//! `time` is in seconds (older projects) or milliseconds, and in the *project's time zone* in exports of old projects:
//! Mixpanel writes it as if it were UTC there, and does not say so; it is taken as it stands. `$user_id` and
//! `$device_id` are the ids where they are; a `distinct_id` that begins with `$device:` is a device, another one a user.

use serde_json::{Map, Value};

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
    let name = match row.shift_remove("event") {
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        _ => return Err("event: missing, or not a name".to_owned()),
    };
    let mut properties = super::object(row.shift_remove("properties"), "properties")?.unwrap_or_default();
    let time = properties.shift_remove("time").and_then(|t| match t {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.parse().ok(),
        _ => None,
    });
    let time = time.ok_or("properties.time: missing, or not a number")?;
    let mut text = |field: &str| match properties.shift_remove(field) {
        Some(Value::String(s)) if !s.trim().is_empty() => Some(s),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let (distinct, insert) = (text("distinct_id"), text("$insert_id"));
    let (mut user, mut device) = (text("$user_id"), text("$device_id"));
    if let Some(distinct) = distinct {
        match distinct.strip_prefix("$device:") {
            Some(id) => drop(device.get_or_insert_with(|| id.to_owned())),
            None if device.as_ref() == Some(&distinct) => {}
            None => drop(user.get_or_insert(distinct)),
        }
    }
    properties.retain(|key, value| !value.is_null() && !DROPPED.contains(&key.as_str()));
    let mut out = Map::new();
    out.insert("event".into(), name.into());
    // The same bound as of Mixpanel's own servers.
    let millis = if time.abs() < 1e11 { time * 1000.0 } else { time };
    out.insert("time".into(), (millis as i64).into());
    for (field, value) in [("user_id", user), ("device_id", device), ("insert_id", insert)] {
        if let Some(value) = value {
            out.insert(field.into(), value.into());
        }
    }
    out.insert("properties".into(), properties.into());
    Ok(out)
}
