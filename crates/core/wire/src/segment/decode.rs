//! Segment messages to events.

use crate::draft::{ClientTime, Draft, id_in, missing};
use crate::json::{Doc, Fault, Field, Object};
use crate::{ops, time};
use tallymark_model::{
    Annotation, DeadReason, Envelope, Event, IdentityAction, PropertyOp, PropertyOpKind, Value,
};

/// The type of groups that Segment, which knows no types, has.
const GROUP_TYPE: &str = "group";

/// The call of an envelope whose message a partner forwarded: its `timestamp` is corrected already.
pub(super) const FORWARDED: &str = "webhook";

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Track,
    Identify,
    Page,
    Screen,
    Group,
    Alias,
}

impl Kind {
    /// The kind by the path, else by the message's `type`.
    pub fn of(message: &Object<'_>, path: Option<&str>) -> Result<Kind, Fault> {
        let path = path.filter(|path| *path != FORWARDED);
        let name = path.or_else(|| message.str("type")).ok_or_else(|| missing("type"))?;
        Ok(match name {
            "track" => Kind::Track,
            "identify" => Kind::Identify,
            "page" => Kind::Page,
            "screen" => Kind::Screen,
            "group" => Kind::Group,
            "alias" => Kind::Alias,
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(Fault::field(
                    "invalid_field",
                    "type",
                    format!("message type '{other}' is not known"),
                ));
            }
        })
    }
}

/// The raw ids of a message.
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
    previous: Option<String>,
}

/// Checks what the specification requires of a message of this kind.
pub(super) fn check(message: &Object<'_>, kind: Kind) -> Result<Ids, Fault> {
    let id = |field| Ok(id_in(message, field)?.filter(|id| !id.trim().is_empty()));
    let mut ids = Ids { user: id("userId")?, device: id("anonymousId")?, previous: None };
    match kind {
        Kind::Track if name_of(message).is_none() => return Err(missing("event")),
        Kind::Group if id("groupId")?.is_none() => return Err(missing("groupId")),
        Kind::Alias => {
            ids.previous = id("previousId")?;
            if ids.previous.is_none() {
                return Err(missing("previousId"));
            }
            if ids.user.is_none() {
                // `alias` of an anonymous visitor: the two ids are one person.
                ids.user = ids.previous.take();
            } else {
                // An alias is about two ids. The browser's SDK adds the device's, which belongs to the old one: with
                // it the new id would be another person on that device before the two could become one.
                ids.device = None;
            }
        }
        _ => {}
    }
    if ids.user.is_none() && ids.device.is_none() {
        return Err(Fault::field(
            "missing_field",
            "userId",
            "the message has neither 'userId' nor 'anonymousId'",
        ));
    }
    Ok(ids)
}

fn name_of(message: &Object<'_>) -> Option<String> {
    message.get("event")?.to_text().filter(|name| !name.trim().is_empty())
}

/// Decodes one message.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let message = &doc.object()?;
    let kind = Kind::of(message, envelope.context.call.as_deref())?;
    let ids = check(message, kind)?;
    let mut draft = Draft::new(envelope, doc);
    draft.event.user_id = draft.id(ids.user.as_deref(), 1);
    draft.event.device_id = draft.id(ids.device.as_deref(), 1);
    draft.insert_id("messageId", id_in(message, "messageId")?)?;
    when(&mut draft, message);
    if let Some(properties) = message.get("properties").and_then(|v| v.as_object()) {
        draft.properties(&properties);
    }
    let traits = message.get("traits");
    match kind {
        Kind::Track => draft.name(name_of(message).unwrap_or_default()),
        Kind::Page => draft.name("Page Viewed".to_owned()),
        Kind::Screen => draft.name("Screen Viewed".to_owned()),
        Kind::Identify => {
            draft.name("$identify".to_owned());
            if let Some(traits) = traits {
                ops::apply(PropertyOpKind::Set, traits, &mut draft.event.person_ops);
            }
        }
        Kind::Group => group(&mut draft, message, traits),
        Kind::Alias => {
            draft.name("$alias".to_owned());
            if let Some(other) = draft.id(ids.previous.as_deref(), 1)
                && draft.event.user_id.as_ref().is_some_and(|user| *user != other)
            {
                draft.event.action = IdentityAction::Alias { other };
            }
        }
    }
    context(&mut draft, message)?;
    Ok(draft.event)
}

