//! mParticle events to events.

use crate::draft::{ClientTime, Draft, id_in, missing};
use crate::json::{Doc, Fault, Field, Object};
use crate::{ops, time};
use serde_json::Number;
use tallymark_model::{Annotation, DeadReason, Envelope, Event, PropertyOp, PropertyOpKind, Value};

/// The call of an envelope that holds what a batch says about its person.
pub(super) const PROFILE: &str = "profile";
/// How the user's own id is called by server SDKs, the browser SDK, and as a number in forwarded lists.
const CUSTOMER: [&str; 3] = ["customerid", "customer_id", "1"];
/// The number of the e-mail identity in forwarded lists.
const EMAIL_NUMBER: &str = "7";

/// The raw ids of a batch.
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
}

/// The ids of the batch that `says` this.
pub(super) fn ids(says: &Object<'_>) -> Ids {
    let text = |name: &str| says.get(name)?.to_text().filter(|id| !id.is_empty() && id != "0");
    let user = identities(says).into_iter().find(|(kind, _)| CUSTOMER.contains(&kind.as_str()));
    Ids { user: user.map(|(_, id)| id), device: text("mp_deviceid").or_else(|| text("mpid")) }
}

/// Kind and value of every identity, from either spelling.
fn identities(says: &Object<'_>) -> Vec<(String, String)> {
    let Some(found) = says.get("user_identities") else { return Vec::new() };
    let named = |kind: String, id: Option<String>| Some((kind, id.filter(|id| !id.is_empty())?));
    if let Some(object) = found.as_object() {
        return object.iter().filter_map(|(kind, id)| named(id.clean_key(kind), id.to_text())).collect();
    }
    let of_item = |item: Field<'_>| {
        let item = item.as_object()?;
        named(item.get("identity_type")?.to_text()?, item.get("identity")?.to_text())
    };
    found.as_array().unwrap_or_default().into_iter().filter_map(of_item).collect()
}

/// True if the batch says anything about its person.
pub(super) fn has_profile(batch: &str) -> Result<bool, Fault> {
    let doc = Doc::parse(batch.as_bytes())?;
    let mut changes = Vec::new();
    person(&doc.object()?, &mut changes);
    Ok(!changes.is_empty())
}

fn person(batch: &Object<'_>, out: &mut Vec<PropertyOp>) {
    let set = |name: String, value| PropertyOp { kind: PropertyOpKind::Set, name, value };
    for (kind, id) in identities(batch) {
        match kind.as_str() {
            kind if CUSTOMER.contains(&kind) => {}
            EMAIL_NUMBER => out.push(set("email".to_owned(), Value::String(id))),
            // Other kinds are only known by number there.
            kind if kind.bytes().all(|b| b.is_ascii_digit()) => {
                out.push(set(format!("identity_{kind}"), Value::String(id)))
            }
            _ => out.push(set(kind, Value::String(id))),
        }
    }
    let attributes = batch.get("user_attributes").and_then(|v| v.as_object());
    for (name, value) in attributes.iter().flat_map(Object::iter) {
        // A tag is an attribute without a value.
        let value_is = if value.is_null() { Value::Bool(true) } else { value.to_value() };
        out.push(set(value.clean_key(name), value_is));
    }
    if let Some(deleted) = batch.get("deleted_user_attributes") {
        ops::apply(PropertyOpKind::Unset, deleted, out);
    }
}

/// The event's name.
pub(super) fn name(event: &Object<'_>, data: Option<&Object<'_>>) -> Result<String, Fault> {
    let text = |object: Option<&Object<'_>>, field: &str| {
        object?.get(field)?.to_text().filter(|name| !name.trim().is_empty())
    };
    let kind = text(Some(event), "event_type").ok_or_else(|| missing("event_type"))?;
    let of_data = |field: &str| text(data, field).ok_or_else(|| missing(&format!("data.{field}")));
    match kind.as_str() {
        "custom_event" => of_data("event_name"),
        "screen_view" => of_data("screen_name"),
        "commerce_event" => {
            let action =
                |field: &str| text(data.and_then(|data| data.get(field)?.as_object()).as_ref(), "action");
            let impressions = || {
                data.is_some_and(|data| data.get("product_impressions").is_some())
                    .then(|| "impression".to_owned())
            };
            action("product_action")
                .or_else(|| action("promotion_action").map(|action| format!("promotion_{action}")))
                .or_else(impressions)
                .ok_or_else(|| missing("data.product_action.action"))
        }
        "user_attribute_change" => of_data("user_attribute_name").map(|_| "$set".to_owned()),
        _ => Ok(kind),
    }
}

