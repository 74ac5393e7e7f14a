//! What records of a funnel carry of their events' values: groups per dimension of the breakdown, held values and
//! those that a test of attempts reads, all in one number.

use crate::analyses::groups::{Groups, NONE, value_sets};
use crate::analyses::sets::Sets;
use crate::query::BreakdownSpec;
use rustc_hash::FxHashMap;
use tallymark_model::Value;
use tallymark_predicate::PropertyRef;
use tallymark_query::{Batch, Context, Interner, QueryError, ValueColumn, ValueRef};

/// A tuple of groups or of held values: one number per dimension.
pub(super) type Key = Vec<u32>;

/// Group of attempts that did not reach the step whose value would be theirs.
pub(super) const NOT_REACHED: u32 = u32::MAX;

/// Numbers for the values of rows.
pub(super) struct Marks<'a> {
    dimensions: Vec<Groups<'a>>,
    /// Where the columns of held properties begin in a batch, and how many they are.
    hold: (usize, usize),
    held_texts: Interner,
    /// Where the columns of tested properties begin in a batch, and how many they are.
    tested: (usize, usize),
    /// Their values as JSON.
    tested_texts: Interner,
    sets: Sets,
    rows: Sets,
}

/// Marks once all rows were read.
pub(super) struct Resolved {
    rows: Vec<Vec<u32>>,
    sets: Vec<Vec<u32>>,
    dimensions: usize,
    /// Per dimension: label by group.
    labels: Vec<FxHashMap<u32, String>>,
    /// Per dimension: the group of no value.
    none: Vec<Option<u32>>,
    held_texts: Vec<String>,
    /// How many properties are held.
    held: usize,
    /// Values of tested properties by number; none of 0.
    tested: Vec<Value>,
}

impl<'a> Marks<'a> {
    /// For values in the columns of a batch from `column` on; adds them to the list of columns.
    pub fn new(
        breakdown: &'a [BreakdownSpec],
        hold: &[PropertyRef],
        tested: &[PropertyRef],
        columns: &mut Vec<PropertyRef>,
        context: &Context,
    ) -> Marks<'a> {
        let column = columns.len();
        let one = |i: usize| Groups::new(&breakdown[i..=i], column + i, context);
        columns.extend(breakdown.iter().map(|b| b.property.clone()));
        columns.extend(hold.iter().cloned());
        columns.extend(tested.iter().cloned());
        Marks {
            dimensions: (0..breakdown.len()).map(one).collect(),
            hold: (column + breakdown.len(), hold.len()),
            held_texts: Interner::new(context.budget.reservation()),
            tested: (column + breakdown.len() + hold.len(), tested.len()),
            tested_texts: Interner::new(context.budget.reservation()),
            sets: Sets::new(context.budget.reservation()),
            rows: Sets::new(context.budget.reservation()),
        }
    }

    /// The mark of every row.
    pub fn of_batch(&self, batch: &Batch) -> Result<Vec<u32>, QueryError> {
        let mut parts = Vec::new();
        for groups in &self.dimensions {
            parts.push(groups.of_batch(batch)?);
        }
        for nth in 0..self.hold.1 {
            parts.push(value_sets(&batch.columns[self.hold.0 + nth], &self.held_texts)?);
        }
        let mut numbers = Vec::new();
        for part in &parts {
            numbers.push(part.numbered(&self.sets)?);
        }
        let mut tested = Vec::new();
        for nth in 0..self.tested.1 {
            tested.push(self.tested_numbers(&batch.columns[self.tested.0 + nth])?);
        }
        let mut known: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
        let mut marks = Vec::with_capacity(batch.len());
        for row in 0..batch.len() {
            let sets = parts.iter().zip(&numbers).map(|(p, n)| n[p.set_of(row)]);
            let of: Vec<u32> = sets.chain(tested.iter().map(|numbers| numbers[row])).collect();
            marks.push(match known.get(&of) {
                Some(mark) => *mark,
                None => {
                    let mark = self.rows.number(&of)?;
                    known.insert(of, mark);
                    mark
                }
            });
        }
        Ok(marks)
    }

    /// A number for each value; 0 for none.
    fn tested_numbers(&self, column: &ValueColumn) -> Result<Vec<u32>, QueryError> {
        let mut failure = None;
        let mut numbers = vec![0u32; column.len()];
        column.each(
            |value| match value {
                ValueRef::None => 0,
                value => self.tested_texts.number(&value.to_json().to_string()).unwrap_or_else(|error| {
                    failure = Some(error);
                    0
                }),
            },
            |row, number| numbers[row] = number,
        );
        failure.map_or(Ok(numbers), Err)
    }

    /// What the marks mean.
    pub fn resolve(&self) -> Resolved {
        let first = |(group, mut texts): (u32, Vec<String>)| (group, texts.swap_remove(0));
        let labels: Vec<FxHashMap<u32, String>> =
            self.dimensions.iter().map(|g| g.labels().into_iter().map(first).collect()).collect();
        let none =
            |l: &FxHashMap<u32, String>| l.iter().find(|(_, text)| *text == NONE).map(|(group, _)| *group);
        Resolved {
            rows: self.rows.list(),
            sets: self.sets.list(),
            dimensions: self.dimensions.len(),
            none: labels.iter().map(none).collect(),
            labels,
            held_texts: self.held_texts.texts(),
            held: self.hold.1,
            tested: self
                .tested_texts
                .texts()
                .iter()
                .map(|t| serde_json::from_str(t).unwrap_or_default())
                .collect(),
        }
    }
}

