//! Chapter 11 from the text: what a project calls things.

use super::values;
use serde_json::{Map, Value};

/// The definitions of a world.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Name and body, as the API takes it.
    pub virtual_events: Vec<(String, Value)>,
    /// Name, expression, and the same in plain Rust.
    pub custom: Vec<(String, String, fn(&Map<String, Value>) -> Option<Value>)>,
    /// Name and body, as the API takes it.
    pub lookups: Vec<(String, Value)>,
    /// New name and old names.
    pub renames: Vec<(String, Vec<String>)>,
}

impl Definitions {
    /// "Merged event names (`renames`) apply before selectors."
    pub fn shown<'a>(&'a self, sent: &'a str) -> &'a str {
        let found = self.renames.iter().find(|(_, old)| old.iter().any(|o| o == sent));
        found.map_or(sent, |(new, _)| new)
    }

    /// The alternatives of a virtual event.
    pub fn alternatives(&self, name: &str) -> Option<&[Value]> {
        let (_, body) = self.virtual_events.iter().find(|(n, _)| n == name)?;
        body["any"].as_array().map(Vec::as_slice)
    }

    /// "Custom properties are pure expressions over one event."
    pub fn custom(&self, name: &str, properties: &Map<String, Value>) -> Option<Value> {
        let (.., of) = self.custom.iter().find(|(n, ..)| n == name)?;
        of(properties)
    }

    /// "Lookup tables join by canonical text."
    pub fn lookup(&self, table: &str, key: Option<&Value>, column: &str) -> Option<Value> {
        let (_, body) = self.lookups.iter().find(|(n, _)| n == table)?;
        let key = values::text(key.filter(|k| !values::is_none(Some(k)))?);
        let at = body["columns"].as_array()?.iter().position(|c| c == column)?;
        let row = body["rows"].as_array()?.iter().find(|row| values::text(&row[0]) == key)?;
        Some(row[at + 1].clone())
    }

    /// The property that a lookup table joins on.
    pub fn lookup_on(&self, table: &str) -> Option<&Value> {
        self.lookups.iter().find(|(n, _)| n == table).map(|(_, body)| &body["on"])
    }
}
