//! One property of a batch, wherever the file keeps it.
//!
//! A property may live in up to four typed columns and in `_overflow` of one file; a caller that goes through this
//! module need not know. Absent columns are absent values.

use crate::columns::{Column, PropertyType};
use crate::read::SegmentReader;
use crate::read::rows::Text;
use crate::values::{Stored, json_value, number_value, stored};
use crate::{Result, StoreError};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, DictionaryArray, Float64Array, Float64Builder,
    RecordBatch, StringDictionaryBuilder,
};
use arrow::datatypes::{Float64Type, Int32Type};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use tallymark_model::Value;

/// A text or JSON column: keys into a dictionary of distinct texts.
pub type TextArray = DictionaryArray<Int32Type>;

/// The columns to read for a property of this file; empty if no row has it.
pub fn columns(reader: &SegmentReader, name: &str) -> Vec<Column> {
    let mut columns: Vec<Column> =
        reader.property_types(name).iter().map(|&kind| Column::property(name, kind)).collect();
    if reader.overflow_may_contain(name) {
        columns.push(Column::Overflow);
    }
    columns
}

/// Values of one property by JSON type. At most one of the four has a value in any row.
#[derive(Debug, Clone, Default)]
pub struct PropertyArrays {
    /// Strings.
    pub text: Option<TextArray>,
    /// Numbers.
    pub number: Option<Float64Array>,
    /// Booleans.
    pub boolean: Option<BooleanArray>,
    /// JSON text of lists, objects, null and integers beyond ±2^53.
    pub json: Option<TextArray>,
}

impl PropertyArrays {
    /// The property in a batch that was read with the [`columns`] of its file.
    pub fn of_batch(batch: &RecordBatch, name: &str) -> Result<PropertyArrays> {
        let mut found = PropertyArrays::default();
        let mut overflow: Option<&ArrayRef> = None;
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            match Column::parse(field.name()) {
                Some(Column::Property(of, kind)) if &*of == name && array.null_count() < array.len() => {
                    found.put(kind, array).ok_or_else(|| mistyped(field.name()))?;
                }
                Some(Column::Overflow) => overflow = Some(array),
                _ => {}
            }
        }
        if let Some(array) = overflow.filter(|a| a.null_count() < a.len()) {
            found.add_overflow(array, name)?;
        }
        Ok(found)
    }

    /// True if no row has a value.
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.number.is_none() && self.boolean.is_none() && self.json.is_none()
    }

    /// The value of a row as JSON; `None` if it has none.
    pub fn value(&self, row: usize) -> Option<Value> {
        if let Some(text) = self.text.as_ref().and_then(|a| Text::of(a)).and_then(|t| t.get(row)) {
            return Some(Value::String(text.to_owned()));
        }
        if let Some(numbers) = self.number.as_ref().filter(|a| a.is_valid(row)) {
            return Some(number_value(numbers.value(row)));
        }
        if let Some(booleans) = self.boolean.as_ref().filter(|a| a.is_valid(row)) {
            return Some(Value::Bool(booleans.value(row)));
        }
        self.json.as_ref().and_then(|a| Text::of(a)).and_then(|t| t.get(row)).map(json_value)
    }

    fn put(&mut self, kind: PropertyType, array: &ArrayRef) -> Option<()> {
        match kind {
            PropertyType::Text => self.text = Some(array.as_dictionary_opt::<Int32Type>()?.clone()),
            PropertyType::Json => self.json = Some(array.as_dictionary_opt::<Int32Type>()?.clone()),
            PropertyType::Number => self.number = Some(array.as_primitive_opt::<Float64Type>()?.clone()),
            PropertyType::Bool => self.boolean = Some(array.as_boolean_opt()?.clone()),
        }
        Some(())
    }

    /// Merges what `_overflow` holds of the property into the typed arrays.
    fn add_overflow(&mut self, overflow: &ArrayRef, name: &str) -> Result<()> {
        let texts = Text::of(overflow).ok_or_else(|| mistyped("_overflow"))?;
        let mut extra: Vec<(usize, Value)> = Vec::new();
        for row in 0..overflow.len() {
            if let Some(value) = texts.get(row).and_then(|text| member(text, name)) {
                extra.push((row, value));
            }
        }
        if extra.is_empty() {
            return Ok(());
        }
        let rows = overflow.len();
        let of = |kind: PropertyType| extra.iter().filter(move |(_, v)| stored(v).kind() == kind);
        if of(PropertyType::Text).next().is_some() {
            self.text = Some(merge_text(self.text.as_ref(), rows, of(PropertyType::Text)));
        }
        if of(PropertyType::Json).next().is_some() {
            self.json = Some(merge_text(self.json.as_ref(), rows, of(PropertyType::Json)));
        }
        if of(PropertyType::Number).next().is_some() {
            self.number = Some(merge_numbers(self.number.as_ref(), rows, of(PropertyType::Number)));
        }
        if of(PropertyType::Bool).next().is_some() {
            self.boolean = Some(merge_booleans(self.boolean.as_ref(), rows, of(PropertyType::Bool)));
        }
        Ok(())
    }
}

fn mistyped(column: &str) -> StoreError {
    StoreError::corrupt("(batch)", format!("column `{column}` has an unexpected type"))
}

type Extra = (usize, Value);

fn merge_text<'a>(
    base: Option<&TextArray>,
    rows: usize,
    extra: impl Iterator<Item = &'a Extra>,
) -> TextArray {
    let base = base.and_then(|a| Text::of(a));
    let mut extra = extra.peekable();
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    for row in 0..rows {
        match extra.next_if(|(at, _)| *at == row).map(|(_, value)| stored(value)) {
            Some(Stored::Text(text)) => builder.append_value(text),
            Some(Stored::Json(text)) => builder.append_value(text),
            _ => builder.append_option(base.as_ref().and_then(|b| b.get(row))),
        }
    }
    builder.finish()
}

fn merge_numbers<'a>(
    base: Option<&Float64Array>,
    rows: usize,
    extra: impl Iterator<Item = &'a Extra>,
) -> Float64Array {
    let mut extra = extra.peekable();
    let mut builder = Float64Builder::with_capacity(rows);
    for row in 0..rows {
        match extra.next_if(|(at, _)| *at == row).map(|(_, value)| stored(value)) {
            Some(Stored::Number(number)) => builder.append_value(number),
            _ => builder.append_option(base.filter(|b| b.is_valid(row)).map(|b| b.value(row))),
        }
    }
    builder.finish()
}

fn merge_booleans<'a>(
    base: Option<&BooleanArray>,
    rows: usize,
    extra: impl Iterator<Item = &'a Extra>,
) -> BooleanArray {
    let mut extra = extra.peekable();
    let mut builder = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        match extra.next_if(|(at, _)| *at == row) {
            Some((_, value)) => builder.append_option(value.as_bool()),
            None => builder.append_option(base.filter(|b| b.is_valid(row)).map(|b| b.value(row))),
        }
    }
    builder.finish()
}

/// One member of a JSON object, without building the others.
fn member(object: &str, name: &str) -> Option<Value> {
    struct Member<'a>(&'a str);
    impl<'de> Visitor<'de> for Member<'_> {
        type Value = Option<Value>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Option<Value>, A::Error> {
            let mut found = None;
            while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                if key == self.0 {
                    found = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Member(name)).ok().flatten()
}
