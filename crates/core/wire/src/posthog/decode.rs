//! PostHog events to events.

use super::{identity, read};
use crate::draft::{ClientTime, Draft, id_in};
use crate::json::{Doc, Fault, Object};
use crate::{limits, ops, time};
use tallymark_model::{
    Annotation, DeadReason, Envelope, Event, IdentityAction, PropertyOp, PropertyOpKind, WireFormat,
};

/// Properties that become fields of the event; storing them twice would only cost space.
const CONSUMED: [&str; 12] = [
    "token",
    "distinct_id",
    "$distinct_id",
    "$device_id",
    "$session_id",
    "$anon_distinct_id",
    "$insert_id",
    "$set",
    "$set_once",
    "$unset",
    "$groups",
    "$group_set",
];
/// Members of the event beside its properties that are read elsewhere or mean nothing.
const HANDLED: [&str; 17] = [
    "event",
    "uuid",
    "distinct_id",
    "$distinct_id",
    "$anon_distinct_id",
    "properties",
    "timestamp",
    "offset",
    "$set",
    "$set_once",
    "$unset",
    "token",
    "api_key",
    "$token",
    "sent_at",
    "type",
    "historical_migration",
];

/// Members that v1 SDKs lift out of the properties.
const LIFTED: [&str; 3] = ["options", "session_id", "window_id"];

/// Decodes one capture event, v0 or v1.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let event = &doc.object()?;
    let name = read::name(event, envelope.context.call.as_deref() == Some("engage"))?;
    if name == "$snapshot" {
        return Err(Fault::field("not_an_event", "event", "session recordings are not stored"));
    }
    let mut draft = Draft::new(envelope, doc);
    let properties = event.get("properties").and_then(|p| p.as_object());
    let properties = properties.as_ref();
    let is_v1 = envelope.wire == WireFormat::PosthogV1;
    let options = event.get("options").filter(|_| is_v1).and_then(|o| o.as_object());
    let options = options.as_ref();
    identify(&mut draft, event, properties, options, &name)?;
    draft.insert_id("uuid", id_in(event, "uuid")?)?;
    let session = event.get("session_id").filter(|_| is_v1);
    let session = session.or_else(|| properties.and_then(|p| p.get("$session_id")));
    draft.session_id(session.and_then(|v| v.to_text()));
    when(&mut draft, event, properties, options);
    let place = |key| event.get(key).into_iter().chain(properties.and_then(|p| p.get(key)));
    for (key, kind) in [
        ("$set", PropertyOpKind::Set),
        ("$set_once", PropertyOpKind::SetOnce),
        ("$unset", PropertyOpKind::Unset),
    ] {
        for operand in place(key) {
            ops::apply(kind, operand, &mut draft.event.person_ops);
        }
    }
    if let Some(properties) = properties {
        groups(&mut draft, properties, &name);
        for (key, value) in properties.iter().filter(|(key, _)| !CONSUMED.contains(key)) {
            draft.property(key, value);
        }
    }
    let lifted = |key: &str| is_v1 && LIFTED.contains(&key);
    for (key, value) in event.iter().filter(|(key, _)| !HANDLED.contains(key) && !lifted(key)) {
        draft.context_property(key, value);
    }
    if is_v1 {
        put_back(&mut draft, event, options)?;
    }
    draft.name(name);
    Ok(draft.event)
}

/// What v1 SDKs take out of the properties, under the names it had there.
fn put_back(draft: &mut Draft<'_>, event: &Object<'_>, options: Option<&Object<'_>>) -> Result<(), Fault> {
    if let Some(window) = event.get("window_id") {
        draft.context_property("$window_id", window);
    }
    for (name, value) in options.into_iter().flat_map(Object::iter) {
        match name {
            // Older servers knew it by another name.
            "disable_skew_correction" | "disable_skew_adjustment" => {
                draft.context_property("$ignore_sent_at", value)
            }
            name => draft.context_property(&format!("${name}"), value),
        }
    }
    if let Some(library) = &draft.envelope.context.shared {
        let library = Doc::parse(library.as_bytes())?;
        for (name, value) in library.object()?.iter() {
            draft.context_property(name, value);
        }
    }
    Ok(())
}

fn identify(
    draft: &mut Draft<'_>,
    event: &Object<'_>,
    properties: Option<&Object<'_>>,
    options: Option<&Object<'_>>,
    name: &str,
) -> Result<(), Fault> {
    let ids = identity::of(event, properties, options, name)?;
    if ids.cut {
        draft.note(Annotation::Truncated);
    }
    draft.event.user_id = draft.id(ids.user.as_deref(), 1);
    draft.event.device_id = draft.id(ids.device.as_deref(), 1);
    if let Some(other) = draft.id(ids.other.as_deref(), 1)
        && draft.event.user_id.as_ref().is_some_and(|user| *user != other)
    {
        draft.event.action = match name {
            "$merge_dangerously" => IdentityAction::Merge { other },
            _ => IdentityAction::Alias { other },
        };
    }
    Ok(())
}

/// PostHog's rules: `offset` wins; the sender's clock corrects `timestamp` unless it asks not to; no time lies
/// more than 23 hours ahead.
fn when(
    draft: &mut Draft<'_>,
    event: &Object<'_>,
    properties: Option<&Object<'_>>,
    options: Option<&Object<'_>>,
) {
    let received_at = draft.envelope.received_at;
    if let Some(offset) = event.get("offset").and_then(|v| v.as_millis()) {
        match received_at.checked_sub(offset).and_then(time::in_range) {
            Some(time) => draft.event.time = time,
            None => draft.note(Annotation::TimeReplaced),
        }
    } else if let Some(timestamp) = event.get("timestamp") {
        let says = |of: Option<&Object<'_>>, name| of.and_then(|o| o.get(name)?.as_bool()) == Some(true);
        let ignore = says(properties, "$ignore_sent_at")
            || says(options, "disable_skew_correction")
            || says(options, "disable_skew_adjustment");
        let sent_at = draft.envelope.context.sent_at.filter(|_| !ignore);
        let client = time::of_value(&timestamp.to_value()).map_or(ClientTime::Unusable, ClientTime::At);
        draft.time(client, sent_at);
    }
    if draft.event.time > received_at.saturating_add(limits::POSTHOG_FUTURE_MS) {
        draft.event.time = received_at;
        draft.note(Annotation::TimeReplaced);
    }
}

fn groups(draft: &mut Draft<'_>, properties: &Object<'_>, name: &str) {
    if let Some(groups) = properties.get("$groups").and_then(|v| v.as_object())
        && ops::groups(&groups, &mut draft.event.groups)
    {
        draft.note(Annotation::Truncated);
    }
    if name != "$groupidentify" {
        return;
    }
    let text = |key| properties.get(key).and_then(|v| v.to_text()).filter(|t| !t.is_empty());
    let (Some(kind), Some(key)) = (text("$group_type"), text("$group_key")) else { return };
    let mut changes: Vec<PropertyOp> = Vec::new();
    if let Some(operand) = properties.get("$group_set") {
        ops::apply(PropertyOpKind::Set, operand, &mut changes);
    }
    draft.event.groups = vec![(kind.clone(), key.clone())];
    draft.event.group_ops = changes.into_iter().map(|op| (kind.clone(), key.clone(), op)).collect();
}
