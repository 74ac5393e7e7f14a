//! Mixpanel's changes of persons and groups.

use super::event::client_time;
use super::ids::{self, Ids};
use crate::draft::{ClientTime, Draft, missing};
use crate::json::{Doc, Fault, Field, Object};
use crate::{limits, ops};
use tallymark_model::{DeadReason, Envelope, Event, PropertyOp, PropertyOpKind, Value};

/// Whom or what an item changes.
pub(super) enum Target {
    Person(Ids),
    /// Group type and name.
    Group(String, String),
}

/// The target of an item that can be decoded.
pub(super) fn check(item: &Object<'_>) -> Result<Target, Fault> {
    let text = |name: &str| item.get(name)?.to_text().filter(|id| !id.trim().is_empty());
    if !item.iter().any(|(key, _)| kind_of(key).is_some()) {
        let why = "the item has none of $set, $set_once, $add, $append, $union, $remove, $unset, $delete";
        return Err(Fault::field("missing_field", "$set", why));
    }
    if item.get("$group_key").is_some() || item.get("$group_id").is_some() {
        let group_id = text("$group_id").ok_or_else(|| missing("$group_id"))?;
        if group_id.len() > limits::ID_BYTES {
            return Err(crate::draft::too_long("$group_id", limits::ID_BYTES));
        }
        return Ok(Target::Group(text("$group_key").ok_or_else(|| missing("$group_key"))?, group_id));
    }
    let distinct = text("$distinct_id").ok_or_else(|| missing("$distinct_id"))?;
    Ok(Target::Person(ids::plain(Some(distinct), text("$user_id"), text("$device_id"))))
}

fn kind_of(key: &str) -> Option<PropertyOpKind> {
    Some(match key {
        "$set" => PropertyOpKind::Set,
        "$set_once" => PropertyOpKind::SetOnce,
        "$add" => PropertyOpKind::Add,
        "$append" => PropertyOpKind::Append,
        "$union" => PropertyOpKind::PostInsert,
        "$remove" => PropertyOpKind::Remove,
        "$unset" => PropertyOpKind::Unset,
        "$delete" => PropertyOpKind::ClearAll,
        _ => return None,
    })
}

/// Decodes an item of `/engage` or `/groups`.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    build(envelope, doc).map_err(Fault::dead)
}

fn build(envelope: &Envelope, doc: &Doc) -> Result<Event, Fault> {
    let item = &doc.object()?;
    let target = check(item)?;
    let mut draft = Draft::new(envelope, doc);
    draft.time(item.get("$time").map_or(ClientTime::Absent, client_time), None);
    let mut changes = Vec::new();
    for (key, operand) in item.iter() {
        if let Some(kind) = kind_of(key) {
            apply(kind, operand, &mut changes);
        }
    }
    match target {
        Target::Person(found) => {
            draft.name("$identify".to_owned());
            draft.event.user_id = draft.id(found.user.as_deref(), 1);
            draft.event.device_id = draft.id(found.device.as_deref(), 1);
            draft.event.person_ops = changes;
        }
        Target::Group(kind, name) => {
            draft.name("$groupidentify".to_owned());
            draft.event.group_ops = changes.into_iter().map(|op| (kind.clone(), name.clone(), op)).collect();
            draft.event.groups = vec![(kind, name)];
        }
    }
    Ok(draft.event)
}

/// `$append` and `$remove` take one value, also if it is a list.
fn apply(kind: PropertyOpKind, operand: Field<'_>, out: &mut Vec<PropertyOp>) {
    let before = out.len();
    ops::apply(kind, operand, out);
    if matches!(kind, PropertyOpKind::Append | PropertyOpKind::Remove) {
        for op in &mut out[before..] {
            if op.value.is_array() {
                op.value = Value::Array(vec![op.value.take()]);
            }
        }
    }
}
