//! One scan into cells.

use super::super::groups::{RowGroups, value_sets};
use super::super::table::{Key, Part, Table};
use super::Segmentation;
use super::measures::kind;
use crate::operators::cell::CellKind;
use crate::query::Measure;
use rustc_hash::FxHashSet;
use tallymark_model::Millis;
use tallymark_query::{Batch, Prepared, QueryError, ValueColumn, ValueRef};

/// A pass over the events of some groups of one series, all of them as group 0, in cells of a kind of their own.
pub(super) struct Only<'g> {
    pub series: usize,
    pub groups: &'g FxHashSet<u32>,
    pub kind: CellKind,
}

/// Rows of a batch, and where they belong.
struct Rows<'b> {
    batch: &'b Batch,
    groups: &'b RowGroups,
    actors: &'b [u32],
    slots: &'b [u32],
    /// The slot of all rows, if they are known to share one.
    slot: Option<usize>,
}

impl Rows<'_> {
    /// Adds the actors of a series to one cell; without any there is no cell.
    fn all_into(&self, part: &mut Part, series: usize, key: Key) {
        let bit = 1u32 << series;
        let rows = self.batch.masks.iter().zip(self.actors);
        let mut meant = rows.filter(|(mask, _)| *mask & bit != 0).map(|(_, actor)| *actor).peekable();
        if meant.peek().is_some() {
            part.cell(key).add_actors(meant);
        }
    }

    /// Adds the numbers of a series to one cell; without any rows there is no cell.
    fn numbers_into(&self, part: &mut Part, series: usize, key: Key, column: &ValueColumn) {
        let bit = 1u32 << series;
        let rows = self.batch.masks.iter().zip(numbers(column));
        let mut meant = rows.filter(|(mask, _)| *mask & bit != 0).map(|(_, number)| number).peekable();
        if meant.peek().is_some() {
            part.cell(key).add_numbers(meant);
        }
    }

    /// Counts the rows of a series by group, all in one slot.
    fn count_into(&self, part: &mut Part, series: usize, slot: usize) {
        let bit = 1u32 << series;
        let sets = self.groups.sets();
        let mut counts = vec![0u64; sets.len()];
        for (row, _) in self.batch.masks.iter().enumerate().filter(|(_, mask)| *mask & bit != 0) {
            counts[self.groups.set_of(row)] += 1;
        }
        for (set, count) in sets.iter().zip(counts).filter(|(_, count)| *count > 0) {
            set.iter().for_each(|group| part.cell(Key::new(series, *group, slot)).events += count);
        }
    }
}

/// The number of each row; NaN, which no event has, for none.
fn numbers(column: &ValueColumn) -> Vec<f64> {
    let mut numbers = vec![f64::NAN; column.len()];
    let number = |value: ValueRef<'_>| value.number().unwrap_or(f64::NAN);
    column.each(number, |row, n| numbers[row] = n);
    numbers
}

/// True if a cell takes in nothing but actors.
fn counts_actors(kind: CellKind) -> bool {
    matches!(kind, CellKind::Count | CellKind::Actors | CellKind::PerActor | CellKind::Times)
}

