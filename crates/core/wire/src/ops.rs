//! Changes of properties: one table of operations for every vendor's spelling (chapter 1.4).

use crate::json::{Field, Object};
use crate::limits;
use tallymark_model::{PropertyOp, PropertyOpKind, Value};

fn kind_of(name: &str) -> Option<PropertyOpKind> {
    use PropertyOpKind::*;
    Some(match name {
        "$set" => Set,
        "$set_once" | "$setOnce" => SetOnce,
        "$add" => Add,
        "$append" => Append,
        "$prepend" => Prepend,
        "$remove" => Remove,
        "$unset" => Unset,
        "$postInsert" | "$post_insert" => PostInsert,
        "$preInsert" | "$pre_insert" => PreInsert,
        "$clearAll" | "$clear_all" => ClearAll,
        _ => return None,
    })
}

/// Operations of an object that holds operations, plain keys (= `$set`), or both; in the order sent.
pub(crate) fn read(object: &Object<'_>, out: &mut Vec<PropertyOp>) {
    for (key, value) in object.iter() {
        match kind_of(key) {
            Some(kind) => apply(kind, value, out),
            None => out.push(PropertyOp {
                kind: PropertyOpKind::Set,
                name: value.clean_key(key),
                value: value.to_value(),
            }),
        }
    }
}

/// The operations of one kind: `operand` maps property names to values, or names properties to unset.
pub(crate) fn apply(kind: PropertyOpKind, operand: Field<'_>, out: &mut Vec<PropertyOp>) {
    let bare = |name: String| PropertyOp { kind, name, value: Value::Null };
    if kind == PropertyOpKind::ClearAll {
        out.push(bare(String::new()));
    } else if let Some(object) = operand.as_object() {
        out.extend(object.iter().map(|(key, value)| PropertyOp {
            kind,
            name: value.clean_key(key),
            value: if kind == PropertyOpKind::Unset { Value::Null } else { value.to_value() },
        }));
    } else if kind == PropertyOpKind::Unset {
        let names = operand.as_array().unwrap_or_else(|| vec![operand]);
        out.extend(names.into_iter().filter_map(Field::to_text).map(bare));
    }
}

/// Groups as (type, name), within their limits. True if some were dropped.
pub(crate) fn groups(object: &Object<'_>, out: &mut Vec<(String, String)>) -> bool {
    let mut dropped = false;
    for (types, (group, names)) in object.iter().filter(|(_, names)| !names.is_null()).enumerate() {
        if types >= limits::GROUP_TYPES {
            return true;
        }
        let list = names.as_array().unwrap_or_else(|| vec![names]);
        dropped |= list.len() > limits::GROUP_NAMES;
        for name in list.into_iter().take(limits::GROUP_NAMES).filter_map(Field::to_text) {
            if !name.is_empty() && name.len() <= limits::ID_BYTES {
                out.push((names.clean_key(group), name));
            }
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;
    use serde_json::json;

    fn ops(value: Value) -> Vec<(PropertyOpKind, String, Value)> {
        let doc = Doc::parse(value.to_string().as_bytes()).unwrap();
        let mut out = Vec::new();
        read(&doc.object().unwrap(), &mut out);
        out.into_iter().map(|op| (op.kind, op.name, op.value)).collect()
    }

    #[test]
    fn plain_keys_and_operations_in_order() {
        use PropertyOpKind::*;
        assert_eq!(
            ops(json!({"plan":"pro","$setOnce":{"a":1},"$add":{"n":-2},"$unset":["x","y"],"$clearAll":"-"})),
            [
                (Set, "plan".into(), json!("pro")),
                (SetOnce, "a".into(), json!(1)),
                (Add, "n".into(), json!(-2)),
                (Unset, "x".into(), json!(null)),
                (Unset, "y".into(), json!(null)),
                (ClearAll, String::new(), json!(null)),
            ]
        );
        assert_eq!(ops(json!({"$unset":{"k":"-"}})), [(Unset, "k".into(), json!(null))]);
        assert_eq!(ops(json!({"$unset":"k"})), [(Unset, "k".into(), json!(null))]);
        assert_eq!(ops(json!({"$set":5,"$other":1})), [(Set, "$other".into(), json!(1))]);
    }

    #[test]
    fn groups_have_limits() {
        let doc = Doc::parse(
            json!({"a":["1",2,null],"b":null,"c":"","d":"x","e":"x","f":"x","g":"x"}).to_string().as_bytes(),
        )
        .unwrap();
        let mut out = Vec::new();
        assert!(groups(&doc.object().unwrap(), &mut out));
        let got: Vec<String> = out.into_iter().map(|(t, n)| format!("{t}={n}")).collect();
        assert_eq!(got, ["a=1", "a=2", "d=x", "e=x", "f=x"]);
    }
}
