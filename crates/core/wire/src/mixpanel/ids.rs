//! Whose event: one `distinct_id` for devices and users, and what says which it is.

use crate::draft::missing;
use crate::ids::is_generated;
use crate::json::{Fault, Object};

/// What stands before the id of a device.
const DEVICE: &str = "$device:";

/// The raw ids of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ids {
    pub user: Option<String>,
    pub device: Option<String>,
    /// The other id of an alias or merge.
    pub other: Option<String>,
}

/// The ids of the event `name` with these properties.
pub(super) fn of_event(name: &str, properties: Option<&Object<'_>>) -> Result<Ids, Fault> {
    match name {
        "$identify" => identified(properties),
        "$create_alias" => aliased(properties),
        "$merge" => merged(properties),
        _ => Ok(plain(
            text(properties, "distinct_id"),
            text(properties, "$user_id"),
            text(properties, "$device_id"),
        )),
    }
}

/// The ids of an event that only happened to somebody.
pub(super) fn plain(distinct: Option<String>, user: Option<String>, device: Option<String>) -> Ids {
    let device = device.map(bare);
    let (user, device) = match distinct {
        None => (user, device),
        Some(id) if is_device(&id) => (user, device.or_else(|| Some(bare(id)))),
        Some(id) if device.as_ref() == Some(&id) => (user.filter(|user| *user != id), device),
        Some(id) => (user.or(Some(id)), device),
    };
    let device = device.filter(|device| user.as_ref() != Some(device));
    Ids { user, device, other: None }
}

fn identified(properties: Option<&Object<'_>>) -> Result<Ids, Fault> {
    let user = first(properties, &["$identified_id", "$user_id"])
        .or_else(|| text(properties, "distinct_id").filter(|id| !is_device(id)));
    let user = user.ok_or_else(|| missing("properties.$identified_id"))?;
    let device = first(properties, &["$anon_id", "$anon_distinct_id", "$device_id"]).map(bare);
    Ok(Ids { device: device.filter(|id| *id != user), user: Some(user), other: None })
}

/// `alias` of a visitor whose id was made up: the made-up id joins the chosen one.
fn aliased(properties: Option<&Object<'_>>) -> Result<Ids, Fault> {
    let distinct = text(properties, "distinct_id").ok_or_else(|| missing("properties.distinct_id"))?;
    let alias = text(properties, "alias").ok_or_else(|| missing("properties.alias"))?;
    Ok(if is_made_up(&distinct) && !is_made_up(&alias) {
        joined(alias, distinct)
    } else {
        joined(distinct, alias)
    })
}

fn merged(properties: Option<&Object<'_>>) -> Result<Ids, Fault> {
    let field = "properties.$distinct_ids";
    let list = properties.and_then(|p| p.get("$distinct_ids")?.as_array()).ok_or_else(|| missing(field))?;
    let ids: Vec<String> = list.into_iter().filter_map(|id| id.to_text()).collect();
    let Ok([one, two]) = <[String; 2]>::try_from(ids) else {
        return Err(Fault::field("invalid_field", field, format!("field '{field}' must hold two ids")));
    };
    Ok(if is_made_up(&one) && !is_made_up(&two) { joined(two, one) } else { joined(one, two) })
}

/// `other` becomes one more id of whom `id` names.
fn joined(id: String, other: String) -> Ids {
    let other = Some(bare(other)).filter(|other| *other != id);
    match is_device(&id) {
        true => Ids { user: None, device: Some(bare(id)), other },
        false => Ids { user: Some(id), device: None, other },
    }
}

fn first(properties: Option<&Object<'_>>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(properties, name))
}

fn text(properties: Option<&Object<'_>>, name: &str) -> Option<String> {
    properties?.get(name)?.to_text().filter(|id| !id.trim().is_empty())
}

fn is_device(id: &str) -> bool {
    id.starts_with(DEVICE)
}

fn is_made_up(id: &str) -> bool {
    is_device(id) || is_generated(id)
}

/// The id of a device without what marks it as one.
fn bare(id: String) -> String {
    match id.strip_prefix(DEVICE) {
        Some(rest) => rest.to_owned(),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;
    use serde_json::{Value, json};

    const D: &str = "18c2a3f0-0d1a-4b5c-8e6f-000000000001";

    fn look(name: &str, properties: Value) -> Result<[Option<String>; 3], Fault> {
        let doc = Doc::parse(properties.to_string().as_bytes()).unwrap();
        let ids = of_event(name, Some(&doc.object().unwrap()))?;
        Ok([ids.user, ids.device, ids.other])
    }

    fn some(id: &str) -> Option<String> {
        Some(id.to_owned())
    }

    #[test]
    fn a_distinct_id_is_a_user_unless_it_says_otherwise() {
        for (properties, user, device) in [
            (json!({"distinct_id": "u"}), some("u"), None),
            (json!({"distinct_id": 7}), some("7"), None),
            (json!({"distinct_id": ""}), None, None),
            (json!({}), None, None),
            (json!({"distinct_id": format!("$device:{D}")}), None, some(D)),
            (json!({"distinct_id": format!("$device:{D}"), "$device_id": D}), None, some(D)),
            (json!({"distinct_id": D, "$device_id": D}), None, some(D)),
            (json!({"distinct_id": "u", "$device_id": D, "$user_id": "u"}), some("u"), some(D)),
            (json!({"distinct_id": format!("$device:{D}"), "$user_id": "u"}), some("u"), some(D)),
            (json!({"$device_id": D}), None, some(D)),
            (json!({"distinct_id": "u", "$device_id": "u", "$user_id": "u"}), None, some("u")),
        ] {
            assert_eq!(look("a", properties.clone()).unwrap(), [user, device, None], "{properties}");
        }
    }

    #[test]
    fn identity_events_name_two_ids() {
        let anonymous = format!("$device:{D}");
        for (name, properties, expected) in [
            ("$identify", json!({"$identified_id": "u", "$anon_id": D}), [some("u"), some(D), None]),
            (
                "$identify",
                json!({"distinct_id": "u", "$anon_distinct_id": anonymous}),
                [some("u"), some(D), None],
            ),
            ("$identify", json!({"$identified_id": "u", "$anon_id": "u"}), [some("u"), None, None]),
            ("$create_alias", json!({"distinct_id": "u", "alias": "v"}), [some("u"), None, some("v")]),
            ("$create_alias", json!({"distinct_id": D, "alias": "v"}), [some("v"), None, some(D)]),
            ("$create_alias", json!({"distinct_id": anonymous, "alias": "v"}), [some("v"), None, some(D)]),
            ("$create_alias", json!({"distinct_id": "u", "alias": "u"}), [some("u"), None, None]),
            ("$merge", json!({"$distinct_ids": ["a", "b"]}), [some("a"), None, some("b")]),
            ("$merge", json!({"$distinct_ids": [anonymous, "b"]}), [some("b"), None, some(D)]),
            ("$merge", json!({"$distinct_ids": [anonymous, anonymous]}), [None, some(D), some(D)]),
        ] {
            assert_eq!(look(name, properties.clone()).unwrap(), expected, "{name} {properties}");
        }
        for (name, properties) in [
            ("$identify", json!({"distinct_id": anonymous})),
            ("$create_alias", json!({"distinct_id": "u"})),
            ("$create_alias", json!({"alias": "u"})),
            ("$merge", json!({"$distinct_ids": ["a"]})),
            ("$merge", json!({"$distinct_ids": ["a", "b", "c"]})),
            ("$merge", json!({"$distinct_ids": "a"})),
        ] {
            assert!(look(name, properties.clone()).is_err(), "{name} {properties}");
        }
    }
}