impl Resolved {
    /// The groups of a row in a dimension.
    pub fn groups(&self, mark: u32, dimension: usize) -> &[u32] {
        &self.sets[self.rows[mark as usize][dimension] as usize]
    }

    /// The same, if it has any value.
    pub fn touched(&self, mark: u32, dimension: usize) -> Option<&[u32]> {
        let groups = self.groups(mark, dimension);
        (self.none[dimension].is_none() || groups != self.none[dimension].as_slice()).then_some(groups)
    }

    /// The group of no value, for attempts without any.
    pub fn none(&self, dimension: usize) -> Vec<u32> {
        self.none[dimension].into_iter().collect()
    }

    /// All tuples of groups of a row.
    pub fn tuples(&self, mark: u32) -> Vec<Key> {
        product((0..self.dimensions).map(|d| self.groups(mark, d)))
    }

    /// Whether a row has all groups of a tuple.
    pub fn carries(&self, mark: u32, key: &[u32]) -> bool {
        key.iter().enumerate().all(|(d, group)| self.groups(mark, d).contains(group))
    }

    /// All tuples of held values of a row; none if one is missing.
    pub fn held(&self, mark: u32) -> Vec<Key> {
        let row = &self.rows[mark as usize];
        let mut tuples = product(
            row[self.dimensions..self.dimensions + self.held]
                .iter()
                .map(|set| self.sets[*set as usize].as_slice()),
        );
        // A list may hold an element twice; the event is in its unit once.
        tuples.sort_unstable();
        tuples.dedup();
        tuples
    }

    /// The value of a tested property of a row, if it has one.
    pub fn tested(&self, mark: u32, nth: usize) -> Option<&Value> {
        match self.rows[mark as usize][self.dimensions + self.held + nth] {
            0 => None,
            number => self.tested.get(number as usize),
        }
    }

    /// Texts of a tuple of groups.
    pub fn label(&self, key: &[u32]) -> Vec<String> {
        let text = |(d, group): (usize, &u32)| match *group {
            NOT_REACHED => "(did not reach step)".to_owned(),
            group => self.labels[d].get(&group).cloned().unwrap_or_default(),
        };
        key.iter().enumerate().map(text).collect()
    }

    /// Texts of a tuple of held values.
    pub fn held_texts(&self, key: &[u32]) -> Vec<&str> {
        key.iter().map(|n| self.held_texts[*n as usize].as_str()).collect()
    }
}

/// Every combination.
pub(super) fn product<'s>(lists: impl Iterator<Item = &'s [u32]>) -> Vec<Key> {
    let mut tuples: Vec<Key> = vec![Vec::new()];
    for list in lists {
        let longer = |t: &Key| list.iter().map(|n| [t.as_slice(), &[*n]].concat()).collect::<Vec<_>>();
        tuples = tuples.iter().flat_map(longer).collect();
    }
    tuples
}
