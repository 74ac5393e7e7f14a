//! What an operation does to a property's value (chapter 1.4).

use tallymark_model::{PropertyOpKind, Value, number_of};

/// The effect of one operation on one property.
pub fn apply(current: &mut Option<Value>, kind: PropertyOpKind, operand: &Value) {
    use PropertyOpKind::*;
    match kind {
        Set => *current = Some(operand.clone()),
        SetOnce => {
            current.get_or_insert_with(|| operand.clone());
        }
        Add => {
            let sum = current.as_ref().and_then(number_of).unwrap_or(0.0) + number_of(operand).unwrap_or(0.0);
            *current = Some(tallymark_store::number_value(sum));
        }
        Unset | ClearAll => *current = None,
        Remove if !matches!(current, Some(Value::Array(_))) => {}
        Append | Prepend | Remove | PostInsert | PreInsert => {
            let list = edit_list(current.take(), kind, operand);
            *current = Some(Value::Array(list));
        }
    }
}

fn edit_list(current: Option<Value>, kind: PropertyOpKind, operand: &Value) -> Vec<Value> {
    let mut list = match current {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(single) => vec![single],
    };
    let items: &[Value] = operand.as_array().map_or(std::slice::from_ref(operand), Vec::as_slice);
    match kind {
        PropertyOpKind::Append => list.extend(items.iter().cloned()),
        PropertyOpKind::Prepend => drop(list.splice(0..0, items.iter().cloned())),
        PropertyOpKind::Remove => list.retain(|have| !items.contains(have)),
        PropertyOpKind::PostInsert => {
            for item in items {
                if !list.contains(item) {
                    list.push(item.clone());
                }
            }
        }
        _ => {
            let mut fresh: Vec<Value> = Vec::new();
            for item in items {
                if !list.contains(item) && !fresh.contains(item) {
                    fresh.push(item.clone());
                }
            }
            drop(list.splice(0..0, fresh));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_change_values_as_their_names_say() {
        use PropertyOpKind::*;
        for (before, kind, operand, after) in [
            (None, Set, json!("a"), Some(json!("a"))),
            (Some(json!("a")), SetOnce, json!("b"), Some(json!("a"))),
            (None, SetOnce, json!("b"), Some(json!("b"))),
            (Some(json!("")), SetOnce, json!("b"), Some(json!(""))),
            (None, Add, json!(2), Some(json!(2))),
            (Some(json!("1.5")), Add, json!(2), Some(json!(3.5))),
            (Some(json!("text")), Add, json!("2"), Some(json!(2))),
            (Some(json!("a")), Append, json!("b"), Some(json!(["a", "b"]))),
            (None, Append, json!(["a", "b"]), Some(json!(["a", "b"]))),
            (Some(json!(["a"])), Prepend, json!(["x", "y"]), Some(json!(["x", "y", "a"]))),
            (Some(json!(["a", "b", "a"])), Remove, json!("a"), Some(json!(["b"]))),
            (Some(json!("a")), Remove, json!("a"), Some(json!("a"))),
            (None, Remove, json!("a"), None),
            (Some(json!(["a"])), PostInsert, json!(["a", "b", "b"]), Some(json!(["a", "b"]))),
            (Some(json!(["a"])), PreInsert, json!(["b", "a", "b"]), Some(json!(["b", "a"]))),
            (Some(json!(1)), Unset, json!(null), None),
            (Some(json!(1)), ClearAll, json!(null), None),
        ] {
            let mut value = before.clone();
            apply(&mut value, kind, &operand);
            assert_eq!(value, after, "{before:?} {kind:?} {operand}");
        }
    }
}
