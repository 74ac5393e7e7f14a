//! Whose each row is, by `count_by`.

use crate::query::CountBy;
use std::borrow::Cow;
use tallymark_query::{Batch, Context, Interner, QueryError, ValueColumn};

/// Actors of batches as dense numbers; 0 = nobody.
pub(crate) enum Actors {
    /// The scan resolved them.
    Resolved,
    /// By the canonical text of the first column of the batch.
    ByText(Interner),
}

impl Actors {
    /// For this way of counting.
    pub fn new(count_by: &CountBy, context: &Context) -> Actors {
        match count_by {
            CountBy::Person | CountBy::PersonAtIngest | CountBy::Device | CountBy::Group(_) => {
                Actors::Resolved
            }
            CountBy::Property(_) => Actors::ByText(Interner::new(context.budget.reservation())),
        }
    }

    /// The actors of the rows.
    pub fn of<'b>(&self, batch: &'b Batch) -> Result<Cow<'b, [u32]>, QueryError> {
        let Actors::ByText(texts) = self else { return Ok(Cow::Borrowed(&batch.actors)) };
        Ok(Cow::Owned(text_numbers(&batch.columns[0], texts)?))
    }
}

/// The number of each value's canonical text; 0 for none.
pub(crate) fn text_numbers(column: &ValueColumn, texts: &Interner) -> Result<Vec<u32>, QueryError> {
    let mut failure = None;
    let mut numbers = vec![0u32; column.len()];
    column.each(
        |value| match value.with_text(|text| texts.number(text)) {
            None => 0,
            Some(Ok(number)) => number,
            Some(Err(error)) => {
                failure = Some(error);
                0
            }
        },
        |row, number| numbers[row] = number,
    );
    failure.map_or(Ok(numbers), Err)
}
