//! Cells into lines: windows of slots, shapes, formulas.

use super::super::table::{Key, Table};
use super::frame::{Window, shaped};
use super::measures::{kind, value};
use super::{Labels, Segmentation};
use crate::Error;
use crate::operators::cell::{Cell, CellKind, State};
use crate::operators::percentile::percentile;
use crate::query::{Measure, Shape};
use serde_json::Value;
use tallymark_query::{QueryError, fold_parallel, json_number};

/// From so many numbers on, percentiles are worth threads.
const SEVERAL_NUMBERS: u64 = 50_000;

/// A line of the answer.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Per bucket.
    pub values: Vec<Value>,
    /// Over the range.
    pub total: Value,
}

/// Active actors of the windows of a series and of the range; empty and 0 if it does not ask for them.
#[derive(Debug, Default)]
pub(super) struct Active {
    windows: Vec<usize>,
    total: usize,
}

impl Segmentation<'_> {
    fn windows(&self, series: usize) -> Vec<Window> {
        match self.query.interval {
            Some(_) => self.frame.windows(self.query.series[series].shape),
            None => Vec::new(),
        }
    }

    /// How many actors were active in each window of a series.
    pub(super) fn active(&self, series: usize, table: &mut Table) -> Active {
        if !self.query.series[series].of_active {
            return Active::default();
        }
        let cells = table.group(self.active_index(), 0);
        let size = |_: usize, cell: &mut Cell| match &mut cell.state {
            State::Actors(actors) => actors.len(),
            _ => 0,
        };
        let windows = fold(cells, &self.windows(series), CellKind::Actors, size);
        let total = fold(cells, &[self.frame.range()], CellKind::Actors, size);
        Active { windows, total: total.into_iter().sum() }
    }

    /// The line of the cells of one group, which are sorted.
    pub(super) fn line(
        &self,
        series: usize,
        cells: &mut [(Key, Cell)],
        active: &Active,
    ) -> Result<Line, Error> {
        let spec = &self.query.series[series];
        let (kind, zero) = (kind(&spec.measure), self.query.common.div_zero);
        let (windows, range) = (self.windows(series), self.frame.range());
        let at = |window: usize, cell: &mut Cell| {
            value(spec, cell, active.windows.get(window).copied().unwrap_or(0), zero)
        };
        let (values, total) = match spec.measure {
            Measure::Percentile(_, p) => {
                let all = self.percentiles(cells, windows.into_iter().chain([range]), p)?;
                let (total, values) = all.split_last().map_or((None, &[][..]), |(last, rest)| (*last, rest));
                (values.iter().copied().map(number).collect(), vec![number(total)])
            }
            _ => {
                let total = |_, cell: &mut Cell| value(spec, cell, active.total, zero);
                (fold(cells, &windows, kind, at), fold(cells, &[range], kind, total))
            }
        };
        let values = match spec.shape {
            Shape::RollingAverage { .. } | Shape::RunningSum => {
                let numbers: Vec<Option<f64>> = values.iter().map(Value::as_f64).collect();
                shaped(spec.shape, &numbers).into_iter().map(number).collect()
            }
            _ => values,
        };
        Ok(Line { values, total: total.into_iter().next().unwrap_or_default() })
    }

    /// The percentile of the numbers of each window.
    fn percentiles(
        &self,
        cells: &[(Key, Cell)],
        windows: impl Iterator<Item = Window>,
        p: f64,
    ) -> Result<Vec<Option<f64>>, Error> {
        let of = |window: Window| -> Result<Option<f64>, QueryError> {
            self.bound.context.cancel.check()?;
            let lists: Vec<&[f64]> = within(cells, window).iter().filter_map(|(_, c)| c.numbers()).collect();
            Ok(percentile(&lists, p))
        };
        if cells.iter().map(|(_, cell)| cell.events).sum::<u64>() < SEVERAL_NUMBERS {
            return Ok(windows.map(of).collect::<Result<_, _>>()?);
        }
        let windows: Vec<(usize, Window)> = windows.enumerate().collect();
        let mut values = vec![None; windows.len()];
        // The range, which takes longest, comes last, and threads should end together.
        let backwards = windows.into_iter().rev().collect();
        let found = fold_parallel(self.bound.threads, backwards, Vec::new, |found, (i, window)| {
            found.push((i, of(window)?));
            Ok(())
        })?;
        found.into_iter().flatten().for_each(|(i, value)| values[i] = value);
        Ok(values)
    }

    /// Formulas, for each group that is shown in any series; a series without the group counts 0.
    pub(super) fn add_formulas(
        &self,
        shown: &[Vec<u32>],
        table: &mut Table,
        labels: &Labels,
        rows: &mut Vec<Value>,
    ) -> Result<(), Error> {
        let mut groups: Vec<u32> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        groups.extend(shown.iter().flatten().filter(|group| seen.insert(**group)));
        let actives: Vec<Active> = (0..shown.len()).map(|series| self.active(series, table)).collect();
        let buckets = if self.query.interval.is_some() { self.buckets.len() } else { 0 };
        let zero = self.query.common.div_zero;
        for formula in &self.query.formulas {
            for group in &groups {
                let mut line = |series: usize| {
                    let cells = table.group(self.cells_of(series), *group);
                    let lacking =
                        !self.query.breakdown.is_empty() && within(cells, self.frame.range()).is_empty();
                    (!lacking).then(|| self.line(series, cells, &actives[series])).transpose()
                };
                let lines: Vec<Option<Line>> = (0..shown.len()).map(&mut line).collect::<Result<_, _>>()?;
                let at = |series: usize, of: &dyn Fn(&Line) -> Option<f64>| match &lines[series] {
                    None => Some(0.0),
                    Some(line) => of(line),
                };
                let bucket = |series: usize, bucket: usize| at(series, &|line| line.values[bucket].as_f64());
                let values = formula.line(buckets, zero, &bucket).into_iter().map(number).collect();
                let total = formula.value(zero, &|series| at(series, &|line| line.total.as_f64()));
                let line = Line { values, total: number(total) };
                rows.push(self.row(&formula.text, labels.get(group), line));
            }
        }
        Ok(())
    }
}

