//! Native events: what must hold, and what they become.

use crate::draft::{ClientTime, Draft, id_in, missing, object_in, too_long, wrong_type};
use crate::ids::{self, Id};
use crate::json::{Doc, Fault, Field, Object};
use crate::{limits, ops, time};
use tallymark_model::{Annotation, DeadReason, Envelope, Event, IdentityAction};

/// What the door must know of an event that will decode.
pub(super) struct Checked {
    pub name: String,
    pub user_id: Option<String>,
    pub device_id: Option<String>,
    dropped: bool,
}

/// Checks the rules that make an event acceptable; decoding then cannot fail.
pub(super) fn check(event: &Object<'_>) -> Result<Checked, Fault> {
    let name = event.get("event").ok_or_else(|| missing("event"))?;
    let text = name.as_str().ok_or_else(|| wrong_type("event", "a string", name))?;
    if text.trim().is_empty() {
        return Err(Fault::field("invalid_field", "event", "field 'event' is blank"));
    }
    if text.chars().count() > limits::NAME_CHARS {
        return Err(too_long("event", limits::NAME_CHARS));
    }
    for field in ["properties", "user_properties", "groups", "group_properties"] {
        object_in(event, field)?;
    }
    if id_in(event, "insert_id")?.is_some_and(|id| id.trim().len() > limits::ID_BYTES) {
        return Err(too_long("insert_id", limits::ID_BYTES));
    }
    id_in(event, "session_id")?;
    if needs_other(text) && other_id(event).is_none() {
        return Err(Fault::field(
            "missing_field",
            "properties.alias",
            format!("'{text}' needs the other id in 'properties.alias'"),
        ));
    }
    let user = ids::usable(id_in(event, "user_id")?.as_deref(), 1);
    let device = ids::usable(id_in(event, "device_id")?.as_deref(), 1);
    let dropped = user == Id::Garbage || device == Id::Garbage;
    let usable = |id| if let Id::Usable(id) = id { Some(id) } else { None };
    Ok(Checked {
        name: name.to_text().unwrap_or_default(),
        user_id: usable(user),
        device_id: usable(device),
        dropped,
    })
}

fn needs_other(name: &str) -> bool {
    matches!(name, "$alias" | "$create_alias" | "$merge" | "$merge_dangerously")
}

fn other_id(event: &Object<'_>) -> Option<String> {
    event.get("properties")?.as_object()?.get("alias")?.to_text()
}

/// Decodes one event of `POST /api/v1/events`.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let event = &doc.object()?;
    let checked = check(event)?;
    let mut draft = Draft::new(envelope, doc);
    if checked.dropped {
        draft.note(Annotation::IdDropped);
    }
    draft.event.action = action(&mut draft, event, &checked);
    draft.event.name = checked.name;
    draft.event.user_id = checked.user_id;
    draft.event.device_id = checked.device_id;
    draft.insert_id("insert_id", id_in(event, "insert_id")?)?;
    draft.session_id(id_in(event, "session_id")?);
    draft.time(event.get("time").map_or(ClientTime::Absent, client_time), envelope.context.sent_at);
    if let Some(properties) = object_in(event, "properties")? {
        draft.properties(&properties);
    }
    if let Some(changes) = object_in(event, "user_properties")? {
        ops::read(&changes, &mut draft.event.person_ops);
    }
    if let Some(groups) = object_in(event, "groups")?
        && ops::groups(&groups, &mut draft.event.groups)
    {
        draft.note(Annotation::Truncated);
    }
    if let Some(changes) = object_in(event, "group_properties")? {
        let mut list = Vec::new();
        ops::read(&changes, &mut list);
        for (kind, name) in draft.event.groups.clone() {
            draft.event.group_ops.extend(list.iter().map(|op| (kind.clone(), name.clone(), op.clone())));
        }
    }
    for (key, value) in event.iter().filter(|(key, _)| !KNOWN.contains(key)) {
        draft.context_property(key, value);
    }
    Ok(draft.event)
}

const KNOWN: [&str; 10] = [
    "event",
    "time",
    "user_id",
    "device_id",
    "insert_id",
    "session_id",
    "properties",
    "user_properties",
    "groups",
    "group_properties",
];

fn client_time(value: Field<'_>) -> ClientTime {
    let parsed = match value.as_str() {
        Some(text) => time::parse(text),
        None => value.as_millis().and_then(time::in_range),
    };
    parsed.map_or(ClientTime::Unusable, ClientTime::At)
}

fn action(draft: &mut Draft<'_>, event: &Object<'_>, checked: &Checked) -> IdentityAction {
    if checked.name == "$reset" {
        return IdentityAction::Reset;
    }
    if !needs_other(&checked.name) {
        return IdentityAction::None;
    }
    let Some(other) = draft.id(other_id(event).as_deref(), 1) else { return IdentityAction::None };
    if checked.user_id.as_ref() == Some(&other) {
        return IdentityAction::None;
    }
    match checked.name.as_str() {
        "$alias" | "$create_alias" => IdentityAction::Alias { other },
        _ => IdentityAction::Merge { other },
    }
}
