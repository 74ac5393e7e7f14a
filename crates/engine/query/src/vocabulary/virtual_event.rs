//! A name for any of several events, each under conditions.

use super::names_of;
use std::collections::BTreeSet;
use tallymark_model::Value;
use tallymark_predicate::{Condition, Expr};

const ALTERNATIVES_MAX: usize = 50;

/// `{"any": [{"event": name or names, "where": [conditions]}]}`.
#[derive(Debug, Default)]
pub(super) struct VirtualEvent {
    pub any: Vec<Alternative>,
}

/// Events of these names that pass the conditions.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// Names; renames apply to them.
    pub names: BTreeSet<String>,
    /// What they must pass.
    pub filter: Option<Expr>,
}

impl VirtualEvent {
    pub fn parse(body: &Value) -> Result<VirtualEvent, String> {
        only(body, &["any", "description"])?;
        let list = body["any"].as_array().filter(|l| !l.is_empty() && l.len() <= ALTERNATIVES_MAX);
        let list = list.ok_or_else(|| {
            format!("`any`: 1 to {ALTERNATIVES_MAX} of {{\"event\": name, \"where\": [conditions]}}")
        })?;
        let any =
            list.iter().enumerate().map(|(i, value)| alternative(value, i)).collect::<Result<_, _>>()?;
        Ok(VirtualEvent { any })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.any.iter().flat_map(|a| a.names.iter().map(String::as_str))
    }
}

fn alternative(value: &Value, i: usize) -> Result<Alternative, String> {
    only(value, &["event", "where"]).map_err(|e| format!("any[{i}]: {e}"))?;
    let names = names_of(&value["event"]).map_err(|e| format!("any[{i}].event: {e}"))?;
    // Operations are no events; `*` and `$active` are no names. SDKs' own events (`$autocapture`) are events like any.
    let is_none = |name: &str| tallymark_model::is_operation(name) || name == "*" || name == "$active";
    if let Some(name) = names.iter().find(|n| is_none(n)) {
        return Err(format!("any[{i}].event: {name:?} cannot be part of a virtual event"));
    }
    let filter = match &value["where"] {
        Value::Null => None,
        conditions => {
            let at = format!("any[{i}].where");
            let parsed = Condition::parse(conditions, &at).and_then(|c| c.compile());
            Some(parsed.map_err(|e| e.to_string())?)
        }
    };
    Ok(Alternative { names, filter })
}

/// An object without other keys than these.
pub(super) fn only(value: &Value, known: &[&str]) -> Result<(), String> {
    let map = value.as_object().ok_or("must be an object")?;
    match map.keys().find(|k| !known.contains(&k.as_str())) {
        Some(key) => Err(format!("`{key}` is not known; known here: {}", known.join(", "))),
        None => Ok(()),
    }
}
