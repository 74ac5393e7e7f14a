//! A row of a file becomes an element of the native API's `events`.
//!
//! Guarantees: pure; the same row gives the same event, with the same insert id, for ever.
//! Deliberately not here: the formats (`formats`), expressions (`mapping`).

use crate::formats;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tallymark_mapping::{Mapping, MappingError, MappingText, Row};

/// What a row is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An event of the native API.
    #[default]
    Events,
    /// A line of Amplitude's export.
    AmplitudeExport,
    /// A row of PostHog's batch export.
    PosthogExport,
    /// A line of Mixpanel's raw export.
    MixpanelExport,
    /// A message of Segment's or RudderStack's archive.
    SegmentExport,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [
        Format::Events,
        Format::AmplitudeExport,
        Format::PosthogExport,
        Format::MixpanelExport,
        Format::SegmentExport,
    ];

    /// Its name in commands and files.
    pub fn name(self) -> &'static str {
        match self {
            Format::Events => "events",
            Format::AmplitudeExport => "amplitude-export",
            Format::PosthogExport => "posthog-export",
            Format::MixpanelExport => "mixpanel-export",
            Format::SegmentExport => "segment-export",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Result<Format, String> {
        let known = || Format::ALL.map(Format::name).join(", ");
        let found = Format::ALL.into_iter().find(|f| f.name() == name);
        found.ok_or_else(|| format!("unknown format {name:?}; use one of {}", known()))
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Format::default()
    }
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Name of the source.
    pub source: String,
    /// Which object of the world it is.
    pub object: String,
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: String,
}

/// Converts the rows of one object.
pub(crate) struct Converter {
    format: Format,
    mapping: Option<Mapping>,
    lineage: Lineage,
}

impl Converter {
    pub fn new(
        format: Format,
        map: Option<&MappingText>,
        lineage: Lineage,
    ) -> Result<Converter, MappingError> {
        Ok(Converter { format, mapping: map.map(Mapping::compile).transpose()?, lineage })
    }

    /// The event of a row; the error says what does not fit.
    pub fn event(&self, line: u64, row: Row) -> Result<Map<String, Value>, String> {
        let id = self.insert_id(line);
        let mut event = match &self.mapping {
            Some(mapping) => match mapping.apply(&row, &id)? {
                Value::Object(event) => event,
                other => return Err(format!("the mapping gives {other}")),
            },
            None => formats::event(self.format, row.fields)?,
        };
        if event.get("insert_id").is_none_or(blank) {
            event.insert("insert_id".to_owned(), id.into());
        }
        let properties = event.entry("properties").or_insert_with(|| Map::new().into());
        if properties.is_null() {
            *properties = Map::new().into();
        }
        // Anything but an object is refused by the collector, with the reason.
        if let Value::Object(properties) = properties {
            properties.insert("$source".to_owned(), self.lineage.source.as_str().into());
            properties.insert("$source_object".to_owned(), self.lineage.key.as_str().into());
            properties.insert("$source_row".to_owned(), line.into());
        }
        Ok(event)
    }

    /// The insert id of a row that brings none.
    fn insert_id(&self, line: u64) -> String {
        let mut hasher = Sha256::new();
        for part in [self.lineage.object.as_bytes(), self.lineage.version.as_bytes(), &line.to_le_bytes()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|s| s.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn converter(map: Option<&MappingText>) -> Converter {
        let lineage = Lineage {
            source: "logs".to_owned(),
            object: "s3://b/k.ndjson".to_owned(),
            key: "k.ndjson".to_owned(),
            version: "e1".to_owned(),
        };
        Converter::new(Format::Events, map, lineage).unwrap()
    }

    fn row(fields: Value) -> Row {
        Row { fields: fields.as_object().unwrap().clone() }
    }

    #[test]
    fn rows_say_where_they_come_from_and_keep_their_own_id() {
        let own = converter(None).event(7, row(json!({"event": "a", "insert_id": "mine"}))).unwrap();
        let expected = json!({"event": "a", "insert_id": "mine",
            "properties": {"$source": "logs", "$source_object": "k.ndjson", "$source_row": 7}});
        assert_eq!(Value::Object(own), expected);
        let event = || row(json!({"event": "a", "insert_id": " ", "properties": null}));
        let id = |line| converter(None).event(line, event()).unwrap()["insert_id"].clone();
        assert_eq!(id(7), id(7));
        assert_ne!(id(7), id(8));
    }

    #[test]
    fn a_mapping_names_what_does_not_fit() {
        let map = MappingText {
            event: Some("row.what".to_owned()),
            user_id: Some("row.who".to_owned()),
            ..MappingText::default()
        };
        let event = converter(Some(&map)).event(2, row(json!({"what": "buy", "who": "u1"}))).unwrap();
        assert_eq!((event["event"].as_str(), event["user_id"].as_str()), (Some("buy"), Some("u1")));
        assert!(converter(Some(&map)).event(2, row(json!({"what": ""}))).unwrap_err().starts_with("event:"));
    }
}