/// RudderStack's Node SDK sends `originalTimestamp`, others `timestamp`; both mean the client's clock.
fn when(draft: &mut Draft<'_>, message: &Object<'_>) {
    let read = |field: Field<'_>| time::of_value(&field.to_value());
    let forwarded = draft.envelope.context.call.as_deref() == Some(FORWARDED);
    let fields =
        if forwarded { ["timestamp", "originalTimestamp"] } else { ["originalTimestamp", "timestamp"] };
    let client = match fields.iter().find_map(|field| message.get(field)) {
        None => ClientTime::Absent,
        Some(field) => read(field).map_or(ClientTime::Unusable, ClientTime::At),
    };
    let sent_at = message.get("sentAt").and_then(read).or(draft.envelope.context.sent_at);
    draft.time(client, sent_at.filter(|_| !forwarded));
}

fn group(draft: &mut Draft<'_>, message: &Object<'_>, traits: Option<Field<'_>>) {
    draft.name("$groupidentify".to_owned());
    let Some(name) = message.get("groupId").and_then(|v| v.to_text()) else { return };
    let mut changes: Vec<PropertyOp> = Vec::new();
    if let Some(traits) = traits {
        ops::apply(PropertyOpKind::Set, traits, &mut changes);
    }
    draft.event.groups.push((GROUP_TYPE.to_owned(), name.clone()));
    draft.event.group_ops = changes.into_iter().map(|op| (GROUP_TYPE.to_owned(), name.clone(), op)).collect();
}

/// The message's context, what the batch says for it, and every other member.
fn context(draft: &mut Draft<'_>, message: &Object<'_>) -> Result<(), Fault> {
    const HANDLED: [&str; 17] = [
        "type",
        "event",
        "userId",
        "anonymousId",
        "previousId",
        "groupId",
        "messageId",
        "timestamp",
        "originalTimestamp",
        "sentAt",
        "receivedAt",
        "properties",
        "traits",
        "context",
        "integrations",
        "_metadata",
        "writeKey",
    ];
    for (key, value) in message.iter().filter(|(key, _)| !HANDLED.contains(key)) {
        draft.context_property(key, value);
    }
    if let Some(own) = message.get("context").and_then(|v| v.as_object()) {
        apply_context(draft, &own);
    }
    if let Some(shared) = &draft.envelope.context.shared {
        let shared = Doc::parse(shared.as_bytes())?;
        if shared.replaced() {
            draft.note(Annotation::CharacterReplaced);
        }
        apply_context(draft, &shared.object()?);
    }
    Ok(())
}

fn apply_context(draft: &mut Draft<'_>, context: &Object<'_>) {
    for (key, value) in context.iter() {
        match key {
            "traits" => ops::apply(PropertyOpKind::Set, value, &mut draft.event.person_ops),
            "sessionId" if draft.event.session_id.is_none() => draft.session_id(value.to_text()),
            "groupId" if draft.event.groups.is_empty() => {
                let name = value.to_text().filter(|name| !name.is_empty());
                draft.event.groups.extend(name.map(|name| (GROUP_TYPE.to_owned(), name)));
            }
            _ => flatten(draft, &format!("context.{}", value.clean_key(key)), value.to_value()),
        }
    }
}

fn flatten(draft: &mut Draft<'_>, name: &str, value: Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                flatten(draft, &format!("{name}.{key}"), value);
            }
        }
        value => {
            if !draft.event.properties.contains_key(name) {
                draft.event.properties.insert(name.to_owned(), value);
            }
        }
    }
}