/// The event's own id.
pub(super) fn own_id(data: Option<&Object<'_>>) -> Result<Option<String>, Fault> {
    let Some(data) = data else { return Ok(None) };
    for field in ["source_message_id", "event_id"] {
        match id_in(data, field)?.filter(|id| !id.trim().is_empty() && id != "0") {
            Some(id) => return Ok(Some(id)),
            None => continue,
        }
    }
    Ok(None)
}

/// Decodes an event, or what a batch says about its person.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    let build = || {
        let object = &doc.object()?;
        match envelope.context.call.as_deref() {
            Some(PROFILE) => profile(envelope, doc, object),
            place => {
                let batch = envelope.context.shared.as_deref().unwrap_or("{}").as_bytes();
                Doc::understand(batch, |batch| build(envelope, doc, object, place, batch))
            }
        }
    };
    build().map_err(Fault::dead)
}

fn profile(envelope: &Envelope, doc: &Doc, batch: &Object<'_>) -> Result<Event, Fault> {
    let mut draft = Draft::new(envelope, doc);
    draft.name("$identify".to_owned());
    identify(&mut draft, batch);
    draft.insert_id("source_request_id", batch_id(batch, PROFILE))?;
    when(&mut draft, None, batch);
    person(batch, &mut draft.event.person_ops);
    Ok(draft.event)
}

fn build(
    envelope: &Envelope,
    doc: &Doc,
    event: &Object<'_>,
    place: Option<&str>,
    batch: &Doc,
) -> Result<Event, Fault> {
    let mut draft = Draft::new(envelope, doc);
    if batch.replaced() {
        draft.note(Annotation::CharacterReplaced);
    }
    let batch = &batch.object()?;
    let data = event.get("data").and_then(|v| v.as_object());
    let data = data.as_ref();
    draft.name(name(event, data)?);
    identify(&mut draft, batch);
    let id = own_id(data)?.or_else(|| batch_id(batch, place?));
    draft.insert_id("data.source_message_id", id)?;
    let session = ["session_uuid", "session_id"].iter().find_map(|field| data?.get(field)?.to_text());
    draft.session_id(session);
    when(&mut draft, data, batch);
    let kind = event.str("event_type").unwrap_or_default();
    if let Some(data) = data {
        properties(&mut draft, data);
        match kind {
            "commerce_event" => commerce(&mut draft, data),
            "user_attribute_change" => attribute(&mut draft, data),
            _ => {}
        }
    }
    context(&mut draft, event, &["event_type", "data"]);
    if let Some(kind) = event.get("event_type") {
        draft.context_property("event_type", kind);
    }
    context(&mut draft, batch, &BATCH_HANDLED);
    // As text: it may have more digits than a number keeps.
    if let Some(mpid) = batch.get("mpid").and_then(|v| v.to_text()) {
        draft.event.properties.entry("mpid").or_insert(Value::String(mpid));
    }
    Ok(draft.event)
}

fn identify(draft: &mut Draft<'_>, batch: &Object<'_>) {
    let ids = ids(batch);
    draft.event.user_id = draft.id(ids.user.as_deref(), 1);
    draft.event.device_id = draft.id(ids.device.as_deref(), 1);
}

fn batch_id(batch: &Object<'_>, place: &str) -> Option<String> {
    let id = ["source_request_id", "message_id"].iter().find_map(|name| batch.get(name)?.to_text());
    id.filter(|id| !id.trim().is_empty()).map(|id| format!("{}:{place}", id.trim()))
}

