//! Which versions of a project's definitions (chapter 11) an answer used.
//!
//! Guarantees: every definition that the query names is told. Deliberately not here: what they mean (`query`).

use serde_json::{Map, Value, json};
use tallymark_query::{DefinitionKind, Vocabulary};

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
