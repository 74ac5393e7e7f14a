//! `compare`: "the same query with the range shifted back n calendar units (month shifts clamp the day to the
//! month's end)".

use crate::reference::calendar::unit_ms;
use crate::reference::events::Prepared;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde_json::{Value, json};
use tallymark_model::Millis;

/// The query with its earlier range, and without comparison.
pub fn earlier(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let n = query["compare"]["n"].as_i64().ok_or("compare.n is missing")?;
    let unit = query["compare"]["unit"].as_str().ok_or("compare.unit is missing")?;
    let zone = TimeZone::get(&prepared.world.timezone).map_err(|e| e.to_string())?;
    let local = |t: Millis| Timestamp::from_millisecond(t).unwrap_or_default().to_zoned(zone.clone());
    // As it was asked for, before any widening.
    let (from, to) = prepared.calendar.range(&query["range"], prepared.as_of)?;
    let is_text = |key: &str, part: char| query["range"][key].as_str().is_some_and(|t| t.contains(part));
    let days = match query["range"]["unit"].as_str() {
        Some(unit) => unit != "hour" && unit != "minute",
        None => !is_text("from", 'T') && !is_text("to", 'T'),
    };
    let mut there = query.clone();
    there["compare"] = Value::Null;
    if unit == "hour" || unit == "minute" {
        let back = n * unit_ms(unit)?;
        let text = |t: Millis| Timestamp::from_millisecond(t).unwrap_or_default().to_string();
        there["range"] = json!({"from": text(from - back), "to": text(to - back)});
        return Ok(there);
    }
    let span: Span = match unit {
        "day" => n.days(),
        "week" => n.weeks(),
        "month" => n.months(),
        "quarter" => (3 * n).months(),
        "year" => n.years(),
        other => return Err(format!("compare.unit: {other} is unknown")),
    };
    there["range"] = if days {
        let shifted = |date: Date| date.checked_sub(span).map(|d| d.to_string()).map_err(|e| e.to_string());
        json!({"from": shifted(local(from).date())?, "to": shifted(local(to - 1).date())?})
    } else {
        let shifted = |t: Millis| {
            local(t).checked_sub(span).map(|z| z.timestamp().to_string()).map_err(|e| e.to_string())
        };
        json!({"from": shifted(from)?, "to": shifted(to)?})
    };
    Ok(there)
}
