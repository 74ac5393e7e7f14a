//! The operators of chapter 1.3 from the text, over the query's own JSON.

use super::events::{Prepared, Seen};
use super::values::{instant_ms, is_none, number, text};
use serde_json::Value;

/// Whether a condition (or a list of them: all) holds for an event.
pub fn holds(prepared: &Prepared, seen: &Seen, condition: &Value) -> Result<bool, String> {
    let each = |list: &Value| -> Result<Vec<bool>, String> {
        let list = list.as_array().ok_or("expected a list of conditions")?;
        list.iter().map(|c| holds(prepared, seen, c)).collect()
    };
    if condition.is_array() {
        return Ok(each(condition)?.into_iter().all(|b| b));
    }
    if let Some(list) = condition.get("all") {
        return Ok(each(list)?.into_iter().all(|b| b));
    }
    if let Some(list) = condition.get("any") {
        return Ok(each(list)?.into_iter().any(|b| b));
    }
    if let Some(inner) = condition.get("not") {
        return Ok(!holds(prepared, seen, inner)?);
    }
    if !condition["cohort"].is_null() {
        let at = if condition["at"] == "event_time" { seen.event.time } else { prepared.as_of };
        return super::cohort::belongs(prepared, &condition["cohort"], seen.person, at);
    }
    let property = condition["property"].as_str().ok_or(format!("not a condition: {condition}"))?;
    let op = condition["op"].as_str().ok_or("op is missing")?;
    let value = prepared.value(seen, condition["scope"].as_str().unwrap_or("event"), property)?;
    compare(op, value.as_ref(), &condition["value"], prepared.empty_is_value.get())
}

/// One operator on one value; empty text is a value like others if `empty_is_value` says so.
pub fn compare(
    op: &str,
    value: Option<&Value>,
    operand: &Value,
    empty_is_value: bool,
) -> Result<bool, String> {
    let is_none = |v: Option<&Value>| is_none(v) && !(empty_is_value && v.is_some_and(|v| v == ""));
    if let Some(positive) = match op {
        "is_not" => Some("is"),
        "not_contains" => Some("contains"),
        "not_regex" => Some("regex"),
        "is_not_set" => Some("is_set"),
        _ => None,
    } {
        return Ok(!compare(positive, value, operand, empty_is_value)?);
    }
    let operands = operand.as_array().cloned().unwrap_or_else(|| vec![operand.clone()]);
    if op == "is" && is_none(value) {
        return Ok(operands.iter().any(|o| is_none(Some(o))));
    }
    let Some(value) = value.filter(|v| !is_none(Some(v))) else { return Ok(false) };
    if op == "is_set" {
        return Ok(true);
    }
    let elements = match value {
        Value::Array(items) => items.iter().filter(|v| !is_none(Some(v))).collect(),
        single => vec![single],
    };
    let mut hit = false;
    for element in elements {
        hit = hit || one(op, element, operand, &operands, &is_none)?;
    }
    Ok(hit)
}

fn one(
    op: &str,
    element: &Value,
    operand: &Value,
    operands: &[Value],
    is_none: &dyn Fn(Option<&Value>) -> bool,
) -> Result<bool, String> {
    let folded = text(element).to_lowercase();
    let any = |test: &dyn Fn(&str) -> bool| operands.iter().any(|o| test(&text(o).to_lowercase()));
    let numbers = |test: &dyn Fn(f64, f64) -> bool| match (number(element), number(operand)) {
        (Some(a), Some(b)) => test(a, b),
        _ => false,
    };
    let instants = |test: &dyn Fn(f64, f64) -> bool| match (instant_ms(element), instant_ms(operand)) {
        (Some(a), Some(b)) => test(a, b),
        _ => false,
    };
    Ok(match op {
        "is" => operands.iter().any(|o| !is_none(Some(o)) && text(o) == text(element)),
        "contains" => any(&|o| folded.contains(o)),
        "starts_with" => any(&|o| folded.starts_with(o)),
        "ends_with" => any(&|o| folded.ends_with(o)),
        "regex" => {
            let pattern = operand.as_str().ok_or("regex: expected a pattern")?;
            regex::Regex::new(pattern).map_err(|e| e.to_string())?.is_match(&text(element))
        }
        "gt" => numbers(&|a, b| a > b),
        "gte" => numbers(&|a, b| a >= b),
        "lt" => numbers(&|a, b| a < b),
        "lte" => numbers(&|a, b| a <= b),
        "between" => match (number(element), number(&operand[0]), number(&operand[1])) {
            (Some(n), Some(low), Some(high)) => low <= n && n <= high,
            _ => false,
        },
        "before" => instants(&|a, b| a < b),
        "after" => instants(&|a, b| a > b),
        other => return Err(format!("op: {other} is unknown")),
    })
}