impl Segmentation<'_> {
    /// Index of the cells of active actors, which have no groups.
    pub(super) fn active_index(&self) -> usize {
        self.query.series.len()
    }

    /// Fills the cells of all series. Also says whether any event was in several groups.
    pub(super) fn pass(
        &self,
        prepared: &Prepared<'_>,
        only: Option<&Only<'_>>,
    ) -> Result<(Table, bool), QueryError> {
        let mut kinds: Vec<CellKind> = self.query.series.iter().map(|s| kind(&s.measure)).collect();
        if let Some(only) = only {
            kinds[only.series] = only.kind;
        }
        kinds.push(CellKind::Actors);
        let new = || (Part::new(kinds.clone(), self.bound.context.budget.reservation()), false);
        let bucket = |t: Millis| self.frame.bucket(t);
        let parts = prepared.run(self.bound.threads, new, |(part, overlap), mut batch| {
            if let Some(newcomers) = self.newcomers.get() {
                newcomers.keep(&mut batch, &bucket)?;
            }
            let groups = self.groups.of_batch(&batch)?;
            *overlap |= groups.overlap();
            let actors = self.actors.of(&batch)?;
            let slot = batch.instant.map(|t| self.frame.slot(t));
            let slots: Vec<u32> = match slot {
                Some(slot) => vec![slot as u32; batch.len()],
                None => batch.times.iter().map(|t| self.frame.slot(*t) as u32).collect(),
            };
            let rows = Rows { batch: &batch, groups: &groups, actors: &actors, slots: &slots, slot };
            match only {
                None => self.fill_all(part, &rows)?,
                Some(only) => self.fill_only(part, &rows, only)?,
            }
            part.added(batch.len())
        })?;
        let overlap = parts.iter().any(|(_, o)| *o);
        Ok((Table::of(parts.into_iter().map(|(p, _)| p).collect()), overlap))
    }

    fn fill_all(&self, part: &mut Part, rows: &Rows<'_>) -> Result<(), QueryError> {
        for series in (0..self.query.series.len()).filter(|series| self.cells_of(*series) == *series) {
            let kind = kind(&self.query.series[series].measure);
            let column = self.columns[series].map(|nth| &rows.batch.columns[nth]);
            match (rows.groups.only(), rows.slot, column) {
                (Some(group), Some(slot), _) if counts_actors(kind) => {
                    rows.all_into(part, series, Key::new(series, group, slot));
                }
                (Some(group), Some(slot), Some(column)) if kind == CellKind::Values => {
                    rows.numbers_into(part, series, Key::new(series, group, slot), column);
                }
                (None, Some(slot), _) if kind == CellKind::Count => rows.count_into(part, series, slot),
                (Some(group), ..) => self.fill(part, rows, series, kind, |_, add| add(group))?,
                (None, ..) => self.fill(part, rows, series, kind, |row, add| {
                    rows.groups.of(row).iter().for_each(|group| add(*group));
                })?,
            }
        }
        if self.scan.selectors.len() > self.active_index() {
            self.fill(part, rows, self.active_index(), CellKind::Actors, |_, add| add(0))?;
        }
        Ok(())
    }

    fn fill_only(&self, part: &mut Part, rows: &Rows<'_>, only: &Only<'_>) -> Result<(), QueryError> {
        let every = self.all_items();
        self.fill(part, rows, only.series, only.kind, |row, add| {
            let hits = rows.groups.of(row).iter().filter(|group| only.groups.contains(group));
            hits.take(if every { usize::MAX } else { 1 }).for_each(|_| add(0));
        })
    }

    fn counts_sessions(&self, series: usize) -> bool {
        self.query.series.get(series).is_some_and(|s| s.measure == Measure::Sessions)
    }

    /// Adds every row that a series counts to the groups that `groups` calls its second argument with.
    fn fill(
        &self,
        part: &mut Part,
        rows: &Rows<'_>,
        series: usize,
        kind: CellKind,
        groups: impl Fn(usize, &mut dyn FnMut(u32)),
    ) -> Result<(), QueryError> {
        let batch = rows.batch;
        let bit = 1u32 << series;
        let sessions = self.sessions.get().filter(|_| self.counts_sessions(series));
        // A session belongs to the bucket of its first event, and only to those of the frame.
        let slot_of = |row: usize| match sessions {
            None => Some(rows.slots[row] as usize),
            Some(sessions) => {
                let began = sessions.of(batch.positions[row]).map(|(_, began)| began);
                began.filter(|began| *began >= self.scan.from).and_then(|began| self.frame.find(began))
            }
        };
        let each = |add: &mut dyn FnMut(usize, Key)| {
            for (row, _) in batch.masks.iter().enumerate().filter(|(_, mask)| *mask & bit != 0) {
                let Some(slot) = slot_of(row) else { continue };
                groups(row, &mut |group| add(row, Key::new(series, group, slot)));
            }
        };
        match (kind, self.columns.get(series).copied().flatten()) {
            (CellKind::Sum | CellKind::Extremes | CellKind::Values | CellKind::SumPerActor, Some(column)) => {
                let numbers = numbers(&batch.columns[column]);
                let number = |row: usize| Some(numbers[row]).filter(|n| !n.is_nan());
                match kind {
                    CellKind::SumPerActor => each(&mut |row, key| {
                        part.cell(key).add_number_of(rows.actors[row], number(row));
                    }),
                    _ => each(&mut |row, key| part.cell(key).add_number(number(row))),
                }
            }
            (CellKind::Distinct, Some(column)) => {
                let values = value_sets(&batch.columns[column], &self.texts)?;
                each(&mut |row, key| part.cell(key).add_values(values.of(row)));
            }
            (CellKind::Distinct, None) => each(&mut |row, key| {
                let session = sessions.and_then(|sessions| sessions.of(batch.positions[row]));
                part.cell(key).add_values(session.map(|(number, _)| number).as_slice());
            }),
            _ => each(&mut |row, key| part.cell(key).add_actor(rows.actors[row])),
        }
        Ok(())
    }
}
