//! Whose event: PostHog has one `distinct_id` for devices and users, we need to know which it is.
//!
//! posthog-js says it (`$is_identified`, `$device_id`, `$user_id`). Server SDKs say nothing: there a
//! `distinct_id` is the id the product gave to its user.

use crate::draft::missing;
use crate::ids::is_generated;
use crate::json::{Fault, Field, Object};
use crate::limits;
use tallymark_model::{Value, canonical_text};

/// The raw ids of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
    /// The other id of an alias or merge.
    pub other: Option<String>,
    /// `distinct_id` had to be cut.
    pub cut: bool,
}

/// The ids of the event `name` with these properties and, in v1, these options.
pub(super) fn of(
    event: &Object<'_>,
    properties: Option<&Object<'_>>,
    options: Option<&Object<'_>>,
    name: &str,
) -> Result<Ids, Fault> {
    let property = |key: &str| properties.and_then(|p| p.get(key));
    let text = |key: &str| property(key).and_then(|v| v.to_text());
    let (distinct, cut) = distinct_id(event, properties)?;
    let device = text("$device_id").filter(|d| *d != distinct);
    Ok(match name {
        "$groupidentify" => Ids::default(),
        "$identify" => {
            let anonymous = text("$anon_distinct_id").or_else(|| event.get("$anon_distinct_id")?.to_text());
            let anonymous = anonymous.filter(|id| *id != distinct);
            Ids { user: Some(distinct), device: anonymous.or(device), other: None, cut }
        }
        "$create_alias" | "$merge_dangerously" => {
            let other = text("alias").filter(|id| *id != distinct);
            match other {
                // `alias(previous_id, distinct_id)` of the Python SDK sends the anonymous id first.
                Some(other)
                    if name == "$create_alias" && is_generated(&distinct) && !is_generated(&other) =>
                {
                    Ids { user: Some(other), device: None, other: Some(distinct), cut }
                }
                other => Ids { user: Some(distinct), device: None, other, cut },
            }
        }
        _ if is_anonymous(&distinct, properties, options) => {
            Ids { user: None, device: Some(distinct), other: None, cut }
        }
        _ => Ids { user: Some(distinct), device, other: None, cut },
    })
}

/// `distinct_id` as text, cut like PostHog cuts it; true if it was cut.
fn distinct_id(event: &Object<'_>, properties: Option<&Object<'_>>) -> Result<(String, bool), Fault> {
    let found = event
        .get("distinct_id")
        .or_else(|| event.get("$distinct_id"))
        .or_else(|| properties.and_then(|p| p.get("distinct_id")));
    let mut id = found.map(any_text).unwrap_or_default();
    if id.trim().is_empty() {
        return Err(missing("distinct_id"));
    }
    let end = id.char_indices().nth(limits::POSTHOG_DISTINCT_ID_CHARS).map(|(end, _)| end);
    if let Some(end) = end {
        id.truncate(end);
    }
    Ok((id, end.is_some()))
}

/// PostHog takes any JSON as a distinct id and writes it as text.
fn any_text(value: Field<'_>) -> String {
    match value.to_value() {
        Value::String(text) => text,
        other => canonical_text(&other),
    }
}

