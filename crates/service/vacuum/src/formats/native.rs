//! What `wire` makes of a vendor's event, written as an event of the native API.
//!
//! Guarantees: reading the result gives the same event again, but for remarks (`formats/tests.rs` compares them).

use serde_json::{Map, Value, json};
use std::sync::Arc;
use tallymark_model::{
    Envelope, Event, IdentityAction, Lane, ProjectToken, PropertyOp, PropertyOpKind, RequestContext,
    WireFormat,
};

/// Reads an event as if an SDK had sent it.
pub(super) fn decoded(wire: WireFormat, event: &Map<String, Value>) -> Result<Event, String> {
    let envelope = Envelope {
        token: ProjectToken([0; 16]),
        wire,
        lane: Lane::Bulk,
        key: String::new(),
        received_at: i64::MAX / 4,
        // Exports hold ids that the vendor has let pass.
        context: Arc::new(RequestContext { min_id_length: Some(1), ..RequestContext::default() }),
        body: serde_json::to_vec(event).unwrap_or_default().into(),
    };
    tallymark_wire::decode(&envelope).map_err(|dead| format!("{}: {}", dead.code, dead.message))
}

/// The event as the native API takes it. `time` is what the export says; without one it is left out.
pub(super) fn encoded(event: Event, time: Option<i64>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut properties = event.properties;
    let name = match &event.action {
        IdentityAction::Reset => "$reset".to_owned(),
        IdentityAction::Alias { other } => {
            properties.insert("alias".to_owned(), other.as_str().into());
            "$alias".to_owned()
        }
        IdentityAction::Merge { other } => {
            properties.insert("alias".to_owned(), other.as_str().into());
            "$merge".to_owned()
        }
        IdentityAction::None => event.name.clone(),
    };
    out.insert("event".into(), name.into());
    if let Some(time) = time {
        out.insert("time".into(), time.into());
    }
    for (field, value) in [
        ("user_id", event.user_id),
        ("device_id", event.device_id),
        ("insert_id", event.insert_id),
        ("session_id", event.session_id),
    ] {
        if let Some(value) = value {
            out.insert(field.into(), value.into());
        }
    }
    out.insert("properties".into(), Value::Object(properties.into_iter().collect()));
    if !event.person_ops.is_empty() {
        out.insert("user_properties".into(), operations(event.person_ops.iter()));
    }
    let mut groups = Map::new();
    for (kind, name) in &event.groups {
        let names = groups.entry(kind.as_str()).or_insert_with(|| json!([]));
        if let Value::Array(names) = names {
            names.push(name.as_str().into());
        }
    }
    if !groups.is_empty() {
        out.insert("groups".into(), groups.into());
    }
    // All groups of an event get the same changes, in every protocol.
    if let Some((kind, name, _)) = event.group_ops.first() {
        let first = event.group_ops.iter().filter(|(k, n, _)| (k, n) == (kind, name)).map(|(_, _, op)| op);
        out.insert("group_properties".into(), operations(first));
    }
    out
}

/// Operations by kind. An event that sets and unsets the same property comes out in the order of kinds.
fn operations<'a>(ops: impl Iterator<Item = &'a PropertyOp>) -> Value {
    let mut out = Map::new();
    for op in ops {
        let kind = match op.kind {
            PropertyOpKind::Set => "$set",
            PropertyOpKind::SetOnce => "$set_once",
            PropertyOpKind::Add => "$add",
            PropertyOpKind::Append => "$append",
            PropertyOpKind::Prepend => "$prepend",
            PropertyOpKind::Remove => "$remove",
            PropertyOpKind::Unset => "$unset",
            PropertyOpKind::PostInsert => "$postInsert",
            PropertyOpKind::PreInsert => "$preInsert",
            PropertyOpKind::ClearAll => {
                out.insert("$clearAll".into(), "-".into());
                continue;
            }
        };
        let operand = out.entry(kind).or_insert_with(|| Map::new().into());
        if let Value::Object(operand) = operand {
            operand.insert(op.name.clone(), op.value.clone());
        }
    }
    out.into()
}
