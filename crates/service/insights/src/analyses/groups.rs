//! Breakdown values of rows as dense group numbers (chapter 1.7).
//!
//! Guarantees: a row is in one group per distinct element of a list, in all combinations of several dimensions;
//! numbers are shared by all threads of a query and never reach an answer.

use super::attribution::{self, Attributed};
use super::sets::Sets;
use crate::query::{BreakdownSpec, bin_labels};
use rustc_hash::FxHashMap;
use std::sync::{Mutex, OnceLock};
use tallymark_query::{Batch, Context, Interner, QueryError, Reservation, ValueColumn, ValueRef};

/// Label of rows without a value.
pub(crate) const NONE: &str = "(none)";
/// Label of what a limit cut off.
pub(crate) const OTHER: &str = "$other";

/// Groups of one breakdown.
pub(crate) struct Groups<'a> {
    dimensions: &'a [BreakdownSpec],
    bins: Vec<Vec<String>>,
    /// Where the columns of the dimensions begin in a batch.
    column: usize,
    labels: Interner,
    tuples: Mutex<Tuples>,
    /// Per dimension: where the touches of its attribution lead to, once they were looked for.
    attributed: Vec<OnceLock<Attributed>>,
}

struct Tuples {
    numbers: FxHashMap<Vec<u32>, u32>,
    held: Reservation,
}

/// Groups of the rows of one batch.
pub(crate) struct RowGroups {
    of_row: Vec<u32>,
    sets: Vec<Vec<u32>>,
}

impl RowGroups {
    /// The groups of a row, at least one.
    pub fn of(&self, row: usize) -> &[u32] {
        &self.sets[self.of_row[row] as usize]
    }
    /// Index of the set of groups of a row.
    pub fn set_of(&self, row: usize) -> usize {
        self.of_row[row] as usize
    }
    /// All sets; [`RowGroups::set_of`] are indexes here.
    pub fn sets(&self) -> &[Vec<u32>] {
        &self.sets
    }
    /// Numbers of all sets, shared by the threads of the query.
    pub fn numbered(&self, sets: &Sets) -> Result<Vec<u32>, QueryError> {
        self.sets.iter().map(|set| sets.number(set)).collect()
    }
    /// The group of all rows, if there is but one.
    pub fn only(&self) -> Option<u32> {
        match self.sets.as_slice() {
            [set] => set.first().copied().filter(|_| set.len() == 1),
            _ => None,
        }
    }
    /// True if a row may be in several groups.
    pub fn overlap(&self) -> bool {
        self.sets.iter().any(|s| s.len() > 1)
    }
}

impl<'a> Groups<'a> {
    /// For these dimensions, whose values are the columns of the batches from `column` on.
    pub fn new(dimensions: &'a [BreakdownSpec], column: usize, context: &Context) -> Groups<'a> {
        let bins = dimensions.iter().map(|d| d.bins.as_deref().map(bin_labels).unwrap_or_default()).collect();
        let tuples = Mutex::new(Tuples { numbers: FxHashMap::default(), held: context.budget.reservation() });
        let attributed = dimensions.iter().map(|_| OnceLock::new()).collect();
        let labels = Interner::new(context.budget.reservation());
        Groups { dimensions, bins, column, labels, tuples, attributed }
    }

    /// Gives a dimension with an attribution what its touches lead to.
    pub fn attribute(&self, nth: usize, found: Attributed) {
        // Looking twice finds the same.
        let _ = self.attributed[nth].set(found);
    }

    /// The groups of every row.
    pub fn of_batch(&self, batch: &Batch) -> Result<RowGroups, QueryError> {
        let mut all: Option<RowGroups> = None;
        for nth in 0..self.dimensions.len() {
            let next = match self.dimensions[nth].attribution {
                None => self.of_column(nth, &batch.columns[self.column + nth])?,
                Some(_) => self.by_touch(nth, batch)?,
            };
            all = Some(match all {
                None => next,
                Some(so_far) => combine(&so_far, &next, nth),
            });
        }
        if self.dimensions.len() > 1
            && let Some(rows) = &mut all
        {
            // Until here sets held tuples flattened; the last step numbers them.
            self.number_tuples(rows)?;
        }
        Ok(all.unwrap_or(RowGroups { of_row: vec![0; batch.len()], sets: vec![vec![0]] }))
    }

    /// Labels by group number: one text per dimension.
    pub fn labels(&self) -> FxHashMap<u32, Vec<String>> {
        let texts = self.labels.texts();
        if self.dimensions.len() <= 1 {
            return texts.into_iter().enumerate().skip(1).map(|(i, t)| (i as u32, vec![t])).collect();
        }
        let tuples = self.tuples.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let text = |n: &u32| texts.get(*n as usize).cloned().unwrap_or_default();
        tuples.numbers.iter().map(|(tuple, n)| (*n, tuple.iter().map(text).collect())).collect()
    }

    /// The groups of a dimension by the values of a column.
    pub fn of_column(&self, nth: usize, column: &ValueColumn) -> Result<RowGroups, QueryError> {
        let mut rows = RowGroups { of_row: vec![0; column.len()], sets: Vec::new() };
        let mut of_number: FxHashMap<u64, u32> = FxHashMap::default();
        let mut failure = None;
        let of_row = &mut rows.of_row;
        let sets = &mut rows.sets;
        column.each(
            |value| {
                let bits = match value {
                    ValueRef::Number(n) => Some(n.to_bits()),
                    _ => None,
                };
                if let Some(known) = bits.and_then(|b| of_number.get(&b)) {
                    return *known;
                }
                match self.value_groups(nth, column, value) {
                    Ok(groups) => sets.push(groups),
                    Err(error) => failure = Some(error),
                }
                let set = (sets.len() as u32).saturating_sub(1);
                if let Some(bits) = bits {
                    of_number.insert(bits, set);
                }
                set
            },
            |row, set| of_row[row] = set,
        );
        failure.map_or(Ok(rows), Err)
    }

    /// The groups of a dimension by the touches of the rows' actors.
    fn by_touch(&self, nth: usize, batch: &Batch) -> Result<RowGroups, QueryError> {
        let attributed = self.attributed[nth].get().ok_or_else(attribution::missing)?;
        let mut rows =
            RowGroups { of_row: vec![0; batch.len()], sets: vec![vec![self.labels.number(NONE)?]] };
        let mut local: FxHashMap<u32, u32> = FxHashMap::default();
        for (row, of_row) in rows.of_row.iter_mut().enumerate() {
            let Some(set) = attributed.set(batch.positions[row]) else { continue };
            *of_row = *local.entry(set).or_insert_with(|| {
                rows.sets.push(attributed.groups(set).to_vec());
                rows.sets.len() as u32 - 1
            });
        }
        Ok(rows)
    }

    fn value_groups(
        &self,
        nth: usize,
        column: &ValueColumn,
        value: ValueRef<'_>,
    ) -> Result<Vec<u32>, QueryError> {
        let mut groups = Vec::new();
        let mut failure = None;
        let mut add = |value: ValueRef<'_>| {
            match self.label(nth, value) {
                Ok(group) if self.dimensions[nth].all_items || !groups.contains(&group) => groups.push(group),
                Ok(_) => {}
                Err(error) => failure = Some(error),
            };
        };
        match value {
            ValueRef::Json(serde_json::Value::Array(items)) => {
                items.iter().map(|v| column.element(v)).for_each(add)
            }
            single => add(single),
        }
        failure.map_or(Ok(groups), Err)
    }

