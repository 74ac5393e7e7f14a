//! Properties and groups that find no column in a merged file, because its inputs together have more than a file
//! may have. They go where such values always go, the overflow columns, and are found there by every reader.

use super::gather::Gathered;
use arrow::array::{ArrayRef, StringBuilder};
use model::{Properties, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tallymark_model as model;
use tallymark_store::{
    Column, MAX_GROUP_TYPES, MAX_PROPERTY_COLUMNS, PropertyType, json_value, number_value,
};

/// Which columns of a file must give way: those with the fewest values.
pub(crate) fn surplus(filled: &[(Column, usize)]) -> BTreeSet<Column> {
    let mut properties: Vec<(usize, &Column)> = Vec::new();
    let mut types: HashMap<&str, usize> = HashMap::new();
    for (column, count) in filled {
        match column {
            Column::Property(..) => properties.push((*count, column)),
            Column::Group(t) | Column::GroupList(t) => *types.entry(t).or_default() += count,
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    if properties.len() > MAX_PROPERTY_COLUMNS {
        properties.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        found.extend(properties[MAX_PROPERTY_COLUMNS..].iter().map(|(_, column)| (*column).clone()));
    }
    if types.len() > MAX_GROUP_TYPES {
        let mut types: Vec<(usize, &str)> = types.into_iter().map(|(t, count)| (count, t)).collect();
        types.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let out: BTreeSet<&str> = types[MAX_GROUP_TYPES..].iter().map(|(_, t)| *t).collect();
        let gives_way =
            |c: &&Column| matches!(c, Column::Group(t) | Column::GroupList(t) if out.contains(&**t));
        found.extend(filled.iter().map(|(c, _)| c).filter(gives_way).cloned());
    }
    found
}

/// What the columns that gave way held, by place in the file.
#[derive(Debug, Default)]
pub(crate) struct Displaced {
    properties: BTreeMap<usize, Properties>,
    groups: BTreeMap<usize, Vec<(String, String)>>,
    /// Names of the properties.
    pub names: BTreeSet<String>,
}

impl Displaced {
    /// Takes over the values of a column for the rows of a file.
    pub fn add(&mut self, column: &Gathered, rows: &[u32]) {
        match &column.column {
            Column::Property(name, kind) => {
                self.names.insert(name.to_string());
                for (place, &row) in rows.iter().enumerate() {
                    if let Some(value) = value(column, *kind, row) {
                        self.properties.entry(place).or_default().insert(name.to_string(), value);
                    }
                }
            }
            Column::Group(group_type) => {
                for (place, &row) in rows.iter().enumerate() {
                    if let Some(name) = column.text(row) {
                        self.groups.entry(place).or_default().push((group_type.to_string(), name.to_owned()));
                    }
                }
            }
            Column::GroupList(group_type) => {
                for (place, &row) in rows.iter().enumerate() {
                    let names =
                        column.text(row).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
                    for name in names.into_iter().flatten() {
                        self.groups.entry(place).or_default().push((group_type.to_string(), name));
                    }
                }
            }
            _ => {}
        }
    }

    /// True if an overflow column has values although no input had one.
    pub fn fills(&self, column: &Column) -> bool {
        match column {
            Column::Overflow => !self.properties.is_empty(),
            Column::GroupOverflow => !self.groups.is_empty(),
            _ => false,
        }
    }

    /// Part of an overflow column: what the inputs had there and what was displaced.
    pub fn array(&self, column: &Gathered, rows: &[u32], first_place: usize) -> ArrayRef {
        let mut builder = StringBuilder::new();
        for (nth, &row) in rows.iter().enumerate() {
            let place = first_place + nth;
            let base = column.text(row);
            match column.column {
                Column::Overflow => match self.properties.get(&place) {
                    None => builder.append_option(base),
                    Some(more) => builder.append_value(with_properties(base, more)),
                },
                _ => match self.groups.get(&place) {
                    None => builder.append_option(base),
                    Some(more) => builder.append_value(with_groups(base, more)),
                },
            }
        }
        Arc::new(builder.finish())
    }
}

fn value(column: &Gathered, kind: PropertyType, row: u32) -> Option<Value> {
    match kind {
        PropertyType::Text => column.text(row).map(|t| Value::String(t.to_owned())),
        PropertyType::Number => column.number(row).map(number_value),
        PropertyType::Bool => column.boolean(row).map(Value::Bool),
        PropertyType::Json => column.text(row).map(json_value),
    }
}

fn with_properties(base: Option<&str>, more: &Properties) -> String {
    let mut all: Properties = base.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    all.extend(more.clone());
    Value::Object(all).to_string()
}

fn with_groups(base: Option<&str>, more: &[(String, String)]) -> String {
    let mut all: Vec<(String, String)> =
        base.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    all.extend_from_slice(more);
    serde_json::to_string(&all).unwrap_or_default()
}
