//! Chapter 1.4 from the text: user properties as a fold over operations in (time, seq) order.

use super::values::number;
use serde_json::Value;
use tallymark_model::{PropertyOp, PropertyOpKind};

/// A person's properties at some time.
pub type Properties = serde_json::Map<String, Value>;

/// Applies one operation.
pub fn fold(properties: &mut Properties, op: &PropertyOp) {
    let name = op.name.clone();
    let old = properties.get(&name).cloned();
    match op.kind {
        PropertyOpKind::Set => {
            properties.insert(name, op.value.clone());
        }
        PropertyOpKind::SetOnce => {
            if old.is_none() {
                properties.insert(name, op.value.clone());
            }
        }
        PropertyOpKind::Add => {
            let sum = old.as_ref().and_then(number).unwrap_or(0.0) + number(&op.value).unwrap_or(0.0);
            properties.insert(name, Value::from(sum));
        }
        PropertyOpKind::Append => {
            let mut list = list(old);
            list.extend(operands(&op.value));
            properties.insert(name, Value::Array(list));
        }
        PropertyOpKind::Prepend => {
            let mut result = operands(&op.value);
            result.extend(list(old));
            properties.insert(name, Value::Array(result));
        }
        PropertyOpKind::PostInsert => {
            let mut list = list(old);
            for value in operands(&op.value) {
                if !list.contains(&value) {
                    list.push(value);
                }
            }
            properties.insert(name, Value::Array(list));
        }
        PropertyOpKind::PreInsert => {
            let list = list(old);
            let mut result = Vec::new();
            for value in operands(&op.value) {
                if !list.contains(&value) && !result.contains(&value) {
                    result.push(value);
                }
            }
            result.extend(list);
            properties.insert(name, Value::Array(result));
        }
        PropertyOpKind::Remove => {
            if let Some(Value::Array(mut list)) = old {
                let gone = operands(&op.value);
                list.retain(|v| !gone.contains(v));
                properties.insert(name, Value::Array(list));
            }
        }
        PropertyOpKind::Unset => {
            properties.shift_remove(&name);
        }
        PropertyOpKind::ClearAll => properties.clear(),
    }
}

/// A missing property is an empty list, a single value a list of one.
fn list(old: Option<Value>) -> Vec<Value> {
    match old {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(single) => vec![single],
    }
}

fn operands(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    }
}
