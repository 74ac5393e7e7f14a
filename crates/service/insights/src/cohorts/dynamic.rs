//! From a number of a chart to a definition that means the persons behind it, as long as there is one.
//!
//! Guarantees: what cannot be said as a definition is refused by name, never left out.

use crate::Error;
use crate::query::Query;
use serde_json::{Map, Value, json};

/// The definition.
pub(crate) fn definition(query: &Value) -> Result<Value, Error> {
    Query::parse(query)?;
    let kind = query["type"].as_str().unwrap_or_default();
    match kind {
        "cohort" => match query["microscope"].get("bucket") {
            None => Ok(query["cohort"].clone()),
            Some(_) => Err(refused("microscope.bucket", "membership at the end of a bucket")),
        },
        "segmentation" => series(query),
        other => Err(refused("type", &format!("a number of `{other}`"))),
    }
}

fn series(query: &Value) -> Result<Value, Error> {
    const KNOWN: [&str; 10] = [
        "type",
        "series",
        "range",
        "interval",
        "segment",
        "count_by",
        "as_of",
        "microscope",
        "limit",
        "other",
    ];
    const SERIES: [&str; 6] = ["event", "where", "nth", "nth_of", "measure", "name"];
    if let Some(key) = unknown(query, &KNOWN) {
        return Err(refused(&key, "this option"));
    }
    if query["count_by"].as_str().is_some_and(|by| by != "person") {
        return Err(refused("count_by", "actors that are no persons"));
    }
    let point = &query["microscope"];
    if let Some(key) = unknown(point, &["series", "limit", "after"]) {
        return Err(refused(&format!("microscope.{key}"), "a part of the series"));
    }
    let letter = point["series"].as_str().unwrap_or("A");
    let index = letter.bytes().next().unwrap_or(b'A').wrapping_sub(b'A');
    let series = &query["series"][usize::from(index)];
    if series.is_null() {
        return Err(Error::malformed("microscope.series", format!("{letter:?} is no series"), ""));
    }
    if let Some(key) = unknown(series, &SERIES) {
        return Err(refused(&format!("series.{key}"), "this option"));
    }
    let mut selector = Map::new();
    for key in ["event", "nth", "nth_of"] {
        if let Some(value) = series.get(key) {
            selector.insert(key.to_owned(), value.clone());
        }
    }
    if !query["segment"].is_null() && selector.contains_key("nth") {
        return Err(refused("segment", "a segment beside `nth`"));
    }
    let conditions: Vec<Value> =
        [&query["segment"], &series["where"]].into_iter().filter(|c| !c.is_null()).cloned().collect();
    if !conditions.is_empty() {
        selector.insert("where".to_owned(), Value::Array(conditions));
    }
    let range = &query["range"];
    let mut clause = json!({"performed": selector});
    match (range.get("last"), range.get("exclude_current")) {
        (None, _) => clause["during"] = range.clone(),
        (Some(n), None | Some(Value::Bool(false))) => {
            clause["last"] = json!({"n": n, "unit": range["unit"]});
        }
        _ => return Err(refused("range.exclude_current", "a range that leaves the current unit out")),
    }
    Ok(clause)
}

fn unknown(object: &Value, known: &[&str]) -> Option<String> {
    object.as_object()?.keys().find(|key| !known.contains(&key.as_str())).cloned()
}

fn refused(path: &str, what: &str) -> Error {
    let hint = "keep the persons themselves instead: `kind: \"static\"`";
    Error::malformed(format!("query.{path}"), format!("{what} cannot be said as a definition"), hint)
}
