//! Mixpanel events: what must hold, and what they become.

use super::ids::{self, Ids};
use crate::draft::{ClientTime, Draft, id_in, missing, object_in};
use crate::json::{Doc, Fault, Field, Object};
use crate::{ids as usable, time};
use tallymark_model::{DeadReason, Envelope, Event, IdentityAction, Millis, Value};

/// Properties that become fields of the event, or served only to find its project.
const CONSUMED: [&str; 10] = [
    "token",
    "distinct_id",
    "time",
    "$insert_id",
    "$device_id",
    "$user_id",
    "$identified_id",
    "$anon_id",
    "$anon_distinct_id",
    "$distinct_ids",
];
/// A larger time is in milliseconds: as seconds it would lie after the year 5000.
const SECONDS_MAX: f64 = 1e11;
/// `/import` takes no event before 1971.
const IMPORT_SINCE: Millis = 31_536_000_000;
/// How far ahead of ours the clock of an importer may be.
const IMPORT_AHEAD_MS: Millis = 3_600_000;
/// Longest `$insert_id` of `/import`.
const IMPORT_INSERT_ID_BYTES: usize = 36;

/// Name and ids of an event that can be decoded.
pub(super) fn check(event: &Object<'_>) -> Result<(String, Ids), Fault> {
    let name = event.get("event").and_then(|v| v.to_text()).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| missing("event"))?;
    let properties = object_in(event, "properties")?;
    let ids = ids::of_event(&name, properties.as_ref())?;
    Ok((name, ids))
}

/// What `/import` demands beyond that. Identity events name their persons in other ways.
pub(super) fn check_import(event: &Object<'_>, name: &str, now: Millis) -> Result<(), Fault> {
    if matches!(name, "$identify" | "$create_alias" | "$merge") {
        return Ok(());
    }
    let invalid = |field: &str, why: &str| {
        Err(Fault::field("invalid_field", field, format!("'{field}' is invalid: {why}")))
    };
    let Some(properties) = object_in(event, "properties")? else { return Err(missing("properties")) };
    match properties.get("time").map(client_time) {
        Some(ClientTime::At(at)) if at >= IMPORT_SINCE && at <= now.saturating_add(IMPORT_AHEAD_MS) => {}
        Some(ClientTime::At(_)) => {
            return invalid("properties.time", "must lie between 1971 and one hour from now");
        }
        _ => return invalid("properties.time", "must be specified as seconds since epoch"),
    }
    let insert_id = id_in(&properties, "$insert_id")?.unwrap_or_default();
    if insert_id.is_empty() {
        return invalid("properties.$insert_id", "must not be missing or empty");
    }
    let fine = insert_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fine || insert_id.len() > IMPORT_INSERT_ID_BYTES {
        return invalid("properties.$insert_id", "must have at most 36 letters, digits and hyphens");
    }
    match id_in(&properties, "distinct_id")? {
        None => invalid("properties.distinct_id", "must not be missing; it may be empty"),
        Some(id) if !id.is_empty() && usable::is_garbage(&id) => {
            invalid("properties.distinct_id", "is a placeholder that names nobody")
        }
        Some(_) => Ok(()),
    }
}

/// Decodes an event of `/track` or `/import`.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let event = &doc.object()?;
    let (name, found) = check(event)?;
    let mut draft = Draft::new(envelope, doc);
    draft.event.user_id = draft.id(found.user.as_deref(), 1);
    draft.event.device_id = draft.id(found.device.as_deref(), 1);
    if let Some(other) = draft.id(found.other.as_deref(), 1) {
        draft.event.action = match name.as_str() {
            "$merge" => IdentityAction::Merge { other },
            _ => IdentityAction::Alias { other },
        };
    }
    if let Some(properties) = object_in(event, "properties")? {
        draft.insert_id("properties.$insert_id", id_in(&properties, "$insert_id")?)?;
        draft.time(properties.get("time").map_or(ClientTime::Absent, client_time), None);
        for (key, value) in properties.iter().filter(|(key, _)| !CONSUMED.contains(key)) {
            draft.property(key, value);
        }
    }
    for (key, value) in event.iter().filter(|(key, _)| !matches!(*key, "event" | "properties")) {
        draft.context_property(key, value);
    }
    revenue(&mut draft);
    draft.name(name);
    Ok(draft.event)
}

/// Seconds, milliseconds, or ISO text.
pub(super) fn client_time(field: Field<'_>) -> ClientTime {
    let millis = |number: f64| match number.is_finite() {
        true if number.abs() > SECONDS_MAX => Some(number as Millis),
        true => Some((number * 1000.0).round() as Millis),
        false => None,
    };
    let found = match field.to_value() {
        Value::Number(number) => number.as_f64().and_then(millis),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => millis(number),
            Err(_) => time::parse(&text),
        },
        _ => None,
    };
    found.and_then(time::in_range).map_or(ClientTime::Unusable, ClientTime::At)
}

/// `$amount` is what Mixpanel's charges call the revenue.
fn revenue(draft: &mut Draft<'_>) {
    let number = |name: &str| draft.event.properties.get(name).filter(|value| value.is_number());
    if number("revenue").is_none()
        && let Some(amount) = number("$amount").cloned()
    {
        draft.event.properties.insert("revenue".to_owned(), amount);
    }
}
