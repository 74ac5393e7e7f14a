//! Items of `/users/track`: attributes, events and purchases.

use super::decode::{Ids, object, revenue};
use crate::draft::{Draft, id_in};
use crate::json::{Fault, Field, Object};
use tallymark_model::{PropertyOp, PropertyOpKind, Value};

/// Members that say who, or how Braze should treat the item.
const HANDLED: [&str; 8] = [
    "external_id",
    "user_alias",
    "braze_id",
    "_update_existing_only",
    "push_token_import",
    "push_tokens",
    "name",
    "time",
];

/// The ids of an item.
pub(super) fn ids(item: &Object<'_>) -> Result<Ids, Fault> {
    let id = |field| Ok(id_in(item, field)?.filter(|id: &String| !id.trim().is_empty()));
    let alias = || {
        let alias = object(item, "user_alias")?;
        let text = |field: &str| alias.get(field)?.to_text().filter(|text| !text.is_empty());
        Some(format!("{}:{}", text("alias_label")?, text("alias_name")?))
    };
    Ok(Ids { user: id("external_id")?, device: id("braze_id")?.or_else(alias) })
}

/// What the item says.
pub(super) fn fill(draft: &mut Draft<'_>, item: &Object<'_>, list: &str) {
    if list == "attributes" {
        // A person's attribute may be called `name` or `time`.
        let is_who = |key: &str| HANDLED[..6].contains(&key);
        for (key, value) in item.iter().filter(|(key, _)| !is_who(key)) {
            let name = value.clean_key(key);
            draft.event.person_ops.extend(change(name, value));
        }
        return;
    }
    if let Some(properties) = object(item, "properties") {
        draft.properties(&properties);
    }
    for (key, value) in item.iter().filter(|(key, _)| !HANDLED.contains(key) && *key != "properties") {
        draft.context_property(key, value);
    }
    if list == "purchases" {
        revenue(draft);
    }
}

/// Null removes; `{"inc": 1}`, `{"add": […]}`, `{"remove": […]}` change; everything else sets.
fn change(name: String, value: Field<'_>) -> Vec<PropertyOp> {
    let op = |kind, value| PropertyOp { kind, name: name.clone(), value };
    if value.is_null() {
        return vec![op(PropertyOpKind::Unset, Value::Null)];
    }
    let operations: Vec<PropertyOp> = value
        .as_object()
        .iter()
        .flat_map(Object::iter)
        .filter_map(|(word, operand)| {
            let kind = match word {
                "inc" => PropertyOpKind::Add,
                "add" => PropertyOpKind::PostInsert,
                "remove" => PropertyOpKind::Remove,
                _ => return None,
            };
            Some(op(kind, operand.to_value()))
        })
        .collect();
    if operations.is_empty() { vec![op(PropertyOpKind::Set, value.to_value())] } else { operations }
}
