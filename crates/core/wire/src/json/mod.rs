//! Strict JSON (sonic-rs) into the model's values, with one documented treatment of every oddity.
//!
//! | in the text | becomes |
//! |---|---|
//! | NUL, written `\u0000` | U+FFFD, remark `character_replaced` |
//! | half of a surrogate pair, written `\ud800` | U+FFFD, remark `character_replaced` |
//! | integer beyond 64 bits, or a number so small that it would become 0 | its exact text, as a string |
//! | number beyond 1.8e308, `NaN`, `Infinity` | a [`Fault`] that names the field and the byte |
//! | a key twice | the last value |
//! | nesting deeper than [`limits::DEPTH`] | a [`Fault`] |
//!
//! The common case is one pass of sonic-rs; a second, slower pass runs only for the oddities.

mod number;

use crate::{limits, split};
use sonic_rs::{JsonContainerTrait, JsonNumberTrait, JsonValueTrait, ValueRef};
use std::cell::Cell;
use tallymark_model::{DeadReason, Properties, Value};

/// Why one JSON text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable code.
    pub code: &'static str,
    /// The field, such as `properties.items[2].price`; empty if the whole text is to blame.
    pub field: String,
    /// What is wrong and where, for people.
    pub message: String,
}

impl Fault {
    /// A fault of the field `field`.
    pub(crate) fn field(code: &'static str, field: &str, message: impl Into<String>) -> Fault {
        Fault { code, field: field.to_owned(), message: message.into() }
    }

    pub(crate) fn dead(self) -> DeadReason {
        DeadReason::new(self.code, self.message)
    }

    fn json(at: usize, field: String, why: &str) -> Fault {
        let message = if field.is_empty() {
            format!("invalid JSON at byte {at}: {why}")
        } else {
            format!("invalid JSON in field '{field}' at byte {at}: {why}")
        };
        Fault { code: "invalid_json", field, message }
    }
}

/// One parsed JSON text.
pub(crate) struct Doc {
    root: sonic_rs::Value,
    /// Numbers are kept as text until converted (second pass only).
    exact: bool,
    /// Characters may have to be, or were, replaced.
    replaced: bool,
    /// A number was converted that may have lost something.
    doubtful: Cell<bool>,
}

impl Doc {
    /// Parses one JSON text.
    pub fn parse(text: &[u8]) -> Result<Doc, Fault> {
        if split::deeper_than(text, limits::DEPTH) {
            let message = format!("the JSON is nested deeper than {} levels", limits::DEPTH);
            return Err(Fault { code: "too_deep", field: String::new(), message });
        }
        match sonic_rs::from_slice::<sonic_rs::Value>(text) {
            Ok(root) => Ok(Doc { root, exact: false, replaced: has_nul(text), doubtful: Cell::new(false) }),
            Err(_) => Doc::parse_again(text, true),
        }
    }

    /// Parses with every number kept exactly as written.
    #[cold]
    pub fn parse_exactly(text: &[u8]) -> Result<Doc, Fault> {
        Doc::parse_again(text, false)
    }

    /// What `look` finds in one JSON text; it looks again, at the exact numbers, if it came upon one that parsing
    /// may have changed. The door must see the ids that decoding will see.
    pub fn understand<T>(text: &[u8], mut look: impl FnMut(&Doc) -> Result<T, Fault>) -> Result<T, Fault> {
        let doc = Doc::parse(text)?;
        let found = look(&doc);
        if doc.is_doubtful(text) { look(&Doc::parse_exactly(text)?) } else { found }
    }

    /// True if a value that was converted so far may differ from what `text` says, so that it must be parsed
    /// exactly and converted again.
    pub fn is_doubtful(&self, text: &[u8]) -> bool {
        self.doubtful.get() && !self.exact && number::may_be_odd(text)
    }

    /// The second pass: numbers as text, lone surrogates replaced, and if that fails too, a good message.
    #[cold]
    fn parse_again(text: &[u8], failed: bool) -> Result<Doc, Fault> {
        if let Err(error) = std::str::from_utf8(text) {
            let at = error.valid_up_to();
            return Err(Fault::json(at, split::path_at(text, at), "the text is not UTF-8"));
        }
        let mut parser = sonic_rs::Deserializer::from_slice(text).use_rawnumber().utf8_lossy();
        let root: sonic_rs::Value = parser
            .deserialize()
            .and_then(|root| parser.end().map(|()| root))
            .map_err(|error| syntax_fault(text, &error))?;
        let mut path = String::new();
        if let Some(number) = number::first_overflow(&root, &mut path) {
            let shown: String = number.chars().take(40).collect();
            return Err(Fault {
                code: "invalid_number",
                message: format!("the number {shown} in field '{path}' is too large: at most 1.8e308"),
                field: path,
            });
        }
        Ok(Doc { root, exact: true, replaced: failed || has_nul(text), doubtful: Cell::new(false) })
    }

    /// True if characters were replaced, or `\u0000` occurs (which conversion replaces).
    pub fn replaced(&self) -> bool {
        self.replaced
    }

