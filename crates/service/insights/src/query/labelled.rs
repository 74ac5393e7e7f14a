//! `breakdown` of analyses that label whole actors (funnels, retention): dimensions with the place `at` which their
//! value is taken.

use super::parts::{self, BreakdownSpec};
use super::reader::Reader;
use crate::Error;
use serde_json::Value;

/// Most dimensions of such a breakdown.
const DIMENSIONS_MAX: usize = 5;

/// The dimensions of `breakdown`, each with its `at`.
pub(crate) fn dimensions(query: &Reader<'_>) -> Result<Vec<(BreakdownSpec, Option<String>)>, Error> {
    let list = match query.get("breakdown") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    if list.len() > DIMENSIONS_MAX {
        return Err(query.wrong("breakdown", "has too many dimensions", format!("at most {DIMENSIONS_MAX}")));
    }
    let one = |(i, value): (usize, &Value)| {
        let path = if list.len() == 1 { "breakdown".to_owned() } else { format!("breakdown[{i}]") };
        let from = Reader::new(value, &path)?;
        // An actor is in a group or not; there is nothing to count twice, and `at` says whose value it is.
        from.refuse(&[("items", &[serde_json::json!("distinct")]), ("attribution", &[])])?;
        let at = from.text("at")?.map(str::to_owned);
        let property = parts::property(&from)?;
        let spec = BreakdownSpec { property, bins: parts::bins(&from)?, all_items: false, attribution: None };
        from.finish()?;
        Ok((spec, at))
    };
    list.iter().enumerate().map(one).collect()
}
