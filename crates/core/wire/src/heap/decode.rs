//! Calls of Heap's server API: what must hold, and what they become.

use crate::call::HeapCall;
use crate::draft::{ClientTime, Draft, id_in, missing, object_in, too_long, wrong_type};
use crate::json::{Doc, Fault, Field, Object};
use crate::{limits, ops, time};
use tallymark_model::{Annotation, DeadReason, Envelope, Event, PropertyOpKind, Value, canonical_text};

/// The group type of accounts.
const ACCOUNT: &str = "account";

/// What an item is; written into the log by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Track,
    Identify,
    User,
    Account,
}

impl Kind {
    /// The kind of the items of a route.
    pub fn of_call(call: HeapCall) -> Kind {
        match call {
            HeapCall::Identify => Kind::Identify,
            HeapCall::UserProperties => Kind::User,
            HeapCall::AccountProperties => Kind::Account,
            HeapCall::Track | HeapCall::Pixel => Kind::Track,
        }
    }

    /// Its name; an event has none.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Kind::Track => None,
            Kind::Identify => Some("identify"),
            Kind::User => Some("user"),
            Kind::Account => Some("account"),
        }
    }

    fn of_name(name: Option<&str>) -> Kind {
        [Kind::Identify, Kind::User, Kind::Account]
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or(Kind::Track)
    }
}

/// The raw ids of an item.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
}

/// Checks what Heap requires of an item of this kind.
pub(super) fn check(item: &Object<'_>, kind: Kind) -> Result<Ids, Fault> {
    let text = |field: &str| Ok::<_, Fault>(id_in(item, field)?.filter(|id| !id.trim().is_empty()));
    object_in(item, "properties")?;
    if kind == Kind::Account {
        let account = text("account_id")?.ok_or_else(|| missing("account_id"))?;
        return match account.len() > limits::ID_BYTES {
            true => Err(too_long("account_id", limits::ID_BYTES)),
            false => Ok(Ids::default()),
        };
    }
    let ids = Ids { user: text("identity")?, device: text("user_id")? };
    match (kind, &ids.user, &ids.device) {
        (Kind::Identify, None, _) => return Err(missing("identity")),
        (Kind::Identify, _, None) => return Err(missing("user_id")),
        (_, None, None) => return Err(missing("identity")),
        _ => {}
    }
    if kind == Kind::Track {
        let event = item.get("event").ok_or_else(|| missing("event"))?;
        if event.as_str().ok_or_else(|| wrong_type("event", "a string", event))?.trim().is_empty() {
            return Err(missing("event"));
        }
    }
    Ok(ids)
}

/// Decodes one item.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let item = &doc.object()?;
    let kind = Kind::of_name(envelope.context.call.as_deref());
    let ids = check(item, kind)?;
    let mut draft = Draft::new(envelope, doc);
    draft.event.user_id = draft.id(ids.user.as_deref(), 1);
    draft.event.device_id = draft.id(ids.device.as_deref(), 1);
    draft.insert_id("idempotency_key", id_in(item, "idempotency_key")?)?;
    draft.session_id(item.get("session_id").and_then(|id| id.to_text()));
    let client = |at: Field<'_>| time::of_value(&at.to_value()).map_or(ClientTime::Unusable, ClientTime::At);
    draft.time(item.get("timestamp").map_or(ClientTime::Absent, client), None);
    let properties = object_in(item, "properties")?;
    match kind {
        Kind::Track => {
            draft.name(item.get("event").and_then(|name| name.to_text()).unwrap_or_default());
            for (key, value) in properties.iter().flat_map(|p| p.iter()) {
                let (key, value) = (value.clean_key(key), joined(&mut draft, value));
                draft.event.properties.insert(key, value);
            }
        }
        Kind::Identify => draft.name("$identify".to_owned()),
        Kind::User => {
            draft.name("$identify".to_owned());
            let operand = item.get("properties");
            operand.into_iter().for_each(|o| ops::apply(PropertyOpKind::Set, o, &mut draft.event.person_ops));
            for op in &mut draft.event.person_ops {
                op.value = flat(op.value.take()).0;
            }
        }
        Kind::Account => account(&mut draft, item),
    }
    for (key, value) in item.iter().filter(|(key, _)| !HANDLED.contains(key)) {
        draft.context_property(key, value);
    }
    Ok(draft.event)
}

/// Members that are read elsewhere.
const HANDLED: [&str; 9] = [
    "app_id",
    "identity",
    "user_id",
    "account_id",
    "event",
    "timestamp",
    "properties",
    "idempotency_key",
    "session_id",
];

fn account(draft: &mut Draft<'_>, item: &Object<'_>) {
    draft.name("$groupidentify".to_owned());
    let Some(name) = item.get("account_id").and_then(|id| id.to_text()) else { return };
    let mut changes = Vec::new();
    if let Some(operand) = item.get("properties") {
        ops::apply(PropertyOpKind::Set, operand, &mut changes);
    }
    for mut op in changes {
        op.value = flat(op.value).0;
        draft.event.group_ops.push((ACCOUNT.to_owned(), name.clone(), op));
    }
    draft.event.groups = vec![(ACCOUNT.to_owned(), name)];
}

/// A property as Heap stores it, with a remark if a list was too long.
fn joined(draft: &mut Draft<'_>, value: Field<'_>) -> Value {
    let (value, cut) = flat(value.to_value());
    if cut {
        draft.note(Annotation::Truncated);
    }
    value
}

/// Lists become text; true if it had to be cut.
fn flat(value: Value) -> (Value, bool) {
    let Value::Array(items) = value else { return (value, false) };
    let text = |item: Value| match item {
        Value::String(text) => text,
        other => canonical_text(&other),
    };
    let mut joined = items.into_iter().map(text).collect::<Vec<_>>().join("||");
    let end = joined.char_indices().nth(limits::HEAP_LIST_CHARS).map(|(end, _)| end);
    if let Some(end) = end {
        joined.truncate(end);
    }
    (Value::String(joined), end.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_joined_and_cut_at_a_character() {
        assert_eq!(flat(json!(["a", 1, true, null])), (json!("a||1||true||"), false));
        assert_eq!(flat(json!([])), (json!(""), false));
        assert_eq!(flat(json!("a||b")), (json!("a||b"), false));
        let (long, cut) = flat(json!(["ä".repeat(2000)]));
        assert!(cut && long == json!("ä".repeat(1024)));
    }
}
