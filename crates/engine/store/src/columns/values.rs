//! Values of one column while a segment is built: only the rows that have one take space.
//!
//! A file may have two thousand property columns of which a row fills ten, so columns are sparse until the moment
//! they are encoded, one at a time.

use crate::columns::text::{Interner, Texts};
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, DictionaryArray, Float64Array, Int32Array, StringArray,
    StringBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int32Type;
use std::ops::Range;
use std::sync::Arc;

/// A column under construction. Rows must be pushed in ascending order, each at most once.
#[derive(Debug)]
pub(crate) enum Values {
    /// Dictionary-encoded text.
    Text { rows: Vec<u32>, keys: Vec<i32>, words: Interner },
    /// Text without a dictionary.
    Plain { rows: Vec<u32>, texts: Texts },
    /// Floats.
    Number { rows: Vec<u32>, values: Vec<f64> },
    /// Booleans.
    Bool { rows: Vec<u32>, values: Vec<bool> },
}

impl Values {
    pub fn text() -> Values {
        Values::Text { rows: Vec::new(), keys: Vec::new(), words: Interner::default() }
    }

    pub fn plain() -> Values {
        Values::Plain { rows: Vec::new(), texts: Texts::default() }
    }

    pub fn number() -> Values {
        Values::Number { rows: Vec::new(), values: Vec::new() }
    }

    pub fn boolean() -> Values {
        Values::Bool { rows: Vec::new(), values: Vec::new() }
    }

    pub fn push_text(&mut self, row: u32, text: &str) {
        match self {
            Values::Text { rows, keys, words } => {
                rows.push(row);
                keys.push(words.intern(text) as i32);
            }
            Values::Plain { rows, texts } => {
                rows.push(row);
                texts.push(text);
            }
            Values::Number { .. } | Values::Bool { .. } => {
                debug_assert!(false, "text in a column of another type")
            }
        }
    }

    pub fn push_number(&mut self, row: u32, value: f64) {
        if let Values::Number { rows, values } = self {
            rows.push(row);
            values.push(value);
        }
    }

    pub fn push_bool(&mut self, row: u32, value: bool) {
        if let Values::Bool { rows, values } = self {
            rows.push(row);
            values.push(value);
        }
    }

    /// True if no row has a value.
    pub fn is_empty(&self) -> bool {
        match self {
            Values::Text { rows, .. }
            | Values::Plain { rows, .. }
            | Values::Number { rows, .. }
            | Values::Bool { rows, .. } => rows.is_empty(),
        }
    }

    /// Makes the column ready to be sliced into arrays.
    pub fn seal(&self) -> Result<Sealed<'_>, String> {
        let dictionary = match self {
            Values::Text { words, .. } => Some(words.texts().array()?),
            Values::Plain { texts, .. } => Some(texts.array()?),
            Values::Number { .. } | Values::Bool { .. } => None,
        };
        Ok(Sealed { values: self, texts: dictionary.map(Arc::new) })
    }
}

/// A finished column.
#[derive(Debug)]
pub(crate) struct Sealed<'a> {
    values: &'a Values,
    texts: Option<Arc<StringArray>>,
}

impl Sealed<'_> {
    /// The dense array of a range of rows.
    pub fn array(&self, range: Range<usize>) -> Result<ArrayRef, String> {
        match (self.values, &self.texts) {
            (Values::Text { rows, keys, .. }, Some(words)) => {
                let (dense, nulls) = scatter(rows, keys, range);
                let keys = Int32Array::new(dense.into(), nulls);
                let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(words) as ArrayRef);
                Ok(Arc::new(array.map_err(|e| e.to_string())?))
            }
            (Values::Plain { rows, .. }, Some(texts)) => Ok(spread(rows, texts, range)),
            (Values::Number { rows, values }, _) => {
                let (dense, nulls) = scatter(rows, values, range);
                Ok(Arc::new(Float64Array::new(dense.into(), nulls)))
            }
            (Values::Bool { rows, values }, _) => {
                let (dense, nulls) = scatter(rows, values, range);
                Ok(Arc::new(BooleanArray::new(dense.into(), nulls)))
            }
            (Values::Text { .. } | Values::Plain { .. }, None) => {
                Err("a text column was not sealed".to_owned())
            }
        }
    }
}

/// Entries of the sparse column within a range of rows.
fn within(rows: &[u32], range: &Range<usize>) -> Range<usize> {
    let from = rows.partition_point(|&r| (r as usize) < range.start);
    let to = rows.partition_point(|&r| (r as usize) < range.end);
    from..to
}

fn scatter<T: Copy + Default>(
    rows: &[u32],
    values: &[T],
    range: Range<usize>,
) -> (Vec<T>, Option<NullBuffer>) {
    let entries = within(rows, &range);
    if entries.len() == range.len() {
        return (values[entries].to_vec(), None);
    }
    let mut dense = vec![T::default(); range.len()];
    let mut valid = BooleanBufferBuilder::new(range.len());
    valid.append_n(range.len(), false);
    for entry in entries {
        let at = rows[entry] as usize - range.start;
        dense[at] = values[entry];
        valid.set_bit(at, true);
    }
    (dense, Some(NullBuffer::new(valid.finish())))
}

fn spread(rows: &[u32], texts: &StringArray, range: Range<usize>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(range.len(), 0);
    let mut entries = within(rows, &range).peekable();
    for row in range {
        match entries.next_if(|&e| rows[e] as usize == row) {
            Some(entry) => builder.append_value(texts.value(entry)),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}
