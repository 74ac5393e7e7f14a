//! Where the rows of a batch are, for whoever wants more of them than values: texts, whole rows.
//!
//! Guarantees: nothing is read until it is asked for, and then only the rows asked for.

use super::{mistyped, storage};
use crate::QueryError;
use crate::values::Rows;
use arrow::array::{Array, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::Int32Type;
use std::ops::Range;
use std::sync::Arc;
use tallymark_store::{Column, EventRow, SegmentReader};

/// A text that rows carry beside their properties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowText {
    /// The user id as sent.
    UserId,
    /// The device id as sent.
    DeviceId,
    /// The session id as sent.
    SessionId,
    /// The insert id as sent.
    InsertId,
    /// The first group of this type.
    Group(Arc<str>),
}

/// The place of a batch's rows.
#[derive(Debug, Clone)]
pub struct Located {
    reader: SegmentReader,
    group: usize,
    rows: Rows,
}

impl Located {
    pub(super) fn new(reader: SegmentReader, group: usize, rows: Rows) -> Located {
        Located { reader, group, rows }
    }

    /// Whole rows.
    pub fn rows(&self, of: Range<usize>) -> Result<Vec<EventRow>, QueryError> {
        let wanted: Vec<u32> = of.map(|i| self.rows.get(i) as u32).collect();
        self.reader.event_rows(self.group, &wanted).map_err(storage)
    }

    /// One text of every row of the batch.
    pub fn texts(&self, text: &RowText) -> Result<StringArray, QueryError> {
        let columns = match text {
            RowText::UserId => vec![Column::UserId],
            RowText::DeviceId => vec![Column::DeviceId],
            RowText::SessionId => vec![Column::SessionId],
            RowText::InsertId => vec![Column::InsertId],
            RowText::Group(kind) => {
                vec![Column::Group(kind.clone()), Column::GroupList(kind.clone()), Column::GroupOverflow]
            }
        };
        let columns: Vec<Column> = columns.into_iter().filter(|c| self.reader.has(c)).collect();
        if columns.is_empty() {
            return Ok((0..self.rows.len()).map(|_| None::<&str>).collect());
        }
        let batch = self.reader.read(self.group, &columns).map_err(storage)?;
        let mut found = StringBuilder::new();
        for i in 0..self.rows.len() {
            match self.text_of(&batch, &columns, text, self.rows.get(i))? {
                Some(text) => found.append_value(text),
                None => found.append_null(),
            }
        }
        Ok(found.finish())
    }

    fn text_of(
        &self,
        batch: &RecordBatch,
        columns: &[Column],
        text: &RowText,
        row: usize,
    ) -> Result<Option<String>, QueryError> {
        for (nth, column) in columns.iter().enumerate() {
            let Some(value) = cell(batch.column(nth).as_ref(), row)? else { continue };
            let found = match (column, text) {
                (Column::GroupList(_), _) => {
                    serde_json::from_str::<Vec<String>>(value).ok().and_then(|list| list.into_iter().next())
                }
                (Column::GroupOverflow, RowText::Group(kind)) => {
                    let groups: Vec<(String, String)> = serde_json::from_str(value).unwrap_or_default();
                    groups.into_iter().find(|(of, _)| **of == **kind).map(|(_, name)| name)
                }
                _ => Some(value.to_owned()),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn cell(array: &dyn Array, row: usize) -> Result<Option<&str>, QueryError> {
    if let Some(plain) = array.as_string_opt::<i32>() {
        return Ok(plain.is_valid(row).then(|| plain.value(row)));
    }
    let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
    let texts = array.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
    let key = array.keys().is_valid(row).then(|| array.keys().value(row) as usize);
    Ok(key.filter(|key| texts.is_valid(*key)).map(|key| texts.value(key)))
}
