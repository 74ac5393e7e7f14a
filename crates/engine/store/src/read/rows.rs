//! Columns back to rows: for export, verification and tests; queries read columns.

use super::SegmentReader;
use crate::columns::{Column, PROPERTY_COLUMNS, PropertyType};
use crate::values::{json_value, number_value};
use crate::{EventRow, PropertyRow, Result};
use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use model::{Position, PropertyOpKind, SubjectId, Value};
use tallymark_model as model;

/// A text column, with or without a dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    Dictionary(&'a [i32], Option<&'a arrow::buffer::NullBuffer>, &'a StringArray),
    Plain(&'a StringArray),
}

impl<'a> Text<'a> {
    pub fn of(array: &'a dyn Array) -> Option<Text<'a>> {
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Some(Text::Plain(plain));
        }
        let dictionary = array.as_dictionary_opt::<Int32Type>()?;
        let values = dictionary.values().as_string_opt::<i32>()?;
        Some(Text::Dictionary(dictionary.keys().values(), dictionary.keys().nulls(), values))
    }

    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Text::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Text::Dictionary(keys, nulls, values) => {
                nulls.is_none_or(|n| n.is_valid(row)).then(|| values.value(keys[row] as usize))
            }
        }
    }
}

/// The columns of a batch by position, with types checked.
struct Typed<'a> {
    reader: &'a SegmentReader,
    batch: &'a RecordBatch,
}

macro_rules! primitive {
    ($name:ident, $array:ty, $kind:ty) => {
        fn $name(&self, nth: usize) -> Result<&'a $array> {
            self.batch.column(nth).as_primitive_opt::<$kind>().ok_or_else(|| self.mistyped(nth))
        }
    };
}

impl<'a> Typed<'a> {
    primitive!(u8s, UInt8Array, UInt8Type);
    primitive!(u32s, UInt32Array, UInt32Type);
    primitive!(u64s, UInt64Array, UInt64Type);
    primitive!(i64s, Int64Array, Int64Type);
    primitive!(f64s, Float64Array, Float64Type);

    fn bools(&self, nth: usize) -> Result<&'a BooleanArray> {
        self.batch.column(nth).as_boolean_opt().ok_or_else(|| self.mistyped(nth))
    }

    fn texts(&self, nth: usize) -> Result<Text<'a>> {
        Text::of(self.batch.column(nth)).ok_or_else(|| self.mistyped(nth))
    }

    fn mistyped(&self, nth: usize) -> crate::StoreError {
        self.reader
            .corrupt(format!("column `{}` has an unexpected type", self.batch.schema().field(nth).name()))
    }
}

/// Columns without which there is no row of an events segment.
pub(crate) const NEEDED: [Column; 5] =
    [Column::Event, Column::Subject, Column::Time, Column::ReceivedAt, Column::Position];

/// The rows of a batch of these columns of an events segment.
pub(crate) fn events(
    reader: &SegmentReader,
    columns: &[Column],
    batch: &RecordBatch,
) -> Result<Vec<EventRow>> {
    let typed = Typed { reader, batch };
    let mut rows: Vec<EventRow> = Vec::with_capacity(batch.num_rows());
    let at = |column: &Column| {
        let nth = columns.iter().position(|c| c == column);
        nth.ok_or_else(|| reader.corrupt(format!("it has no column `{}`", column.file_name())))
    };
    let (names, subjects) = (typed.texts(at(&Column::Event)?)?, typed.u32s(at(&Column::Subject)?)?);
    let (times, received) = (typed.i64s(at(&Column::Time)?)?, typed.i64s(at(&Column::ReceivedAt)?)?);
    let positions = typed.u64s(at(&Column::Position)?)?;
    for row in 0..batch.num_rows() {
        rows.push(EventRow {
            position: position(reader, positions.value(row))?,
            received_at: received.value(row),
            time: times.value(row),
            event: names.get(row).unwrap_or_default().to_owned(),
            subject: SubjectId(subjects.value(row)),
            user_id: None,
            device_id: None,
            insert_id: None,
            session_id: None,
            properties: Default::default(),
            groups: Vec::new(),
            annotations: Vec::new(),
        });
    }
    for (nth, column) in columns.iter().enumerate() {
        fill(&typed, nth, column, &mut rows)?;
    }
    Ok(rows)
}

