//! Event names and session ids of rows as numbers, for operators that look at whole streams.
//!
//! Guarantees: one number per text for the whole query, whatever thread or file it comes from. Session ids that are
//! plain numbers, as most SDKs send them, are their own codes: a table of millions of them would cost more than the
//! rest of the query.

use super::{Batch, Task, mistyped, storage};
use crate::interner::Interner;
use crate::values::Rows;
use crate::{Budget, QueryError, Vocabulary};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use std::sync::Arc;
use tallymark_store::Column;

/// What an SDK sends as the session of an event that belongs to none.
const OUT_OF_SESSION: &str = "-1";

/// Numbers of one query.
pub(super) struct Codes {
    pub events: Interner,
    sessions: Interner,
    vocabulary: Arc<Vocabulary>,
}

impl Codes {
    pub fn new(budget: &Budget, vocabulary: &Arc<Vocabulary>) -> Codes {
        let (events, sessions) = (Interner::new(budget.reservation()), Interner::new(budget.reservation()));
        Codes { events, sessions, vocabulary: Arc::clone(vocabulary) }
    }

    /// Codes of the names of rows; `batch` holds the column of names unless the row group has but one name.
    pub fn of_events(&self, task: &Task, batch: &RecordBatch, rows: &Rows) -> Result<Vec<u32>, QueryError> {
        if let Some(array) = batch.column_by_name(&Column::Event.file_name()) {
            return codes(array, rows, |name| self.events.number(self.vocabulary.shown(name)));
        }
        match task.reader.row_groups()[task.group].names.as_deref() {
            Some([only]) => Ok(vec![self.events.number(self.vocabulary.shown(only))?; rows.len()]),
            _ => Err(mistyped()),
        }
    }

    /// Codes of the session ids of rows. Reads their column.
    pub fn of_sessions(&self, task: &Task, rows: &Rows) -> Result<Vec<u64>, QueryError> {
        let batch = task.reader.read(task.group, &[Column::SessionId]).map_err(storage)?;
        codes(batch.column(0), rows, |id| match id {
            OUT_OF_SESSION => Ok(Batch::OUT_OF_SESSION),
            // Odd codes are numbers themselves, even ones are counted, and none is 0.
            id => match plain_number(id) {
                Some(number) => Ok(number << 1 | 1),
                None => Ok(u64::from(self.sessions.number(id)?) << 1),
            },
        })
    }
}

/// The value of decimal digits as a number is printed: nothing else prints the same.
fn plain_number(text: &str) -> Option<u64> {
    let digits = text.as_bytes();
    let printed = (1..=18).contains(&digits.len()) && (digits[0] != b'0' || digits.len() == 1);
    let add = |n: u64, digit: &u8| digit.is_ascii_digit().then(|| n * 10 + u64::from(digit - b'0'));
    printed.then(|| digits.iter().try_fold(0, add)).flatten()
}

/// The number of each row's text; 0 where there is none.
fn codes<T: Copy + Default>(
    array: &ArrayRef,
    rows: &Rows,
    number: impl Fn(&str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
    let texts = array.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
    let mut known: Vec<Option<T>> = vec![None; texts.len()];
    let mut found = vec![T::default(); rows.len()];
    for (i, slot) in found.iter_mut().enumerate() {
        let row = rows.get(i);
        if !array.keys().is_valid(row) {
            continue;
        }
        let key = array.keys().value(row) as usize;
        *slot = match known[key] {
            Some(code) => code,
            None if texts.is_valid(key) => *known[key].insert(number(texts.value(key))?),
            None => T::default(),
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::plain_number;

    #[test]
    fn only_numbers_as_they_are_printed_are_their_own_codes() {
        assert_eq!(plain_number("0"), Some(0));
        assert_eq!(plain_number("1767225600123"), Some(1_767_225_600_123));
        assert_eq!(plain_number("999999999999999999"), Some(999_999_999_999_999_999));
        for other in ["", "00", "007", "+7", "-7", "7 ", "1e3", "1000000000000000000", "٣", "a"] {
            assert_eq!(plain_number(other), None, "{other}");
        }
    }
}
