//! A row of PostHog's batch export: JSON lines or Parquet, in which objects are text.
//!
//! `timestamp` is the corrected time, `uuid` the dedup id. `set` and `set_once` change the person; `person_properties`,
//! the state at that event, is left out: the changes that made it are events of their own.

use super::{millis, native, object};
use serde_json::{Map, Value};
use tallymark_model::WireFormat;

/// Bookkeeping, and what is in other columns.
const DROPPED: [&str; 9] = [
    "person_id",
    "person_properties",
    "person_created_at",
    "created_at",
    "_inserted_at",
    "inserted_at",
    "site_url",
    "team_id",
    "elements",
];

/// The event of a row.
pub(super) fn event(mut row: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let time = row.shift_remove("timestamp");
    let time = time.as_ref().and_then(millis).ok_or("timestamp: missing, or not a time")?;
    row.retain(|key, value| {
        !value.is_null() && value.as_str() != Some("") && !DROPPED.contains(&key.as_str())
    });
    for (theirs, ours) in [("set", "$set"), ("set_once", "$set_once"), ("properties", "properties")] {
        if let Some(found) = object(row.shift_remove(theirs), theirs)?.filter(|found| !found.is_empty()) {
            row.insert(ours.to_owned(), found.into());
        }
    }
    for (theirs, ours) in [("ip", "$ip"), ("elements_chain", "$elements_chain")] {
        let Some(value) = row.shift_remove(theirs) else { continue };
        let properties = row.entry("properties").or_insert_with(|| Map::new().into());
        if let Value::Object(properties) = properties {
            properties.entry(ours).or_insert(value);
        }
    }
    let decoded = native::decoded(WireFormat::PosthogV0, &row)?;
    Ok(native::encoded(decoded, Some(time)))
}