    fn label(&self, nth: usize, value: ValueRef<'_>) -> Result<u32, QueryError> {
        if let Some(bounds) = &self.dimensions[nth].bins {
            return match value.number() {
                None => self.labels.number(NONE),
                Some(n) => self.labels.number(&self.bins[nth][bounds.partition_point(|b| *b <= n)]),
            };
        }
        value.with_text(|text| self.labels.number(text)).unwrap_or_else(|| self.labels.number(NONE))
    }

    fn number_tuples(&self, rows: &mut RowGroups) -> Result<(), QueryError> {
        let width = self.dimensions.len();
        let mut tuples = self.tuples.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for set in &mut rows.sets {
            let mut numbers = Vec::with_capacity(set.len() / width);
            for tuple in set.chunks(width) {
                let next = tuples.numbers.len() as u32 + 1;
                let number = match tuples.numbers.get(tuple) {
                    Some(known) => *known,
                    None => {
                        tuples.held.grow(64 + 4 * width as u64)?;
                        tuples.numbers.insert(tuple.to_vec(), next);
                        next
                    }
                };
                numbers.push(number);
            }
            *set = numbers;
        }
        Ok(())
    }
}

/// Distinct values of each row as numbers of their texts; list elements one by one, none not at all.
pub(crate) fn value_sets(column: &ValueColumn, texts: &Interner) -> Result<RowGroups, QueryError> {
    let mut rows = RowGroups { of_row: vec![0; column.len()], sets: vec![Vec::new()] };
    let mut failure = None;
    let RowGroups { of_row, sets } = &mut rows;
    column.each(
        |value| {
            let mut set = Vec::new();
            value.elements(column.keeps_empty(), |element| {
                match element.with_text(|text| texts.number(text)) {
                    Some(Ok(number)) => set.push(number),
                    Some(Err(error)) => failure = Some(error),
                    None => {}
                }
            });
            if set.is_empty() {
                return 0;
            }
            sets.push(set);
            sets.len() as u32 - 1
        },
        |row, set| of_row[row] = set,
    );
    failure.map_or(Ok(rows), Err)
}

/// Every combination of tuples of `width` numbers with one more; sets hold tuples end to end.
fn combine(left: &RowGroups, right: &RowGroups, width: usize) -> RowGroups {
    let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    let mut out = RowGroups { of_row: Vec::with_capacity(left.of_row.len()), sets: Vec::new() };
    for (l, r) in left.of_row.iter().zip(&right.of_row) {
        let set = *known.entry((*l, *r)).or_insert_with(|| {
            let mut tuples = Vec::new();
            for tuple in left.sets[*l as usize].chunks(width) {
                for last in &right.sets[*r as usize] {
                    tuples.extend_from_slice(tuple);
                    tuples.push(*last);
                }
            }
            out.sets.push(tuples);
            out.sets.len() as u32 - 1
        });
        out.of_row.push(set);
    }
    out
}