fn is_anonymous(distinct: &str, properties: Option<&Object<'_>>, options: Option<&Object<'_>>) -> bool {
    let option = options.and_then(|options| options.get("process_person_profile")?.as_bool());
    let Some(properties) = properties else { return option == Some(false) };
    let flag = |key: &str| properties.get(key).and_then(|v| v.as_bool());
    if properties.str("$device_id") == Some(distinct) {
        return true;
    }
    match flag("$is_identified") {
        Some(identified) => !identified,
        None if option.or(flag("$process_person_profile")) == Some(false) => true,
        // Before `$is_identified`: after a logout the browser makes up a new id beside an older `$device_id`.
        None if properties.str("$user_id") == Some(distinct) => false,
        None => properties.str("$device_id").is_some_and(is_generated) && is_generated(distinct),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;
    use serde_json::json;

    const D: &str = "0192c0de-0000-7000-8000-000000000001";
    const X: &str = "0192c0de-0000-7000-8000-000000000002";

    fn look(doc: &Doc, name: &str) -> Result<Ids, Fault> {
        let event = doc.object()?;
        of(&event, event.get("properties").and_then(|p| p.as_object()).as_ref(), None, name)
    }

    fn ids(event: Value) -> (Option<String>, Option<String>, Option<String>) {
        let doc = Doc::parse(event.to_string().as_bytes()).unwrap();
        let name = event["event"].as_str().unwrap();
        let ids = look(&doc, name).unwrap();
        (ids.user, ids.device, ids.other)
    }

    fn some(id: &str) -> Option<String> {
        Some(id.to_owned())
    }

    #[test]
    fn browsers_say_who_is_anonymous() {
        for properties in [
            json!({"$device_id":D}),
            json!({"$device_id":D, "$is_identified":false}),
            json!({"$is_identified":false}),
            json!({"$process_person_profile":false}),
        ] {
            assert_eq!(
                ids(json!({"event":"a","distinct_id":D,"properties":properties})),
                (None, some(D), None)
            );
        }
        // After a logout: a new made-up id beside the device's.
        let logged_out = json!({"event":"a","distinct_id":X,"properties":{"$device_id":D}});
        assert_eq!(ids(logged_out), (None, some(X), None));
        for properties in [
            json!({"$device_id":D,"$is_identified":true}),
            json!({"$device_id":D,"$is_identified":true,"$process_person_profile":false}),
            json!({"$device_id":D,"$user_id":"u1"}),
            json!({"$device_id":D}),
        ] {
            assert_eq!(
                ids(json!({"event":"a","distinct_id":"u1","properties":properties})),
                (some("u1"), some(D), None)
            );
        }
        let uuid_user = json!({"event":"a","distinct_id":X,"properties":{"$device_id":D,"$user_id":X}});
        assert_eq!(ids(uuid_user), (some(X), some(D), None));
    }

    #[test]
    fn servers_send_users() {
        assert_eq!(ids(json!({"event":"a","distinct_id":"u1"})), (some("u1"), None, None));
        assert_eq!(ids(json!({"event":"a","distinct_id":D,"properties":{}})), (some(D), None, None));
        assert_eq!(ids(json!({"event":"a","distinct_id":7})), (some("7"), None, None));
        assert_eq!(ids(json!({"event":"a","properties":{"distinct_id":"u"}})), (some("u"), None, None));
        assert_eq!(ids(json!({"event":"a","$distinct_id":["x",1]})), (some("[\"x\",1]"), None, None));
    }

    #[test]
    fn identify_pairs_alias_and_merge_name_another() {
        let identify = json!({"event":"$identify","distinct_id":"u1","properties":{"$anon_distinct_id":X,"$device_id":D}});
        assert_eq!(ids(identify), (some("u1"), some(X), None));
        let again = json!({"event":"$identify","distinct_id":"u1","properties":{"$anon_distinct_id":"u1"}});
        assert_eq!(ids(again), (some("u1"), None, None));
        let node = json!({"event":"$create_alias","distinct_id":"u1","properties":{"alias":"other"}});
        assert_eq!(ids(node), (some("u1"), None, some("other")));
        let python = json!({"event":"$create_alias","distinct_id":D,"properties":{"alias":"u1"}});
        assert_eq!(ids(python), (some("u1"), None, some(D)));
        let merge = json!({"event":"$merge_dangerously","distinct_id":D,"properties":{"alias":"u1"}});
        assert_eq!(ids(merge), (some(D), None, some("u1")));
        let own = json!({"event":"$create_alias","distinct_id":"u1","properties":{"alias":"u1"}});
        assert_eq!(ids(own), (some("u1"), None, None));
        let group = json!({"event":"$groupidentify","distinct_id":D,"properties":{}});
        assert_eq!(ids(group), (None, None, None));
    }

    #[test]
    fn long_ids_are_cut_like_posthog_cuts_them() {
        let doc = Doc::parse(json!({"distinct_id":"ä".repeat(300)}).to_string().as_bytes()).unwrap();
        let ids = look(&doc, "a").unwrap();
        assert_eq!((ids.user, ids.cut), (Some("ä".repeat(200)), true));
        for blank in [json!({"distinct_id":" "}), json!({"distinct_id":null}), json!({})] {
            let doc = Doc::parse(blank.to_string().as_bytes()).unwrap();
            assert_eq!(look(&doc, "a").unwrap_err().field, "distinct_id");
        }
    }
}
