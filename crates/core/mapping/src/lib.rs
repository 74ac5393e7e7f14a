//! How a row of a file becomes an event: one small expression per field.
//!
//! Expressions are CEL (the Common Expression Language). They see `row`, the row's fields as text (CSV) or as
//! the JSON they are (NDJSON, Parquet), and `num`, those fields that are numbers. `without_suffix(text, suffix)` cuts
//! a known ending.
//!
//! ```toml
//! event    = "num.Quantity < 0.0 || row.InvoiceNo.startsWith('C') ? 'refund' : 'purchase'"
//! user_id  = "without_suffix(row.CustomerID, '.0')"
//! time     = "row.InvoiceDate"
//! time_format = "%Y-%m-%d %H:%M:%S"     # default: ISO 8601, or epoch seconds or milliseconds
//! timezone = "Europe/London"            # for times without an offset; default UTC
//! [properties]
//! revenue  = "num.Quantity * num.UnitPrice"
//! ```
//!
//! Guarantees: pure; a row that does not fit says which field and why. Deliberately not here: reading files.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod clock;
pub mod expression;

use clock::Clock;
use expression::{Field, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The text of a mapping, as written in a file or with `--map key=expression`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingText {
    /// Event name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// `strptime` pattern of `time`; default ISO 8601 or epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_format: Option<String>,
    /// IANA zone for times without an offset; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// User id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Device or anonymous id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Session id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Dedup id; default: a hash of the row's bytes and how often they occurred before in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_id: Option<String>,
    /// Event properties.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Person properties (`$set`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user_properties: BTreeMap<String, String>,
}

/// A mapping that cannot be used, or a row that it does not fit.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// An inline mapping names no known field.
    #[error(
        "unknown field {0:?} in --map; use event, time, time_format, timezone, user_id, device_id, session_id, insert_id, properties.NAME or user_properties.NAME"
    )]
    Field(String),
    /// An expression does not parse.
    #[error("the expression for {field} does not parse: {why}")]
    Expression {
        /// The mapped field.
        field: String,
        /// The parser's word.
        why: String,
    },
    /// No expression for the event name.
    #[error(
        "the mapping names no event: add `event = \"…\"` (a text constant is written with inner quotes: event = \"'purchase'\")"
    )]
    NoEvent,
    /// The time zone is unknown.
    #[error("unknown time zone {0:?}; use an IANA name such as Europe/London")]
    Zone(String),
}

impl MappingText {
    /// Sets one field, as in `--map key=expression`.
    pub fn set(&mut self, key: &str, expression: &str) -> Result<(), MappingError> {
        let value = expression.to_owned();
        match key {
            "event" => self.event = Some(value),
            "time" => self.time = Some(value),
            "time_format" => self.time_format = Some(value),
            "timezone" => self.timezone = Some(value),
            "user_id" => self.user_id = Some(value),
            "device_id" => self.device_id = Some(value),
            "session_id" => self.session_id = Some(value),
            "insert_id" => self.insert_id = Some(value),
            _ => match key.split_once('.') {
                Some(("properties", name)) => drop(self.properties.insert(name.to_owned(), value)),
                Some(("user_properties", name)) => drop(self.user_properties.insert(name.to_owned(), value)),
                _ => return Err(MappingError::Field(key.to_owned())),
            },
        }
        Ok(())
    }
}

/// A mapping ready to run; usable from several threads.
pub struct Mapping {
    event: Field,
    time: Option<Field>,
    clock: Clock,
    ids: Vec<(&'static str, Field)>,
    properties: Vec<(String, Field)>,
    user_properties: Vec<(String, Field)>,
}

/// A row as expressions see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Field names and values: text for CSV, JSON for NDJSON.
    pub fields: Map<String, Value>,
}

impl Mapping {
    /// Compiles every expression.
    pub fn compile(text: &MappingText) -> Result<Mapping, MappingError> {
        let optional =
            |name: &str, e: &Option<String>| e.as_ref().map(|e| Field::compile(name, e)).transpose();
        let table = |scope: &str, t: &BTreeMap<String, String>| {
            t.iter()
                .map(|(k, e)| Ok((k.clone(), Field::compile(&format!("{scope}.{k}"), e)?)))
                .collect::<Result<Vec<_>, MappingError>>()
        };
        let mut ids = Vec::new();
        for (name, expression) in [
            ("user_id", &text.user_id),
            ("device_id", &text.device_id),
            ("session_id", &text.session_id),
            ("insert_id", &text.insert_id),
        ] {
            if let Some(field) = optional(name, expression)? {
                ids.push((name, field));
            }
        }
        Ok(Mapping {
            event: optional("event", &text.event)?.ok_or(MappingError::NoEvent)?,
            time: optional("time", &text.time)?,
            clock: Clock::new(text.time_format.clone(), text.timezone.as_deref())?,
            ids,
            properties: table("properties", &text.properties)?,
            user_properties: table("user_properties", &text.user_properties)?,
        })
    }

