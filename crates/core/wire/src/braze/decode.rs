//! Events of Currents to events; `track` has the items of `/users/track`.

use super::track;
use crate::draft::{ClientTime, Draft, id_in, missing};
use crate::json::{Doc, Fault, Field, Object};
use crate::time;
use serde_json::Number;
use tallymark_model::{DeadReason, Envelope, Event, Value};

/// The lists of `/users/track`.
pub(super) const LISTS: [&str; 3] = ["attributes", "events", "purchases"];
/// The type of events that the product names itself.
const CUSTOM: &str = "users.behaviors.CustomEvent";
/// The type, and the event's name, of purchases.
pub(super) const PURCHASE: &str = "users.behaviors.Purchase";
/// Numbers above it are milliseconds, below it seconds.
const MILLIS_ABOVE: f64 = 1.0e11;

/// The raw ids of an event.
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
}

/// The ids of an event, or of an item of `list`.
pub(super) fn ids(event: &Object<'_>, list: Option<&str>) -> Result<Ids, Fault> {
    let found = match list {
        Some(_) => track::ids(event)?,
        None => {
            let (user, properties) = (object(event, "user"), object(event, "properties"));
            let own = |of: Option<&Object<'_>>, field| match of {
                Some(of) => Ok(id_in(of, field)?.filter(|id| !id.trim().is_empty())),
                None => Ok(None),
            };
            let both = |field| Ok(own(user.as_ref(), field)?.or(own(Some(event), field)?));
            let device = both("device_id")?.or(own(properties.as_ref(), "device_id")?);
            Ids { user: both("external_user_id")?, device: device.or(both("user_id")?) }
        }
    };
    match (&found.user, &found.device) {
        (None, None) => Err(missing(if list.is_some() { "external_id" } else { "user.external_user_id" })),
        _ => Ok(found),
    }
}

/// The event's name.
pub(super) fn name(event: &Object<'_>, list: Option<&str>) -> Result<String, Fault> {
    let text = |of: Option<&Object<'_>>, field: &str| {
        of?.get(field)?.to_text().filter(|name| !name.trim().is_empty())
    };
    match list {
        Some("attributes") => return Ok("$identify".to_owned()),
        Some("purchases") => return Ok(PURCHASE.to_owned()),
        Some(_) => return text(Some(event), "name").ok_or_else(|| missing("name")),
        None => {}
    }
    let kind = text(Some(event), "event_type").ok_or_else(|| missing("event_type"))?;
    if kind != CUSTOM {
        return Ok(kind);
    }
    let own = text(object(event, "properties").as_ref(), "name").or_else(|| text(Some(event), "name"));
    own.ok_or_else(|| missing("properties.name"))
}

/// Decodes an event of Currents, or an item of `/users/track`.
pub(crate) fn decode(envelope: &Envelope, doc: &Doc) -> Result<Event, DeadReason> {
    let build = || {
        let event = &doc.object()?;
        let list = envelope.context.call.as_deref();
        let mut draft = Draft::new(envelope, doc);
        draft.name(name(event, list)?);
        let ids = ids(event, list)?;
        draft.event.user_id = draft.id(ids.user.as_deref(), 1);
        draft.event.device_id = draft.id(ids.device.as_deref(), 1);
        when(&mut draft, event.get("time"));
        match list {
            Some(list) => track::fill(&mut draft, event, list),
            None => current(&mut draft, event)?,
        }
        Ok(draft.event)
    };
    build().map_err(Fault::dead)
}

fn current(draft: &mut Draft<'_>, event: &Object<'_>) -> Result<(), Fault> {
    /// Members that are read elsewhere.
    const HANDLED: [&str; 8] =
        ["event_type", "id", "time", "user", "properties", "external_user_id", "device_id", "user_id"];
    draft.insert_id("id", id_in(event, "id")?)?;
    let properties = object(event, "properties");
    let custom = event.str("event_type") == Some(CUSTOM);
    // What the product sent itself comes first; Braze's own words fill in beside it.
    for holder in [properties.as_ref(), Some(event)].into_iter().flatten() {
        for field in ["custom_properties", "purchase_properties"] {
            holder.get(field).into_iter().for_each(|value| nested(draft, value));
        }
    }
    draft.session_id(properties.as_ref().and_then(|p| p.get("session_id")?.to_text()));
    let is_handled = |key: &str| {
        ["custom_properties", "purchase_properties", "session_id"].contains(&key) || (custom && key == "name")
    };
    for (key, value) in properties.iter().flat_map(Object::iter).filter(|(key, _)| !is_handled(key)) {
        draft.context_property(key, value);
    }
    let rest = |key: &str| !HANDLED.contains(&key) && !is_handled(key);
    for (key, value) in event.iter().filter(|(key, _)| rest(key)) {
        draft.context_property(key, value);
    }
    if let Some(zone) = object(event, "user").as_ref().and_then(|user| user.get("timezone")) {
        draft.context_property("timezone", zone);
    }
    if event.str("event_type") == Some(PURCHASE) {
        revenue(draft);
    }
    Ok(())
}

/// The members of an object, or of one that is written as text.
fn nested(draft: &mut Draft<'_>, value: Field<'_>) {
    if let Some(object) = value.as_object() {
        draft.properties(&object);
    } else if let Some(text) = value.as_str()
        && let Ok(doc) = Doc::parse(text.as_bytes())
        && let Ok(object) = doc.object()
    {
        draft.properties(&object);
    }
}

/// Price times quantity, which is one if it is not said.
pub(super) fn revenue(draft: &mut Draft<'_>) {
    let number = |name: &str| draft.event.properties.get(name).and_then(Value::as_f64);
    let Some(price) = number("price") else { return };
    if let Some(revenue) = Number::from_f64(price * number("quantity").unwrap_or(1.0)) {
        draft.event.properties.insert("revenue".to_owned(), Value::Number(revenue));
    }
}

/// Seconds since 1970, or ISO 8601; as sent.
fn when(draft: &mut Draft<'_>, sent: Option<Field<'_>>) {
    let of = |value: Value| match value.as_f64() {
        Some(n) if n.abs() < MILLIS_ABOVE => time::in_range((n * 1000.0).round() as i64),
        _ => time::of_value(&value),
    };
    let client = match sent {
        None => ClientTime::Absent,
        Some(value) => of(value.to_value()).map_or(ClientTime::Unusable, ClientTime::At),
    };
    draft.time(client, None);
}

pub(super) fn object<'a>(of: &Object<'a>, field: &str) -> Option<Object<'a>> {
    of.get(field)?.as_object()
}
