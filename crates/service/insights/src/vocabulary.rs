//! Names in queries, as the project means them (chapter 11): renames, virtual events, and which versions of
//! definitions an answer used.
//!
//! Guarantees: one event may satisfy several virtual events; definitions hold for all history.
//! Deliberately not here: what definitions say (`query`).

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tallymark_predicate::{Expr, Leaf, PropertyRef, Scope};
use tallymark_query::{DefinitionKind, Names, Vocabulary};

/// Names as they were sent that a list of names means, and the condition that virtual events among them add.
pub(crate) fn meant(vocabulary: &Vocabulary, names: &BTreeSet<String>) -> (Names, Option<Expr>) {
    let plain: BTreeSet<String> =
        names.iter().filter(|n| vocabulary.virtual_event(n).is_none()).cloned().collect();
    if plain.len() == names.len() {
        return (Names::Of(vocabulary.sent_names(names)), None);
    }
    let mut all = plain.clone();
    let mut any = vec![called(plain)];
    for alternative in names.iter().filter_map(|n| vocabulary.virtual_event(n)).flatten() {
        all.extend(alternative.names.iter().cloned());
        let parts = std::iter::once(called(alternative.names.clone())).chain(alternative.filter.clone());
        any.push(Expr::All(parts.collect()));
    }
    (Names::Of(vocabulary.sent_names(&all)), Some(Expr::Any(any)))
}

fn called(names: BTreeSet<String>) -> Expr {
    let property = PropertyRef { scope: Scope::Name, path: String::new() };
    Expr::Leaf(Leaf::is_any(property, names))
}

/// The definitions that a query names, with their versions: `{kind: {name: version}}`.
pub(crate) fn used(vocabulary: &Vocabulary, query: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut add = |kind: DefinitionKind, name: &str| {
        if let Some(version) = vocabulary.version(kind, name) {
            let of_kind = found.entry(kind.name()).or_insert_with(|| json!({}));
            of_kind[name] = json!(version);
        }
    };
    visit(query, &mut add);
    found
}

fn visit(value: &Value, add: &mut impl FnMut(DefinitionKind, &str)) {
    match value {
        Value::Array(list) => list.iter().for_each(|v| visit(v, add)),
        Value::Object(map) => {
            let names = match map.get("event") {
                Some(Value::Array(list)) => list.as_slice(),
                Some(single) => std::slice::from_ref(single),
                None => &[],
            };
            for name in names.iter().filter_map(Value::as_str) {
                add(DefinitionKind::VirtualEvent, name);
                add(DefinitionKind::Rename, name);
            }
            match map.get("scope").and_then(Value::as_str) {
                Some("custom") => {
                    let name = map.get("property").and_then(Value::as_str);
                    name.into_iter().for_each(|name| add(DefinitionKind::CustomProperty, name));
                }
                Some(scope) => {
                    let table = scope.strip_prefix("lookup:");
                    table.into_iter().for_each(|table| add(DefinitionKind::Lookup, table));
                }
                None => {}
            }
            map.values().for_each(|v| visit(v, add));
        }
        _ => {}
    }
}
