//! The columns of a segment file: their names, Arrow types and places.
//!
//! Guarantees: a name in a file maps to exactly one [`Column`] and back, whatever characters property names and
//! group types contain, because everything a client can name has a prefix.
//! Deliberately not here: encodings (`write::layout`).

pub(crate) mod event;
pub(crate) mod text;
pub(crate) mod values;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The JSON type under which a property value is stored. Values are never widened: a property that is sometimes
/// text and sometimes a number has two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyType {
    /// Strings, `s:`.
    Text,
    /// Numbers that a 64-bit float holds exactly, `n:`.
    Number,
    /// Booleans, `b:`.
    Bool,
    /// JSON text of lists, objects, null, and of integers beyond ±2^53, `j:`.
    Json,
}

impl PropertyType {
    /// Every type, in column order.
    pub const ALL: [PropertyType; 4] =
        [PropertyType::Text, PropertyType::Number, PropertyType::Bool, PropertyType::Json];

    fn prefix(self) -> &'static str {
        match self {
            PropertyType::Text => "s:",
            PropertyType::Number => "n:",
            PropertyType::Bool => "b:",
            PropertyType::Json => "j:",
        }
    }
}

/// One column of a segment file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// `event`: dictionary of names.
    Event,
    /// `subject`: u32, 0 = nobody.
    Subject,
    /// `time`: i64 ms.
    Time,
    /// `received_at`: i64 ms.
    ReceivedAt,
    /// `position`: u64, packed.
    Position,
    /// `user_id`: dictionary, nullable.
    UserId,
    /// `device_id`: dictionary, nullable.
    DeviceId,
    /// `session_id`: dictionary, nullable.
    SessionId,
    /// `insert_id`: text, nullable.
    InsertId,
    /// `annotations`: dictionary of JSON lists, nullable.
    Annotations,
    /// `g:<type>`: dictionary, the one group of this type.
    Group(Arc<str>),
    /// `gl:<type>`: dictionary of JSON lists, where an event is in several groups of one type.
    GroupList(Arc<str>),
    /// `_groups`: JSON list of `[type, name]` for group types beyond the limit of a file.
    GroupOverflow,
    /// `s:`, `n:`, `b:`, `j:` and the name of a property.
    Property(Arc<str>, PropertyType),
    /// `_overflow`: JSON object of the properties that have no column in this file.
    Overflow,
    /// `name` (properties segments): dictionary of property names; empty for "clear all".
    Name,
    /// `op` (properties segments): u8, `PropertyOpKind`.
    Op,
    /// `value` (properties segments): dictionary of JSON texts.
    Value,
    /// `index` (properties segments): u32, order among the operations of one record.
    Index,
}

/// Columns that every events segment has, in file order.
pub const EVENT_COLUMNS: [Column; 10] = [
    Column::Event,
    Column::Subject,
    Column::Time,
    Column::ReceivedAt,
    Column::Position,
    Column::UserId,
    Column::DeviceId,
    Column::SessionId,
    Column::InsertId,
    Column::Annotations,
];

/// Columns of a properties segment, in file order.
pub const PROPERTY_COLUMNS: [Column; 8] = [
    Column::Name,
    Column::Subject,
    Column::Time,
    Column::ReceivedAt,
    Column::Position,
    Column::Index,
    Column::Op,
    Column::Value,
];

impl Column {
    /// The property column of this name and type.
    pub fn property(name: &str, kind: PropertyType) -> Column {
        Column::Property(name.into(), kind)
    }

    /// Name in the file.
    pub fn file_name(&self) -> String {
        match self {
            Column::Group(t) => format!("g:{t}"),
            Column::GroupList(t) => format!("gl:{t}"),
            Column::Property(name, kind) => format!("{}{name}", kind.prefix()),
            fixed => fixed.fixed_name().to_owned(),
        }
    }

    fn fixed_name(&self) -> &'static str {
        match self {
            Column::Event => "event",
            Column::Subject => "subject",
            Column::Time => "time",
            Column::ReceivedAt => "received_at",
            Column::Position => "position",
            Column::UserId => "user_id",
            Column::DeviceId => "device_id",
            Column::SessionId => "session_id",
            Column::InsertId => "insert_id",
            Column::Annotations => "annotations",
            Column::GroupOverflow => "_groups",
            Column::Overflow => "_overflow",
            Column::Name => "name",
            Column::Op => "op",
            Column::Value => "value",
            Column::Index => "index",
            Column::Group(_) | Column::GroupList(_) | Column::Property(..) => "",
        }
    }

    /// The column with this name in a file; `None` for a name that this version never writes.
    pub fn parse(file_name: &str) -> Option<Column> {
        for kind in PropertyType::ALL {
            if let Some(name) = file_name.strip_prefix(kind.prefix()) {
                return Some(Column::property(name, kind));
            }
        }
        if let Some(t) = file_name.strip_prefix("gl:") {
            return Some(Column::GroupList(t.into()));
        }
        if let Some(t) = file_name.strip_prefix("g:") {
            return Some(Column::Group(t.into()));
        }
        EVENT_COLUMNS
            .into_iter()
            .chain(PROPERTY_COLUMNS)
            .chain([Column::GroupOverflow, Column::Overflow])
            .find(|c| c.fixed_name() == file_name)
    }

    /// Arrow type of the column, as written and as read.
    pub fn data_type(&self) -> DataType {
        match self {
            Column::Subject | Column::Index => DataType::UInt32,
            Column::Time | Column::ReceivedAt => DataType::Int64,
            Column::Position => DataType::UInt64,
            Column::Op => DataType::UInt8,
            Column::InsertId | Column::Overflow | Column::GroupOverflow => DataType::Utf8,
            Column::Property(_, PropertyType::Number) => DataType::Float64,
            Column::Property(_, PropertyType::Bool) => DataType::Boolean,
            _ => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        }
    }

    /// True if rows may lack a value.
    pub fn nullable(&self) -> bool {
        !matches!(
            self,
            Column::Event
                | Column::Subject
                | Column::Time
                | Column::ReceivedAt
                | Column::Position
                | Column::Name
                | Column::Op
                | Column::Value
                | Column::Index
        )
    }

    pub(crate) fn field(&self) -> Field {
        Field::new(self.file_name(), self.data_type(), self.nullable())
    }
}

/// A dictionary column without nulls.
pub(crate) fn dictionary(keys: Vec<i32>, words: &[String]) -> Result<ArrayRef, String> {
    let words = Arc::new(StringArray::from_iter_values(words));
    let array =
        DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), words).map_err(|e| e.to_string())?;
    Ok(Arc::new(array))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map_back_whatever_they_contain() {
        let mut all: Vec<Column> = EVENT_COLUMNS.into_iter().chain(PROPERTY_COLUMNS).collect();
        all.extend([Column::Overflow, Column::GroupOverflow]);
        for name in ["", "event", "a.b", "s:x", "g:", "gl:x", "\u{0}", "名前", "a/b", " "] {
            all.extend(PropertyType::ALL.map(|t| Column::property(name, t)));
            all.extend([Column::Group(name.into()), Column::GroupList(name.into())]);
        }
        for column in all {
            assert_eq!(Column::parse(&column.file_name()), Some(column.clone()), "{column:?}");
        }
        assert_eq!(Column::parse("x:unknown"), None);
    }
}
