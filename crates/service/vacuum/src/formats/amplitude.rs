//! A line of Amplitude's export (`{app}_{date}_{hour}#{n}.json.gz`, also inside the zip of its export API).
//!
//! `event_time` is the corrected time. `$insert_id` is the dedup id; `uuid` stands in. `user_properties` and
//! `group_properties` are the *state* at that event, not changes, so they become `$set`: the newest wins.

use super::{millis, native, object};
use serde_json::{Map, Value, json};
use tallymark_model::WireFormat;

/// Amplitude's own bookkeeping.
const DROPPED: [&str; 18] = [
    "$schema",
    "amplitude_id",
    "amplitude_event_type",
    "amplitude_attribution_ids",
    "app",
    "client_upload_time",
    "data",
    "data_type",
    "event_id",
    "global_user_properties",
    "is_attribution_event",
    "partner_id",
    "processed_time",
    "sample_rate",
    "server_received_time",
    "server_upload_time",
    "source_id",
    "uuid",
];

/// The event of a line.
pub(super) fn event(mut row: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let time = row.shift_remove("event_time").or_else(|| row.get("client_event_time").cloned());
    row.shift_remove("client_event_time");
    let time = time.as_ref().and_then(millis).ok_or("event_time: missing, or not a time")?;
    for (theirs, ours) in
        [("ip_address", "ip"), ("version_name", "app_version"), ("device_carrier", "carrier")]
    {
        if let Some(value) = row.shift_remove(theirs) {
            row.insert(ours.to_owned(), value);
        }
    }
    let uuid = row.get("uuid").cloned();
    let id = row.shift_remove("$insert_id").filter(|id| !id.is_null() && id != &json!("")).or(uuid);
    row.retain(|key, value| !value.is_null() && !DROPPED.contains(&key.as_str()));
    for field in ["event_properties", "user_properties", "group_properties", "groups"] {
        if let Some(found) = object(row.shift_remove(field), field)? {
            row.insert(field.to_owned(), found.into());
        }
    }
    if let Some(Value::Object(state)) = row.get_mut("user_properties") {
        *state = Map::from_iter([("$set".to_owned(), Value::Object(std::mem::take(state)))]);
    }
    // By group, not for all of them: only of a single one is it known whose it is.
    group_state(&mut row);
    if let Some(id) = id {
        row.insert("insert_id".to_owned(), id);
    }
    let decoded = native::decoded(WireFormat::AmplitudeV2, &row)?;
    Ok(native::encoded(decoded, Some(time)))
}

/// `{"company": {"acme": {"plan": "pro"}}}` to what `/2/httpapi` takes, if the event has one group.
fn group_state(row: &mut Map<String, Value>) {
    let Some(Value::Object(state)) = row.shift_remove("group_properties") else { return };
    let mut names = state.into_iter().filter_map(|(_, by_name)| match by_name {
        Value::Object(by_name) => Some(by_name),
        _ => None,
    });
    if let (Some(by_name), None) = (names.next(), names.next())
        && by_name.len() == 1
        && let Some((_, Value::Object(properties))) = by_name.into_iter().next()
        && !properties.is_empty()
    {
        row.insert("group_properties".to_owned(), json!({ "$set": properties }));
    }
}
