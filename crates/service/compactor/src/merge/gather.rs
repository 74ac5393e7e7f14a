//! One column of all inputs, and any selection of its rows as an Arrow array.

use super::rows::{Part, Rows, dictionary, mistyped};
use crate::{CompactError, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, StringBuilder, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Float64Type, Int32Type, UInt8Type};
use std::sync::Arc;
use tallymark_store::{Column, Interner, SegmentReader};

/// Stands for "no value" among the keys.
const NONE: i32 = -1;

/// The values of a column, by row number.
#[derive(Debug)]
enum Data {
    Names(Vec<i32>, Arc<StringArray>),
    Text {
        keys: Vec<i32>,
        words: Interner,
        array: Option<Arc<StringArray>>,
    },
    /// Arrays in order of their first row number; rows before, between and after have no value.
    Plain(Vec<(usize, StringArray)>),
    Number {
        values: Vec<f64>,
        valid: Vec<bool>,
    },
    Bool {
        values: Vec<bool>,
        valid: Vec<bool>,
    },
    U8(Vec<u8>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
}

/// One column of all inputs.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub column: Column,
    data: Data,
}

/// Loads columns, several at once because each read has a fixed cost.
pub(crate) fn load(inputs: &[SegmentReader], rows: &Rows, columns: &[Column]) -> Result<Vec<Gathered>> {
    let mut found: Vec<Gathered> = columns.iter().map(|c| Gathered::new(c.clone(), rows)).collect();
    for part in &rows.parts {
        let reader = &inputs[part.input];
        let here: Vec<usize> =
            (0..columns.len()).filter(|&c| reader.has(&columns[c]) && found[c].reads()).collect();
        if here.is_empty() {
            continue;
        }
        let wanted: Vec<Column> = here.iter().map(|&c| columns[c].clone()).collect();
        let batch = reader.read(part.group, &wanted)?;
        for (nth, &c) in here.iter().enumerate() {
            found[c].add(part, &batch, nth)?;
        }
    }
    found.iter_mut().try_for_each(Gathered::seal)?;
    Ok(found)
}

impl Gathered {
    fn new(column: Column, rows: &Rows) -> Gathered {
        let data = match (&column, column.data_type()) {
            (Column::Event | Column::Name, _) => {
                let keys = rows.name_keys.iter().map(|&k| k as i32).collect();
                Data::Names(keys, Arc::new(StringArray::from_iter_values(&rows.names)))
            }
            (Column::Subject, _) => Data::U32(rows.subjects.clone()),
            (Column::Index, _) => Data::U32(rows.index.clone()),
            (Column::Time, _) => Data::I64(rows.times.clone()),
            (Column::ReceivedAt, _) => Data::I64(rows.received.clone()),
            (Column::Position, _) => Data::U64(rows.positions.clone()),
            (_, DataType::UInt8) => Data::U8(vec![0; rows.len()]),
            (_, DataType::Float64) => {
                Data::Number { values: vec![0.0; rows.len()], valid: vec![false; rows.len()] }
            }
            (_, DataType::Boolean) => {
                Data::Bool { values: vec![false; rows.len()], valid: vec![false; rows.len()] }
            }
            (_, DataType::Utf8) => Data::Plain(Vec::new()),
            _ => Data::Text { keys: vec![NONE; rows.len()], words: Interner::default(), array: None },
        };
        Gathered { column, data }
    }

    /// False if the values came with the rows.
    fn reads(&self) -> bool {
        !matches!(self.data, Data::Names(..) | Data::U32(_) | Data::U64(_) | Data::I64(_))
    }