fn number(value: Option<f64>) -> Value {
    value.filter(|v| v.is_finite()).map_or(Value::Null, json_number)
}

/// The cells of a window, of those of one group, which are sorted.
pub(super) fn within(cells: &[(Key, Cell)], (from, to): Window) -> &[(Key, Cell)] {
    let first = cells.partition_point(|(key, _)| key.bucket() < from);
    let end = cells.partition_point(|(key, _)| key.bucket() < to).max(first);
    &cells[first..end]
}

/// Calls `each` with the cells of every window together, and collects what it says.
pub(super) fn fold<R>(
    cells: &mut [(Key, Cell)],
    windows: &[Window],
    kind: CellKind,
    mut each: impl FnMut(usize, &mut Cell) -> R,
) -> Vec<R> {
    // Windows that grow, as cumulative ones do, go on with what there is: (first cell, end, together).
    let mut grown: Option<(usize, usize, Cell)> = None;
    let mut found = Vec::with_capacity(windows.len());
    for (i, (from, to)) in windows.iter().enumerate() {
        let first = cells.partition_point(|(key, _)| key.bucket() < *from);
        let end = cells.partition_point(|(key, _)| key.bucket() < *to).max(first);
        found.push(match end - first {
            0 => each(i, &mut Cell::new(kind)),
            1 => each(i, &mut cells[first].1),
            _ => {
                let (_, known, cell) =
                    match grown.take().filter(|(at, known, _)| *at == first && *known <= end) {
                        Some(kept) => grown.insert(kept),
                        None => grown.insert((first, first + 1, cells[first].1.clone())),
                    };
                cells[*known..end].iter().for_each(|(_, next)| cell.merge(next));
                *known = end;
                each(i, cell)
            }
        });
    }
    found
}
