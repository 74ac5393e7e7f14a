//! How a row of a file becomes an event: one small expression per field.
//!
//! Expressions are CEL (the Common Expression Language). They see `row`, the row's fields as text (CSV) or as
//! the JSON they are (NDJSON), and `num`, those fields that are numbers. `without_suffix(text, suffix)` cuts a
//! known ending.
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

use cel::{Context, Program, Value as Cel};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The text of a mapping, as written in a file or with `--map key=expression`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingText {
    /// Event name.
    pub event: Option<String>,
    /// When it happened.
    pub time: Option<String>,
    /// `strptime` pattern of `time`; default ISO 8601 or epoch.
    pub time_format: Option<String>,
    /// IANA zone for times without an offset; default UTC.
    pub timezone: Option<String>,
    /// User id.
    pub user_id: Option<String>,
    /// Device or anonymous id.
    pub device_id: Option<String>,
    /// Session id.
    pub session_id: Option<String>,
    /// Dedup id; default: a hash of the row's bytes and how often they occurred before in the file.
    pub insert_id: Option<String>,
    /// Event properties.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// Person properties (`$set`).
    #[serde(default)]
    pub user_properties: BTreeMap<String, String>,
}

/// A mapping that cannot be used, or a row that it does not fit.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The mapping file cannot be read.
    #[error("cannot read the mapping {path}: {why}")]
    Read {
        /// The file.
        path: String,
        /// The reason.
        why: String,
    },
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
    /// Reads `--map` arguments: files (TOML or JSON) and `key=expression` pairs, later ones winning.
    pub fn from_arguments(arguments: &[String]) -> Result<MappingText, MappingError> {
        let mut text = MappingText::default();
        for argument in arguments {
            match argument.split_once('=') {
                Some((key, expression)) if !Path::new(argument).exists() => {
                    text.set(key.trim(), expression.trim())?
                }
                _ => text = read_file(Path::new(argument))?,
            }
        }
        Ok(text)
    }

    fn set(&mut self, key: &str, expression: &str) -> Result<(), MappingError> {
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

fn read_file(path: &Path) -> Result<MappingText, MappingError> {
    let fail = |why: String| MappingError::Read { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|e| fail(e.to_string()))
    } else {
        toml::from_str(&text).map_err(|e| fail(e.to_string()))
    }
}

/// A mapping ready to run.
pub struct Mapping {
    event: Field,
    time: Option<Field>,
    clock: Clock,
    ids: Vec<(&'static str, Field)>,
    properties: Vec<(String, Field)>,
    user_properties: Vec<(String, Field)>,
}

/// A row as expressions see it.
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

/// One compiled expression. A plain `row.NAME` is read directly: it is the common case, and free.
enum Field {
    Column(String),
    Constant(String),
    Program { name: String, program: Program },
}

impl Field {
    fn compile(name: &str, expression: &str) -> Result<Field, MappingError> {
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if let Some(column) = expression.strip_prefix("row.").filter(|c| plain(c)) {
            return Ok(Field::Column(column.to_owned()));
        }
        if let Some(text) = expression.strip_prefix('\'').and_then(|e| e.strip_suffix('\''))
            && !text.contains(['\'', '\\'])
        {
            return Ok(Field::Constant(text.to_owned()));
        }
        let program = Program::compile(expression)
            .map_err(|e| MappingError::Expression { field: name.to_owned(), why: e.to_string() })?;
        Ok(Field::Program { name: name.to_owned(), program })
    }

    fn eval(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Field::Column(column) => Ok(scope.row.fields.get(column).cloned().unwrap_or(Value::Null)),
            Field::Constant(text) => Ok(text.clone().into()),
            Field::Program { name, program } => {
                let value = program.execute(&scope.context).map_err(|e| format!("{name}: {e}"))?;
                to_json(&value)
                    .ok_or_else(|| format!("{name}: the expression gives no text, number, bool or list"))
            }
        }
    }
}

struct Scope<'a> {
    row: &'a Row,
    context: Context<'static, 'static>,
}

impl<'a> Scope<'a> {
    fn new(row: &'a Row) -> Scope<'a> {
        let mut context = Context::default();
        let numbers: Map<String, Value> = row
            .fields
            .iter()
            .filter_map(|(k, v)| tallymark_model::number_of(v).map(|n| (k.clone(), json!(n))))
            .collect();
        // Values that serialise are always accepted: these are plain JSON.
        let _ = context.add_variable("row", &row.fields);
        let _ = context.add_variable("num", &numbers);
        // The name is an identifier, which is all that can be wrong with a registration.
        let _ = context.add_function("without_suffix", |text: Arc<String>, suffix: Arc<String>| -> String {
            text.strip_suffix(suffix.as_str()).unwrap_or(&text).to_owned()
        });
        Scope { row, context }
    }
}

fn to_json(value: &Cel) -> Option<Value> {
    Some(match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => (*b).into(),
        Cel::Int(i) => (*i).into(),
        Cel::UInt(u) => (*u).into(),
        Cel::Float(f) => serde_json::Number::from_f64(*f).map(Value::Number)?,
        Cel::String(s) => s.as_str().into(),
        Cel::List(items) => items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        _ => return None,
    })
}

/// Reads the time of a row.
struct Clock {
    format: Option<String>,
    zone: jiff::tz::TimeZone,
}

impl Clock {
    fn new(format: Option<String>, zone: Option<&str>) -> Result<Clock, MappingError> {
        let zone = match zone {
            None => jiff::tz::TimeZone::UTC,
            Some(name) => jiff::tz::TimeZone::get(name).map_err(|_| MappingError::Zone(name.to_owned()))?,
        };
        Ok(Clock { format, zone })
    }

    /// Milliseconds UTC.
    fn read(&self, value: &Value) -> Result<i64, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let unknown = MappingText::from_arguments(&["colour='red'".to_owned()]).unwrap_err().to_string();
        assert!(unknown.contains("colour"), "{unknown}");
    }
}
