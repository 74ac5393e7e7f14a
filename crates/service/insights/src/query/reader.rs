//! Reading one JSON object of the query language: every key is taken, refused by name, or reported as unknown.

use crate::Error;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// One object and which of its keys were asked for.
pub(crate) struct Reader<'a> {
    path: String,
    map: &'a Map<String, Value>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Reader<'a> {
    /// Over the object at `path` (empty for the query itself).
    pub fn new(value: &'a Value, path: &str) -> Result<Reader<'a>, Error> {
        match value {
            Value::Object(map) => Ok(Reader { path: path.to_owned(), map, asked: RefCell::default() }),
            other => Err(Error::malformed(
                if path.is_empty() { "query" } else { path },
                format!("must be an object, not {}", kind(other)),
                "see the query contract",
            )),
        }
    }

    /// Path of a key.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key; JSON null counts as absent.
    pub fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// The value of a key that somebody else reads.
    pub fn peek(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// Text.
    pub fn text(&self, key: &'static str) -> Result<Option<&'a str>, Error> {
        let wrong =
            |v: &Value| self.wrong(key, format!("must be text, not {}", kind(v)), "write it in quotes");
        self.get(key).map(|v| v.as_str().ok_or_else(|| wrong(v))).transpose()
    }

    /// One of several names.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let wrong =
            || self.wrong(key, format!("{text:?} is not known"), format!("use one of: {}", names.join(", ")));
        found.map(Some).ok_or_else(wrong)
    }

    /// True or false.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, Error> {
        let wrong = |v: &Value| self.wrong(key, format!("must be true or false, not {}", kind(v)), "");
        self.get(key).map(|v| v.as_bool().ok_or_else(|| wrong(v))).transpose()
    }

    /// A whole number within bounds.
    pub fn integer(&self, key: &'static str, min: i64, max: i64) -> Result<Option<i64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let whole = value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64));
        match whole {
            Some(n) if min <= n && n <= max => Ok(Some(n)),
            _ => Err(self.wrong(
                key,
                format!("{value} is not allowed"),
                format!("a whole number from {min} to {max}"),
            )),
        }
    }

    /// A list.
    pub fn list(&self, key: &'static str) -> Result<Option<&'a [Value]>, Error> {
        let wrong =
            |v: &Value| self.wrong(key, format!("must be a list, not {}", kind(v)), "write it as [ … ]");
        self.get(key).map(|v| v.as_array().map(Vec::as_slice).ok_or_else(|| wrong(v))).transpose()
    }

    /// An error about a key that must be there.
    pub fn missing(&self, key: &str, hint: impl Into<String>) -> Error {
        Error::malformed(self.at(key), "is missing", hint)
    }

    /// An error about a key's value.
    pub fn wrong(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::malformed(self.at(key), problem, hint)
    }

    /// Options of the language that are not computed: allowed only with their default value.
    pub fn refuse(&self, options: &[(&'static str, &[Value])]) -> Result<(), Error> {
        for (key, defaults) in options {
            if let Some(value) = self.get(key)
                && !defaults.contains(value)
            {
                let what = match value {
                    Value::String(text) => format!("`{key}: {text:?}`"),
                    _ => format!("`{key}`"),
                };
                return Err(Error::unsupported(self.at(key), what));
            }
        }
        Ok(())
    }

    /// The object without some of its keys, for what depends on all of it.
    pub fn without(&self, keys: &[&str]) -> Value {
        let kept = self.map.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
        Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Ends reading: a key nobody asked for is an error.
    pub fn finish(self) -> Result<(), Error> {
        self.check()
    }

    /// Fails for a key nobody asked for.
    pub fn check(&self) -> Result<(), Error> {
        let asked = self.asked.borrow();
        match self.map.keys().find(|k| !asked.contains(k.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known: Vec<&str> = asked.iter().copied().collect();
                Err(Error::UnknownKey {
                    path: self.at(key),
                    hint: format!("known here: {}", known.join(", ")),
                })
            }
        }
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
