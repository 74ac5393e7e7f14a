//! Expressions and JSON: what they see and what becomes of their results.
//!
//! Deliberately not here: which field an expression is for.

use crate::{MappingError, Row};
use cel::{Context, Program, Value as Cel};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::sync::Arc;

/// One compiled expression. A plain `row.NAME` is read directly: it is the common case, and free.
pub(crate) enum Field {
    Column(String),
    Constant(String),
    Program { name: String, program: Program },
}

impl Field {
    pub fn compile(name: &str, expression: &str) -> Result<Field, MappingError> {
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

    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Field::Column(column) => Ok(scope.row.fields.get(column).cloned().unwrap_or(Value::Null)),
            Field::Constant(text) => Ok(text.clone().into()),
            Field::Program { name, program } => {
                let value = program
                    .execute(scope.context.get_or_init(|| context(&scope.row.fields)))
                    .map_err(|e| format!("{name}: {e}"))?;
                to_json(&value).ok_or_else(|| format!("{name}: the expression gives no JSON value"))
            }
        }
    }
}

pub(crate) struct Scope<'a> {
    row: &'a Row,
    /// Most mappings name columns only, and need none.
    context: OnceCell<Context<'static, 'static>>,
}

impl<'a> Scope<'a> {
    pub fn new(row: &'a Row) -> Scope<'a> {
        Scope { row, context: OnceCell::new() }
    }
}

/// What expressions see: the fields as `row`, those that are numbers as `num`, and the functions.
pub fn context(fields: &Map<String, Value>) -> Context<'static, 'static> {
    let mut context = Context::default();
    let number = |(k, v): (&String, &Value)| Some((k.clone(), json!(tallymark_model::number_of(v)?)));
    let numbers: Map<String, Value> = fields.iter().filter_map(number).collect();
    // Values that serialise are always accepted: these are plain JSON.
    let _ = context.add_variable("row", fields);
    let _ = context.add_variable("num", &numbers);
    // The name is an identifier, which is all that can be wrong with a registration.
    let _ = context.add_function("without_suffix", |text: Arc<String>, suffix: Arc<String>| -> String {
        text.strip_suffix(suffix.as_str()).unwrap_or(&text).to_owned()
    });
    context
}

/// The JSON of a result; `None` for what JSON does not know.
pub fn to_json(value: &Cel) -> Option<Value> {
    Some(match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => (*b).into(),
        Cel::Int(i) => (*i).into(),
        Cel::UInt(u) => (*u).into(),
        Cel::Float(f) => serde_json::Number::from_f64(*f).map(Value::Number)?,
        Cel::String(s) => s.as_str().into(),
        Cel::List(items) => items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Cel::Map(map) => {
            let entry = |(k, v): (&cel::objects::Key, &Cel)| match k {
                cel::objects::Key::String(k) => Some((k.as_str().to_owned(), to_json(v)?)),
                _ => None,
            };
            Value::Object(map.map.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
