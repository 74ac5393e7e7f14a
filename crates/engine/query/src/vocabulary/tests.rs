//! Definitions: what may be made, and what it means.

use super::*;
use serde_json::json;
use std::collections::HashSet;

const EVENT: DefinitionKind = DefinitionKind::VirtualEvent;

fn with(list: &[(DefinitionKind, &str, Value)]) -> Vocabulary {
    let mut vocabulary = Vocabulary::default();
    for (i, (kind, name, body)) in list.iter().enumerate() {
        vocabulary.check(*kind, name, body).unwrap();
        vocabulary.add(*kind, name, i as u32 + 1, body).unwrap();
    }
    vocabulary
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn renames_apply_before_names_are_looked_for() {
    let v = with(&[(DefinitionKind::Rename, "Signed Up", json!({"events": ["signup", "sign_up"]}))]);
    assert_eq!(v.sent_names(&names(&["Signed Up"])), names(&["Signed Up", "sign_up", "signup"]));
    assert_eq!(v.sent_names(&names(&["signup", "view"])), names(&["view"]), "the old name is gone");
    assert_eq!((v.shown("signup"), v.shown("view")), ("Signed Up", "view"));
    let inactive = |list: &[&str]| v.inactive(&list.iter().map(|n| (*n).to_owned()).collect());
    let sent = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<HashSet<_>>();
    assert_eq!(inactive(&["Signed Up"]), sent(&["Signed Up", "signup", "sign_up"]));
    assert_eq!(inactive(&["signup"]), sent(&[]));
}

#[test]
fn a_virtual_event_contains_no_other() {
    let v = with(&[(EVENT, "Engaged", json!({"any": [{"event": "view"}, {"event": ["buy", "cart"]}]}))]);
    assert_eq!(v.virtual_event("Engaged").unwrap().len(), 2);
    let inside = json!({"any": [{"event": "Engaged"}]});
    assert!(v.check(EVENT, "More", &inside).unwrap_err().contains("one may not contain another"));
    assert!(v.check(EVENT, "Engaged", &json!({"any": [{"event": "x"}]})).is_ok(), "itself may be replaced");
    for (body, why) in [
        (json!({"any": []}), "any"),
        (json!({"any": [{"event": "*"}]}), "cannot be part"),
        (json!({"any": [{"event": "x", "were": []}]}), "were"),
        (
            json!({"any": [{"event": "x", "where": [{"property": "a", "op": "regex", "value": "("}]}]}),
            "any[0].where",
        ),
    ] {
        assert!(v.check(EVENT, "X", &body).unwrap_err().contains(why), "{body}");
    }
}

#[test]
fn a_custom_property_reads_what_it_names() {
    let c = CustomProperty::parse(&json!({"expression":
        "has(properties.price) ? properties.price * properties['how many'] : 0.0"}));
    let c = c.unwrap();
    let paths: Vec<&str> = c.inputs.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["how many", "price"]);
    assert_eq!(c.value(&[json!(3), json!(2.5)]), Some(json!(7.5)));
    assert_eq!(c.value(&[json!(3), Value::Null]), Some(json!(0)));
    assert_eq!(c.value(&[Value::Null, json!(2)]), None, "what fails has no value");
    let named = CustomProperty::parse(&json!({"expression": "event + '!'"})).unwrap();
    assert_eq!(named.value(&[json!("view")]), Some(json!("view!")));
    let listed =
        CustomProperty::parse(&json!({"expression": "properties.tags.filter(t, t != 'x')"})).unwrap();
    assert_eq!(listed.value(&[json!(["x", "y"])]), Some(json!(["y"])));
    for wrong in ["size(properties)", "user.plan", "properties[event]", "1 +"] {
        assert!(CustomProperty::parse(&json!({"expression": wrong})).is_err(), "{wrong}");
    }
}

#[test]
fn a_lookup_table_goes_by_canonical_text() {
    let body = json!({"on": {"property": "plan"}, "columns": ["tier", "price"],
        "rows": [["pro", "paid", 20], [1, "one", null]]});
    let l = Lookup::parse(&body).unwrap();
    assert_eq!((l.value("pro", "tier"), l.value("1", "tier")), (Some(&json!("paid")), Some(&json!("one"))));
    assert_eq!((l.value("free", "tier"), l.value("pro", "none")), (None, None));
    for wrong in [
        json!({"on": {"property": "plan"}, "columns": ["a"], "rows": [["x", 1], ["x", 2]]}),
        json!({"on": {"property": "plan"}, "columns": ["a"], "rows": [["x"]]}),
        json!({"on": {}, "columns": ["a"], "rows": []}),
    ] {
        assert!(Lookup::parse(&wrong).is_err(), "{wrong}");
    }
}