/// Adds the values of one column to the rows.
fn fill(typed: &Typed<'_>, nth: usize, column: &Column, rows: &mut [EventRow]) -> Result<()> {
    let bad_json =
        |e: serde_json::Error| typed.reader.corrupt(format!("column `{}`: {e}", column.file_name()));
    match column {
        Column::Property(name, PropertyType::Number) => {
            for (row, value) in rows.iter_mut().zip(typed.f64s(nth)?) {
                if let Some(number) = value {
                    row.properties.insert(name.to_string(), number_value(number));
                }
            }
            return Ok(());
        }
        Column::Property(name, PropertyType::Bool) => {
            for (row, value) in rows.iter_mut().zip(typed.bools(nth)?) {
                if let Some(value) = value {
                    row.properties.insert(name.to_string(), Value::Bool(value));
                }
            }
            return Ok(());
        }
        needed if NEEDED.contains(needed) => return Ok(()),
        _ => {}
    }
    let texts = typed.texts(nth)?;
    for (at, row) in rows.iter_mut().enumerate() {
        let Some(text) = texts.get(at) else { continue };
        match column {
            Column::UserId => row.user_id = Some(text.to_owned()),
            Column::DeviceId => row.device_id = Some(text.to_owned()),
            Column::SessionId => row.session_id = Some(text.to_owned()),
            Column::InsertId => row.insert_id = Some(text.to_owned()),
            Column::Annotations => row.annotations = serde_json::from_str(text).map_err(bad_json)?,
            Column::Group(group_type) => row.groups.push((group_type.to_string(), text.to_owned())),
            Column::GroupList(group_type) => {
                let names: Vec<String> = serde_json::from_str(text).map_err(bad_json)?;
                row.groups.extend(names.into_iter().map(|name| (group_type.to_string(), name)));
            }
            Column::GroupOverflow => {
                let groups: Vec<(String, String)> = serde_json::from_str(text).map_err(bad_json)?;
                row.groups.extend(groups);
            }
            Column::Property(name, PropertyType::Json) => {
                row.properties.insert(name.to_string(), json_value(text));
            }
            Column::Property(name, _) => {
                row.properties.insert(name.to_string(), Value::String(text.to_owned()));
            }
            Column::Overflow => {
                let rest: model::Properties = serde_json::from_str(text).map_err(bad_json)?;
                row.properties.extend(rest);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The rows of one row group of a properties segment.
pub(crate) fn properties(reader: &SegmentReader, group: usize) -> Result<Vec<PropertyRow>> {
    let batch = reader.read(group, &PROPERTY_COLUMNS)?;
    let typed = Typed { reader, batch: &batch };
    let (names, subjects, times) = (typed.texts(0)?, typed.u32s(1)?, typed.i64s(2)?);
    let (received, positions, indexes) = (typed.i64s(3)?, typed.u64s(4)?, typed.u32s(5)?);
    let (ops, values) = (typed.u8s(6)?, typed.texts(7)?);
    let row = |at: usize| {
        let number = ops.value(at);
        let op = PropertyOpKind::from_u8(number);
        Ok(PropertyRow {
            subject: SubjectId(subjects.value(at)),
            name: names.get(at).unwrap_or_default().to_owned(),
            op: op.ok_or_else(|| reader.corrupt(format!("{number} is not a property operation")))?,
            value_json: values.get(at).unwrap_or_default().to_owned(),
            time: times.value(at),
            position: position(reader, positions.value(at))?,
            received_at: received.value(at),
            index: indexes.value(at),
        })
    };
    (0..batch.num_rows()).map(row).collect()
}

pub(crate) fn position(reader: &SegmentReader, packed: u64) -> Result<Position> {
    Position::unpack(packed).ok_or_else(|| reader.corrupt(format!("{packed} is not a position")))
}
