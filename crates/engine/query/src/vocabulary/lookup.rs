//! Lookup tables: columns joined to events by the canonical text of a property.

use super::virtual_event::only;
use std::collections::HashMap;
use tallymark_model::{Value, canonical_text, is_none};
use tallymark_predicate::{PropertyRef, Scope};

const ROWS_MAX: usize = 100_000;
const COLUMNS_MAX: usize = 100;

/// `{"on": {"scope", "property"}, "columns": [names], "rows": [[key, values…]]}`.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// The property whose text is the key.
    pub on: PropertyRef,
    columns: Vec<String>,
    rows: HashMap<String, Vec<Value>>,
}

impl Lookup {
    pub fn parse(body: &Value) -> Result<Lookup, String> {
        only(body, &["on", "columns", "rows", "description"])?;
        only(&body["on"], &["scope", "property"]).map_err(|e| format!("`on`: {e}"))?;
        let path = body["on"]["property"].as_str().filter(|p| !p.is_empty());
        let path = path.ok_or("`on.property`: the name of a property")?.to_owned();
        let scope = body["on"]["scope"].as_str().map_or(Some(Scope::Event), Scope::from_name);
        let scope = scope.filter(|s| matches!(s, Scope::Event | Scope::User | Scope::Person | Scope::Custom));
        let scope = scope.ok_or("`on.scope`: event, user, person or custom")?;
        let names = body["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns: Option<Vec<String>> =
            names.iter().map(|c| c.as_str().filter(|c| !c.is_empty()).map(str::to_owned)).collect();
        let columns = columns.filter(|c| !c.is_empty() && c.len() <= COLUMNS_MAX);
        let columns =
            columns.ok_or_else(|| format!("`columns`: 1 to {COLUMNS_MAX} names, without the key"))?;
        let list = body["rows"].as_array().filter(|r| r.len() <= ROWS_MAX);
        let list = list.ok_or_else(|| format!("`rows`: a list of at most {ROWS_MAX} rows"))?;
        let mut rows = HashMap::with_capacity(list.len());
        for (i, row) in list.iter().enumerate() {
            let row = row.as_array().filter(|r| r.len() == columns.len() + 1);
            let row = row.ok_or_else(|| format!("rows[{i}]: a key and {} values", columns.len()))?;
            if is_none(&row[0]) {
                return Err(format!("rows[{i}]: the key is empty"));
            }
            if rows.insert(canonical_text(&row[0]), row[1..].to_vec()).is_some() {
                return Err(format!("rows[{i}]: the key {} is there twice", row[0]));
            }
        }
        Ok(Lookup { on: PropertyRef { scope, path }, columns, rows })
    }

    /// True if there is such a column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c == column)
    }

    /// The value in the row of a key.
    pub fn value(&self, key: &str, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|c| c == column)?;
        self.rows.get(key).map(|row| &row[at])
    }
}