    fn add(&mut self, part: &Part, batch: &RecordBatch, nth: usize) -> Result<()> {
        let array = batch.column(nth);
        let fail = || mistyped(batch, nth);
        let to = part.start..part.start + part.rows;
        match &mut self.data {
            Data::Text { keys, words, .. } => {
                let (found, texts) = dictionary(batch, nth)?;
                // Words are numbered on first use: a dictionary may hold words that no row uses.
                let mut map: Vec<i32> = vec![NONE; texts.len()];
                for (row, (&key, place)) in found.iter().zip(&mut keys[to]).enumerate() {
                    if array.is_null(row) {
                        continue;
                    }
                    let known = map.get_mut(key as usize).ok_or_else(fail)?;
                    if *known == NONE {
                        *known = words.intern(texts.value(key as usize)) as i32;
                    }
                    *place = *known;
                }
            }
            Data::Plain(parts) => {
                let texts = array.as_string_opt::<i32>().ok_or_else(fail)?;
                if texts.null_count() < texts.len() {
                    parts.push((part.start, texts.clone()));
                }
            }
            Data::Number { values, valid } => {
                let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(fail)?;
                values[to.clone()].copy_from_slice(numbers.values());
                mark(&mut valid[to], array.as_ref());
            }
            Data::Bool { values, valid } => {
                let booleans = array.as_boolean_opt().ok_or_else(fail)?;
                for (place, value) in values[to.clone()].iter_mut().zip(booleans.values()) {
                    *place = value;
                }
                mark(&mut valid[to], array.as_ref());
            }
            Data::U8(values) => {
                let numbers = array.as_primitive_opt::<UInt8Type>().ok_or_else(fail)?;
                values[to].copy_from_slice(numbers.values());
            }
            Data::Names(..) | Data::U32(_) | Data::U64(_) | Data::I64(_) => {}
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        if let Data::Text { words, array, .. } = &mut self.data {
            let texts = words.texts().array();
            let texts =
                texts.map_err(|detail| CompactError::Column { column: self.column.file_name(), detail })?;
            *array = Some(Arc::new(texts));
        }
        Ok(())
    }

    /// How many of these rows have a value.
    pub fn filled(&self, rows: &[u32]) -> usize {
        let count = |has: &dyn Fn(usize) -> bool| rows.iter().filter(|&&r| has(r as usize)).count();
        match &self.data {
            Data::Text { keys, .. } => count(&|r| keys[r] != NONE),
            Data::Plain(parts) => count(&|r| plain(parts, r).is_some()),
            Data::Number { valid, .. } | Data::Bool { valid, .. } => count(&|r| valid[r]),
            Data::Names(..) | Data::U8(_) | Data::U32(_) | Data::U64(_) | Data::I64(_) => rows.len(),
        }
    }

    /// The text of a row.
    pub fn text(&self, row: u32) -> Option<&str> {
        match &self.data {
            Data::Text { keys, words, .. } => {
                let key = keys[row as usize];
                (key != NONE).then(|| words.texts().get(key as usize))
            }
            Data::Plain(parts) => plain(parts, row as usize),
            _ => None,
        }
    }

    /// The number of a row.
    pub fn number(&self, row: u32) -> Option<f64> {
        match &self.data {
            Data::Number { values, valid } => valid[row as usize].then(|| values[row as usize]),
            _ => None,
        }
    }

    /// The boolean of a row.
    pub fn boolean(&self, row: u32) -> Option<bool> {
        match &self.data {
            Data::Bool { values, valid } => valid[row as usize].then(|| values[row as usize]),
            _ => None,
        }
    }

    /// These rows as an array of the column's type.
    pub fn take(&self, rows: &[u32]) -> Result<ArrayRef> {
        let at = |r: &u32| *r as usize;
        let array: ArrayRef = match &self.data {
            Data::Names(keys, words) => self.dictionary(keys, words, rows)?,
            Data::Text { keys, array: Some(words), .. } => self.dictionary(keys, words, rows)?,
            Data::Text { array: None, .. } => return Err(self.fail("it was not sealed")),
            Data::Plain(parts) => {
                let mut builder = StringBuilder::with_capacity(rows.len(), 0);
                let mut bytes = 0;
                for row in rows {
                    let text = plain(parts, at(row));
                    bytes += text.map_or(0, str::len);
                    if bytes > i32::MAX as usize {
                        return Err(self.fail("one row group holds more than 2 GiB of text"));
                    }
                    builder.append_option(text);
                }
                Arc::new(builder.finish())
            }
            Data::Number { values, valid } => {
                let values: Vec<f64> = rows.iter().map(|r| values[at(r)]).collect();
                Arc::new(Float64Array::new(values.into(), nulls(rows, valid)))
            }
            Data::Bool { values, valid } => {
                let values = BooleanBuffer::collect_bool(rows.len(), |i| values[rows[i] as usize]);
                Arc::new(BooleanArray::new(values, nulls(rows, valid)))
            }
            Data::U8(values) => Arc::new(UInt8Array::from_iter_values(rows.iter().map(|r| values[at(r)]))),
            Data::U32(values) => Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| values[at(r)]))),
            Data::U64(values) => Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| values[at(r)]))),
            Data::I64(values) => Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| values[at(r)]))),
        };
        Ok(array)
    }

    fn dictionary(&self, keys: &[i32], words: &Arc<StringArray>, rows: &[u32]) -> Result<ArrayRef> {
        let found: Vec<i32> = rows.iter().map(|&r| keys[r as usize].max(0)).collect();
        let valid = BooleanBuffer::collect_bool(rows.len(), |i| keys[rows[i] as usize] != NONE);
        let nulls = Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0);
        let array = DictionaryArray::<Int32Type>::try_new(
            Int32Array::new(found.into(), nulls),
            Arc::clone(words) as _,
        );
        Ok(Arc::new(array.map_err(|e| self.fail(e))?))
    }

    fn fail(&self, detail: impl std::fmt::Display) -> CompactError {
        CompactError::Column { column: self.column.file_name(), detail: detail.to_string() }
    }
}

fn mark(valid: &mut [bool], array: &dyn Array) {
    match array.nulls() {
        None => valid.fill(true),
        Some(nulls) => valid.iter_mut().zip(nulls.iter()).for_each(|(place, is)| *place = is),
    }
}

fn nulls(rows: &[u32], valid: &[bool]) -> Option<NullBuffer> {
    let buffer = BooleanBuffer::collect_bool(rows.len(), |i| valid[rows[i] as usize]);
    Some(NullBuffer::new(buffer)).filter(|n| n.null_count() > 0)
}

fn plain(parts: &[(usize, StringArray)], row: usize) -> Option<&str> {
    let after = parts.partition_point(|(start, _)| *start <= row);
    let (start, texts) = parts.get(after.checked_sub(1)?)?;
    let at = row - start;
    (at < texts.len() && texts.is_valid(at)).then(|| texts.value(at))
}