    /// The members of the outer object.
    pub fn object(&self) -> Result<Object<'_>, Fault> {
        match self.root.as_object() {
            Some(object) => Ok(Object::new(object, self)),
            None => Err(Fault::field("invalid_event", "", "the event is not a JSON object")),
        }
    }

    /// The whole text as a value.
    pub fn value(&self) -> Value {
        self.convert(&self.root)
    }

    fn convert(&self, value: &sonic_rs::Value) -> Value {
        if self.exact
            && let Some(raw) = value.as_raw_number()
        {
            return number::exact(raw.as_str());
        }
        match value.as_ref() {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(b) => Value::Bool(b),
            ValueRef::String(text) => Value::String(self.text(text)),
            ValueRef::Array(array) => Value::Array(array.iter().map(|v| self.convert(v)).collect()),
            ValueRef::Object(object) => Value::Object(self.map(object)),
            ValueRef::Number(n) => self.number(&n),
        }
    }

    fn number(&self, n: &sonic_rs::Number) -> Value {
        if let Some(n) = n.as_u64() {
            return Value::from(n);
        }
        if let Some(n) = n.as_i64() {
            return Value::from(n);
        }
        let Some(f) = n.as_f64() else { return Value::Null };
        if f == 0.0 || f.abs() >= 9.2e18 {
            self.doubtful.set(true);
        }
        // Not finite cannot happen: the parser refuses such numbers.
        serde_json::Number::from_f64(f).map_or(Value::Null, Value::Number)
    }

    fn map(&self, object: &sonic_rs::Object) -> Properties {
        let mut map = Properties::with_capacity(object.len());
        for (key, value) in object {
            map.insert(self.text(key), self.convert(value));
        }
        map
    }

    fn text(&self, text: &str) -> String {
        if self.replaced && text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
    }
}

/// A JSON object whose members are converted only when asked for. Listed once, because looking a key up in the
/// parser's own object walks it from the start with every step decoded again.
pub(crate) struct Object<'a> {
    members: Vec<(&'a str, Field<'a>)>,
}

impl<'a> Object<'a> {
    fn new(object: &'a sonic_rs::Object, doc: &'a Doc) -> Object<'a> {
        let mut members = Vec::with_capacity(object.len());
        members.extend(object.iter().map(|(key, value)| (key, Field { value, doc })));
        Object { members }
    }

    /// Every member in order; a key may come twice.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.members.iter().copied()
    }

    /// The last member with this key that is not null.
    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        self.members.iter().rev().find(|(k, f)| *k == key && !f.value.is_null()).map(|(_, f)| *f)
    }

    /// The text of the member with this key, if it is a string.
    pub fn str(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }
}

/// One value inside a [`Doc`].
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    value: &'a sonic_rs::Value,
    doc: &'a Doc,
}

impl<'a> Field<'a> {
    pub fn as_str(self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub fn as_object(self) -> Option<Object<'a>> {
        self.value.as_object().map(|object| Object::new(object, self.doc))
    }

    pub fn as_array(self) -> Option<Vec<Field<'a>>> {
        Some(self.value.as_array()?.iter().map(|value| Field { value, doc: self.doc }).collect())
    }

    pub fn is_null(self) -> bool {
        self.value.is_null()
    }

    pub fn as_bool(self) -> Option<bool> {
        self.value.as_bool()
    }

    /// A key of this document as it is stored.
    pub fn clean_key(self, key: &str) -> String {
        self.doc.text(key)
    }

    /// The value as the model's.
    pub fn to_value(self) -> Value {
        self.doc.convert(self.value)
    }

    /// The text of the value, cleaned: strings as they are, numbers and booleans in JSON; nothing else.
    pub fn to_text(self) -> Option<String> {
        match self.value.as_str() {
            Some(text) => Some(self.doc.text(text)),
            None => match self.to_value() {
                Value::String(s) => Some(s),
                v @ (Value::Number(_) | Value::Bool(_)) => Some(tallymark_model::canonical_text(&v)),
                _ => None,
            },
        }
    }

    /// The value as whole milliseconds: an integer, or a float without loss.
    pub fn as_millis(self) -> Option<i64> {
        match self.to_value() {
            Value::Number(n) => n.as_i64().or_else(|| {
                let f = n.as_f64()?;
                (f.abs() < 9.0e15).then_some(f as i64)
            }),
            _ => None,
        }
    }

    pub fn type_name(self) -> &'static str {
        match self.to_value() {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

fn has_nul(text: &[u8]) -> bool {
    // The escape is the only spelling of NUL that JSON allows.
    text.contains(&b'\\') && std::str::from_utf8(text).is_ok_and(|text| text.contains("\\u0000"))
}

#[cold]
fn syntax_fault(text: &[u8], error: &sonic_rs::Error) -> Fault {
    let at = error.offset().min(text.len());
    let full = error.to_string();
    let why = full.split(" at line").next().unwrap_or("not JSON").trim();
    let around = String::from_utf8_lossy(&text[at.saturating_sub(2)..text.len().min(at + 9)]);
    let why = if around.contains("NaN") || around.contains("Infinity") {
        "NaN and Infinity are not JSON; send null or a string"
    } else {
        why
    };
    Fault::json(at, split::path_at(text, at), why)
}

#[cfg(test)]
mod tests;