/// As sent: mParticle's SDKs do not say what their clock shows when they send.
fn when(draft: &mut Draft<'_>, data: Option<&Object<'_>>, batch: &Object<'_>) {
    const FIELD: &str = "timestamp_unixtime_ms";
    let sent = data.and_then(|data| data.get(FIELD)).or_else(|| batch.get(FIELD)).filter(|v| !is_zero(*v));
    let client = match sent {
        None => ClientTime::Absent,
        Some(v) => v
            .as_millis()
            .or_else(|| time::of_value(&v.to_value()))
            .and_then(time::in_range)
            .map_or(ClientTime::Unusable, ClientTime::At),
    };
    draft.time(client, None);
}

fn is_zero(value: Field<'_>) -> bool {
    value.as_millis() == Some(0)
}

/// Members of `data` that are read elsewhere.
const DATA_HANDLED: [&str; 10] = [
    "timestamp_unixtime_ms",
    "source_message_id",
    "session_uuid",
    "session_id",
    "custom_attributes",
    "event_name",
    "product_action",
    "event_id",
    "device_current_state",
    "session_start_unixtime_ms",
];
/// Members of a batch that are read elsewhere or say nothing about an event.
const BATCH_HANDLED: [&str; 14] = [
    "mpid",
    "events",
    "user_attributes",
    "deleted_user_attributes",
    "user_identities",
    "timestamp_unixtime_ms",
    "source_request_id",
    "message_id",
    "api_key",
    "schema_version",
    "mp_deviceid",
    "integration_attributes",
    "message_type",
    "sdk_version",
];

fn properties(draft: &mut Draft<'_>, data: &Object<'_>) {
    if let Some(own) = data.get("custom_attributes").and_then(|v| v.as_object()) {
        draft.properties(&own);
    }
    context(draft, data, &DATA_HANDLED);
}

/// Every member but some, objects under their path.
fn context(draft: &mut Draft<'_>, object: &Object<'_>, handled: &[&str]) {
    for (key, value) in object.iter().filter(|(key, _)| !handled.contains(key)) {
        match value.as_object() {
            Some(_) => flatten(draft, &value.clean_key(key), value.to_value()),
            None => draft.context_property(key, value),
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

/// What was bought, at the top level; a purchase is revenue, a refund takes it back.
fn commerce(draft: &mut Draft<'_>, data: &Object<'_>) {
    let Some(action) = data.get("product_action").and_then(|v| v.as_object()) else { return };
    for (key, value) in action.iter() {
        draft.context_property(key, value);
    }
    let sign = match action.str("action") {
        Some("purchase") => 1.0,
        Some("refund") => -1.0,
        _ => return,
    };
    // Forwarded batches may write amounts as text.
    let number = |object: &Object<'_>, field: &str| match object.get(field)?.to_value() {
        Value::String(text) => text.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        value => value.as_f64(),
    };
    let of_product = |product: Field<'_>| {
        let product = product.as_object()?;
        number(&product, "total_product_amount")
            .or_else(|| Some(number(&product, "price")? * number(&product, "quantity").unwrap_or(1.0)))
    };
    let of_products = || {
        // Of all products or of none: a part of a sum would be a wrong sum.
        let amounts: Option<Vec<f64>> =
            action.get("products")?.as_array()?.into_iter().map(of_product).collect();
        amounts.filter(|amounts| !amounts.is_empty()).map(|amounts| amounts.iter().sum())
    };
    let total = number(&action, "total_amount").or_else(of_products);
    if let Some(revenue) = total.and_then(|total| Number::from_f64(total * sign)) {
        draft.event.properties.insert("revenue".to_owned(), Value::Number(revenue));
    }
}

fn attribute(draft: &mut Draft<'_>, data: &Object<'_>) {
    let Some(name) = data.get("user_attribute_name").and_then(|v| v.to_text()) else { return };
    let deleted = data.get("deleted").and_then(|v| v.as_bool()) == Some(true);
    let (kind, value) = match data.get("new").filter(|_| !deleted) {
        Some(new) => (PropertyOpKind::Set, new.to_value()),
        None if deleted => (PropertyOpKind::Unset, Value::Null),
        None => (PropertyOpKind::Set, Value::Bool(true)),
    };
    draft.event.person_ops.push(PropertyOp { kind, name, value });
}
