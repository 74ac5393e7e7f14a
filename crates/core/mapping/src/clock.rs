//! Times as files write them.

use crate::MappingError;
use serde_json::Value;

/// Reads the time of a row.
pub(crate) struct Clock {
    format: Option<String>,
    zone: jiff::tz::TimeZone,
}

impl Clock {
    pub fn new(format: Option<String>, zone: Option<&str>) -> Result<Clock, MappingError> {
        let zone = match zone {
            None => jiff::tz::TimeZone::UTC,
            Some(name) => jiff::tz::TimeZone::get(name).map_err(|_| MappingError::Zone(name.to_owned()))?,
        };
        Ok(Clock { format, zone })
    }

    /// Milliseconds UTC.
    pub fn read(&self, value: &Value) -> Result<i64, String> {
        let number = |n: f64| if n.abs() < 1e11 { (n * 1000.0) as i64 } else { n as i64 };
        let text = match value {
            Value::Number(n) => {
                return n.as_f64().map(number).ok_or_else(|| format!("time: {n} is out of range"));
            }
            Value::String(s) => s.trim(),
            other => return Err(format!("time: expected text or a number, got {other}")),
        };
        let fail = |e: jiff::Error| format!("time: {text:?} does not fit: {e}");
        if let Some(format) = &self.format {
            let parsed = jiff::fmt::strtime::parse(format, text).map_err(fail)?;
            if let Ok(instant) = parsed.to_timestamp() {
                return Ok(instant.as_millisecond());
            }
            let local = parsed.to_datetime().map_err(fail)?;
            return local.to_zoned(self.zone.clone()).map(|z| z.timestamp().as_millisecond()).map_err(fail);
        }
        if let Ok(n) = text.parse::<f64>() {
            return Ok(number(n));
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(instant.as_millisecond());
        }
        let local: jiff::civil::DateTime = text.parse().map_err(fail)?;
        local.to_zoned(self.zone.clone()).map(|z| z.timestamp().as_millisecond()).map_err(fail)
    }
}
