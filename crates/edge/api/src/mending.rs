//! Mending dead letters by a mapping: one small expression per field that is wrong.
//!
//! Expressions are CEL, as in the import's mappings. They see `row`, the letter's fields, `num`, those that are
//! numbers, and `text`, the letter as it was sent. A field is a name, or names joined by dots; a value of `null`
//! takes it out.
//!
//! Guarantees: fields that the mapping does not name stay as they were sent; what cannot be mended says why.
//! Deliberately not here: whether the mended event is one (`Records::decode`).

use cel::{Context, Program};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallymark_mapping::expression::{self, to_json};

const FIELDS_MAX: usize = 50;

/// A mapping ready to run.
pub(crate) struct Mending {
    fields: Vec<(String, Program)>,
}

impl Mending {
    /// Compiles every expression; the error names the field.
    pub fn compile(mapping: &BTreeMap<String, String>) -> Result<Mending, String> {
        if mapping.len() > FIELDS_MAX {
            return Err(format!("`mapping`: more than {FIELDS_MAX} fields"));
        }
        let compiled = mapping.iter().map(|(field, expression)| {
            if field.split('.').any(str::is_empty) {
                return Err(format!("`mapping.{field}`: not a field name"));
            }
            match Program::compile(expression) {
                Ok(program) => Ok((field.clone(), program)),
                Err(e) => Err(format!("`mapping.{field}`: {e}")),
            }
        });
        Ok(Mending { fields: compiled.collect::<Result<_, _>>()? })
    }

    /// The mended letter as JSON text; the error names the field.
    pub fn apply(&self, body: &str) -> Result<String, String> {
        let mut letter = match serde_json::from_str(body) {
            Ok(Value::Object(fields)) => fields,
            // What is no object has no fields, but may still be quoted from as `text`.
            _ => Map::new(),
        };
        let context = scope(&letter, body);
        for (field, program) in &self.fields {
            let value = program.execute(&context).map_err(|e| format!("{field}: {e}"))?;
            let value =
                to_json(&value).ok_or_else(|| format!("{field}: the expression gives no JSON value"))?;
            put(&mut letter, field, value)?;
        }
        Ok(Value::Object(letter).to_string())
    }
}

fn scope(letter: &Map<String, Value>, body: &str) -> Context<'static, 'static> {
    let mut context = expression::context(letter);
    // Text is always accepted.
    let _ = context.add_variable("text", body);
    context
}

/// Puts a value at a dotted path; `null` takes the field out.
fn put(letter: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_once('.') else {
        match value {
            Value::Null => drop(letter.shift_remove(path)),
            value => drop(letter.insert(path.to_owned(), value)),
        }
        return Ok(());
    };
    let inner = letter.entry(first).or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => put(inner, rest, value),
        _ => Err(format!("{path}: `{first}` is not an object in this letter")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mend(mapping: &[(&str, &str)], body: &str) -> Result<String, String> {
        let mapping = mapping.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Mending::compile(&mapping)?.apply(body)
    }

    #[test]
    fn named_fields_change_and_the_others_stay() {
        let body = r#"{"event":"buy","time":"soon","user_id":"7.0","properties":{"price":"1.5","n":1}}"#;
        let mended = mend(
            &[
                ("time", "'2026-01-01T00:00:00Z'"),
                ("user_id", "without_suffix(row.user_id, '.0')"),
                ("properties.price", "double(row.properties.price) * 2.0"),
                ("properties.note", "row.event + '!'"),
                ("insert_id", "null"),
            ],
            body,
        );
        let mended: Value = serde_json::from_str(&mended.unwrap()).unwrap();
        assert_eq!(
            mended,
            json!({"event": "buy", "time": "2026-01-01T00:00:00Z", "user_id": "7",
                   "properties": {"price": 3.0, "n": 1, "note": "buy!"}})
        );
    }

    #[test]
    fn what_is_no_object_can_be_made_one() {
        let mended = mend(&[("event", "text.startsWith('buy') ? 'buy' : 'other'")], "buy{").unwrap();
        assert_eq!(mended, r#"{"event":"buy"}"#);
    }

    #[test]
    fn mistakes_name_the_field() {
        for (field, expression, body) in [
            ("time", "row.", "{}"),
            ("a..b", "1", "{}"),
            ("time", "row.missing", "{}"),
            ("event.name", "'x'", r#"{"event":"buy"}"#),
        ] {
            let why = mend(&[(field, expression)], body).unwrap_err();
            assert!(why.contains(field), "{why}");
        }
    }
}