    /// The event of a row, as an element of the native API's `events`; the error says which field and why.
    pub fn apply(&self, row: &Row, fallback_insert_id: &str) -> Result<Value, String> {
        let scope = Scope::new(row);
        let mut out = Map::new();
        match self.event.eval(&scope)? {
            Value::String(name) if !name.trim().is_empty() => drop(out.insert("event".into(), name.into())),
            other => return Err(format!("event: expected a name, got {other}")),
        }
        if let Some(time) = &self.time {
            out.insert("time".into(), self.clock.read(&time.eval(&scope)?)?.into());
        }
        for (name, field) in &self.ids {
            match field.eval(&scope)? {
                Value::Null => {}
                Value::String(s) if s.is_empty() => {}
                Value::String(s) => drop(out.insert((*name).into(), s.into())),
                other => drop(out.insert((*name).into(), other.to_string().into())),
            }
        }
        if !out.contains_key("insert_id") {
            out.insert("insert_id".into(), fallback_insert_id.into());
        }
        for (key, fields) in [("properties", &self.properties), ("user_properties", &self.user_properties)] {
            let mut map = Map::new();
            for (name, field) in fields {
                match field.eval(&scope)? {
                    Value::Null => {}
                    value => drop(map.insert(name.clone(), value)),
                }
            }
            if !map.is_empty() {
                out.insert(key.into(), map.into());
            }
        }
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn retail() -> Mapping {
        let text: MappingText = toml::from_str(
            r#"
            event = "num.Quantity < 0.0 || row.InvoiceNo.startsWith('C') ? 'refund' : 'purchase'"
            user_id = "without_suffix(row.CustomerID, '.0')"
            time = "row.InvoiceDate"
            timezone = "Europe/London"
            [properties]
            Country = "row.Country"
            revenue = "num.Quantity * num.UnitPrice"
        "#,
        )
        .unwrap();
        Mapping::compile(&text).unwrap()
    }

    fn row(fields: Value) -> Row {
        Row { fields: fields.as_object().unwrap().clone() }
    }

    #[test]
    fn a_row_becomes_an_event() {
        let line = row(
            json!({"InvoiceNo": "C12", "Quantity": "-2", "UnitPrice": "1.25", "InvoiceDate": "2011-07-01 10:00:00", "CustomerID": "17850.0", "Country": "France"}),
        );
        let event = retail().apply(&line, "fallback").unwrap();
        assert_eq!(
            event,
            json!({"event": "refund", "time": 1309510800000i64, "user_id": "17850", "insert_id": "fallback",
                   "properties": {"Country": "France", "revenue": -2.5}})
        );
    }

    #[test]
    fn a_row_without_a_user_stays_anonymous() {
        let line = row(
            json!({"InvoiceNo": "1", "Quantity": "1", "UnitPrice": "1", "InvoiceDate": "2010-12-01 08:26:00", "CustomerID": "", "Country": ""}),
        );
        assert!(retail().apply(&line, "x").unwrap().get("user_id").is_none());
    }

    #[test]
    fn a_bad_row_names_the_field() {
        let line = row(
            json!({"InvoiceNo": "1", "Quantity": "many", "UnitPrice": "1", "InvoiceDate": "yesterday", "CustomerID": "", "Country": ""}),
        );
        let why = retail().apply(&line, "x").unwrap_err();
        assert!(why.starts_with("event:") && why.contains("Quantity"), "{why}");
    }

    #[test]
    fn mistakes_in_the_mapping_are_named() {
        let missing = Mapping::compile(&MappingText::default()).err().unwrap().to_string();
        assert!(missing.contains("names no event"), "{missing}");
        let bad = MappingText { event: Some("row.".into()), ..MappingText::default() };
        assert!(Mapping::compile(&bad).err().unwrap().to_string().contains("event"));
        let unknown = MappingText::default().set("colour", "'red'").unwrap_err().to_string();
        assert!(unknown.contains("colour"), "{unknown}");
    }
}
