//! Amplitude events and identifications to events.

use super::check::MIN_ID_LENGTH;
use crate::draft::{ClientTime, Draft, id_in, missing};
use crate::json::{Doc, Fault, Object};
use crate::{ops, time};
use tallymark_model::{Annotation, DeadReason, Envelope, Event, IdentityAction, PropertyOp, Value};

/// The call of an envelope that holds an item of `/usermap`.
pub(super) const USERMAP: &str = "usermap";

/// Decodes an event of HTTP V2, Batch or HTTP V1.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    let build = || {
        let event = &doc.object()?;
        let name = event.get("event_type").ok_or_else(|| missing("event_type"))?.to_text();
        build(envelope, doc, event, name.unwrap_or_default())
    };
    build().map_err(Fault::dead)
}

/// Decodes an item of `/identify` or `/groupidentify`.
pub(crate) fn decode_identification(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    let build = || {
        let item = &doc.object()?;
        if envelope.context.call.as_deref() == Some("groupidentify") {
            return group_identification(envelope, doc, item);
        }
        if envelope.context.call.as_deref() == Some(USERMAP) {
            return mapping(envelope, doc, item);
        }
        build(envelope, doc, item, "$identify".to_owned())
    };
    build().map_err(Fault::dead)
}

/// Both ids become one person, whatever was known of them before; the global user's properties win.
fn mapping(envelope: &Envelope, doc: &Doc, item: &Object<'_>) -> Result<Event, Fault> {
    let mut draft = Draft::new(envelope, doc);
    draft.name("$merge".to_owned());
    let text = |field| id_in(item, field)?.filter(|t| !t.is_empty()).ok_or_else(|| missing(field));
    let (user, global) = (text("user_id")?, text("global_user_id")?);
    draft.event.user_id = draft.id(Some(&global), 1);
    if let Some(other) = draft.id(Some(&user), 1)
        && draft.event.user_id.as_ref().is_some_and(|global| *global != other)
    {
        draft.event.action = IdentityAction::Merge { other };
    }
    Ok(draft.event)
}

fn group_identification(envelope: &Envelope, doc: &Doc, item: &Object<'_>) -> Result<Event, Fault> {
    let mut draft = Draft::new(envelope, doc);
    draft.name("$groupidentify".to_owned());
    let text = |field| id_in(item, field)?.filter(|t| !t.is_empty()).ok_or_else(|| missing(field));
    draft.event.groups = vec![(text("group_type")?, text("group_value")?)];
    group_changes(&mut draft, item);
    draft.insert_id("insert_id", id_in(item, "insert_id")?)?;
    Ok(draft.event)
}

fn build(envelope: &Envelope, doc: &Doc, event: &Object<'_>, name: String) -> Result<Event, Fault> {
    let mut draft = Draft::new(envelope, doc);
    if name.trim().is_empty() {
        return Err(Fault::field(
            "invalid_field",
            "event_type",
            "field 'event_type' is blank or not a string",
        ));
    }
    draft.name(name);
    let min = envelope.context.min_id_length.unwrap_or(MIN_ID_LENGTH) as usize;
    draft.event.user_id = draft.id(id_in(event, "user_id")?.as_deref(), min);
    draft.event.device_id = draft.id(id_in(event, "device_id")?.as_deref(), min);
    let insert_id = match id_in(event, "insert_id")? {
        Some(id) => Some(id),
        None => id_in(event, "uuid")?,
    };
    draft.insert_id("insert_id", insert_id)?;
    draft.session_id(event.get("session_id").and_then(|v| v.to_text()));
    // The first SDKs write `timestamp`.
    let client = match event.get("time").or_else(|| event.get("timestamp")) {
        None => ClientTime::Absent,
        Some(v) => v.as_millis().and_then(time::in_range).map_or(ClientTime::Unusable, ClientTime::At),
    };
    draft.time(client, envelope.context.sent_at);
    if let Some(properties) = event.get("event_properties").and_then(|v| v.as_object()) {
        draft.properties(&properties);
    }
    context(&mut draft, event);
    revenue(&mut draft);
    let skip = event.get("$skip_user_properties_sync").and_then(|v| v.as_bool()) == Some(true);
    if !skip && let Some(changes) = event.get("user_properties").and_then(|v| v.as_object()) {
        ops::read(&changes, &mut draft.event.person_ops);
    }
    if let Some(groups) = event.get("groups").and_then(|v| v.as_object())
        && ops::groups(&groups, &mut draft.event.groups)
    {
        draft.note(Annotation::Truncated);
    }
    group_changes(&mut draft, event);
    Ok(draft.event)
}

/// Members that say more about the event, under Amplitude's names.
fn context(draft: &mut Draft<'_>, event: &Object<'_>) {
    const HANDLED: [&str; 14] = [
        "event_type",
        "user_id",
        "device_id",
        "time",
        "timestamp",
        "insert_id",
        "uuid",
        "session_id",
        "event_properties",
        "user_properties",
        "groups",
        "group_properties",
        "$skip_user_properties_sync",
        "api_properties",
    ];
    for (key, value) in event.iter().filter(|(key, _)| !HANDLED.contains(key)) {
        match key {
            "ip" if value.as_str() == Some("$remote") => {
                if let Some(ip) = &draft.envelope.context.ip {
                    draft.event.properties.insert("ip".to_owned(), Value::from(ip.as_str()));
                }
            }
            _ => draft.context_property(key, value),
        }
    }
}

/// With a price, revenue is price times quantity. The SDKs' own `Revenue` events write theirs with a `$`; a revenue
/// that was sent with such an event stays.
fn revenue(draft: &mut Draft<'_>) {
    let number = |name: &str| draft.event.properties.get(name).and_then(Value::as_f64);
    let product = |price: f64, quantity: &str| price * number(quantity).unwrap_or(1.0);
    let of_sdk = || number("$price").filter(|_| number("revenue").is_none());
    let revenue = match number("price") {
        Some(price) => Some(product(price, "quantity")),
        None => of_sdk().map(|price| product(price, "$quantity")),
    };
    if let Some(revenue) = revenue.and_then(serde_json::Number::from_f64) {
        draft.event.properties.insert("revenue".to_owned(), Value::Number(revenue));
    }
}

fn group_changes(draft: &mut Draft<'_>, event: &Object<'_>) {
    let Some(changes) = event.get("group_properties").and_then(|v| v.as_object()) else { return };
    let mut list: Vec<PropertyOp> = Vec::new();
    ops::read(&changes, &mut list);
    for (kind, name) in draft.event.groups.clone() {
        draft.event.group_ops.extend(list.iter().map(|op| (kind.clone(), name.clone(), op.clone())));
    }
}
