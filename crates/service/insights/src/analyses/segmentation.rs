//! Segmentation (chapter 2): measures over time, by group.
//!
//! Guarantees: `total` is the measure over the whole range, never a sum of buckets; `$other` is computed from the
//! events of the rest. Deliberately not here: parsing, the envelope.

use super::Analysis;
use super::actors::Actors;
use super::groups::{Groups, OTHER, value_sets};
use super::table::{Key, Part, Table};
use crate::Error;
use crate::operators::cell::{Cell, CellKind, State, percentile};
use crate::plan::Bound;
use crate::query::{Measure, SegmentationQuery};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};
use tallymark_query::{Batch, Buckets, Interner, Prepared, QueryError, Scan, json_number};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Segmentation<'a> {
    query: &'a SegmentationQuery,
    bound: &'a Bound<'a>,
    buckets: Buckets,
    scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
    /// Texts of `distinct`.
    texts: Interner,
    /// Per series: column of its property.
    columns: Vec<Option<usize>>,
}

/// A line of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Per bucket.
    pub values: Vec<Value>,
    /// Over the range.
    pub total: Value,
}

struct Ranked {
    group: u32,
    rank: f64,
}

impl Analysis for Segmentation<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        self.answer()
    }
}

impl<'a> Segmentation<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a SegmentationQuery, bound: &'a Bound<'a>) -> Result<Segmentation<'a>, Error> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let selectors = query.series.iter().map(|s| bound.selector(&s.selector, None)).collect();
        let mut scan = bound.scan(selectors, bound.range.0, bound.range.1, &query.common.count_by);
        scan.filter = query.common.segment.clone();
        let groups = Groups::new(&query.breakdown, scan.columns.len(), bound.context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        let mut columns = Vec::new();
        for series in &query.series {
            columns.push(series.measure.property().map(|_| scan.columns.len()));
            scan.columns.extend(series.measure.property().cloned());
        }
        let texts = Interner::new(bound.context.budget.reservation());
        Ok(Segmentation {
            query,
            bound,
            buckets: bound.buckets(query.interval)?,
            scan,
            actors,
            groups,
            texts,
            columns,
        })
    }

    fn answer(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let (mut table, overlap) = self.pass(&prepared, None)?;
        let labels = self.groups.labels();
        let mut shown: Vec<Vec<u32>> = Vec::new();
        let mut rows = Vec::new();
        // Lines become JSON values.
        let line_bytes = 256 + 64 * self.buckets.len() as u64;
        let mut held = self.bound.context.budget.reservation();
        for series in 0..self.query.series.len() {
            let mut ranked = self.rank(series, &mut table, &labels);
            let rest = ranked.split_off(ranked.len().min(self.query.limit));
            held.grow(line_bytes * (ranked.len() as u64 + 1) * (1 + self.query.formulas.len() as u64))?;
            for group in &ranked {
                let line = self.line(series, table.group(series, *group));
                rows.push(self.row(&letter(series), labels.get(group), line));
            }
            if !rest.is_empty() && self.query.other {
                let line = self.rest(series, rest.into_iter().collect(), &mut table, overlap, &prepared)?;
                rows.push(self.row(&letter(series), Some(&vec![OTHER.to_owned()]), line));
            }
            shown.push(ranked);
        }
        self.add_formulas(&shown, &mut table, &labels, &mut rows);
        let mut answer = Map::new();
        let names = match self.query.interval {
            Some(unit) => self.buckets.labels(&self.bound.calendar, unit)?,
            None => Vec::new(),
        };
        let incomplete: Vec<bool> = (0..names.len())
            .map(|i| self.bound.lacking(self.buckets.start(i), self.buckets.end(i)))
            .collect();
        answer.insert("buckets".to_owned(), json!(names));
        answer.insert("incomplete".to_owned(), json!(incomplete));
        answer.insert("series".to_owned(), Value::Array(rows));
        Ok(answer)
    }

    /// One scan into cells; with `rest` only what lies in these groups of the series, all of them as group 0.
    /// Also says whether any event was in several groups.
    fn pass(
        &self,
        prepared: &Prepared<'_>,
        rest: Option<(usize, &FxHashSet<u32>)>,
    ) -> Result<(Table, bool), QueryError> {
        let kinds: Vec<CellKind> = self.query.series.iter().map(|s| kind(&s.measure)).collect();
        let new = || (Part::new(kinds.clone(), self.bound.context.budget.reservation()), false);
        let parts = prepared.run(self.bound.threads, new, |(part, overlap), batch| {
            let groups = self.groups.of_batch(&batch)?;
            *overlap |= groups.overlap();
            let actors = self.actors.of(&batch)?;
            let buckets: Vec<u32> = batch.times.iter().map(|t| self.buckets.find_inside(*t) as u32).collect();
            for series in 0..self.query.series.len() {
                let single = groups.only().filter(|_| rest.is_none());
                let rows = Rows { batch: &batch, single, buckets: &buckets, series };
                match rest {
                    None => self.fill(part, &rows, &actors, |row| groups.of(row))?,
                    Some((of, rest)) if of == series => {
                        let inside = |row: usize| groups.of(row).iter().any(|g| rest.contains(g));
                        self.fill(part, &rows, &actors, |row| if inside(row) { &[0] } else { &[] })?;
                    }
                    Some(_) => {}
                }
            }
            part.added(batch.len())
        })?;
        let overlap = parts.iter().any(|(_, o)| *o);
        Ok((Table::of(parts.into_iter().map(|(p, _)| p).collect()), overlap))
    }

    fn fill<'g>(
        &self,
        part: &mut Part,
        rows: &Rows<'_>,
        actors: &[u32],
        groups: impl Fn(usize) -> &'g [u32],
    ) -> Result<(), QueryError> {
        let series = rows.series;
        match (kind(&self.query.series[series].measure), self.columns[series]) {
            (CellKind::Sum | CellKind::Extremes | CellKind::Values, Some(column)) => {
                let mut numbers = vec![f64::NAN; rows.batch.len()];
                let number = |v: tallymark_query::ValueRef<'_>| v.number().unwrap_or(f64::NAN);
                rows.batch.columns[column].each(number, |row, n| numbers[row] = n);
                rows.each(groups, |row, key| {
                    part.cell(key).add_number(Some(numbers[row]).filter(|n| !n.is_nan()))
                });
            }
            (CellKind::Distinct, Some(column)) => {
                let values = value_sets(&rows.batch.columns[column], &self.texts)?;
                rows.each(groups, |row, key| part.cell(key).add_values(values.of(row)));
            }
            _ => rows.each(groups, |row, key| part.cell(key).add_actor(actors[row])),
        }
        Ok(())
    }

    /// Groups of a series, best first; without a breakdown the one group there is.
    fn rank(&self, series: usize, table: &mut Table, labels: &FxHashMap<u32, Vec<String>>) -> Vec<u32> {
        if self.query.breakdown.is_empty() {
            return vec![0];
        }
        let measure = &self.query.series[series].measure;
        let mut ranked: Vec<Ranked> = Vec::new();
        for cells in table.groups(series) {
            let group = cells[0].0.group();
            ranked.push(Ranked { group, rank: with_total(cells, |total| rank(measure, total)) });
        }
        ranked.sort_by(|a, b| {
            b.rank.total_cmp(&a.rank).then_with(|| labels.get(&a.group).cmp(&labels.get(&b.group)))
        });
        ranked.into_iter().map(|r| r.group).collect()
    }

    fn line(&self, series: usize, cells: &mut [(Key, Cell)]) -> Line {
        let measure = &self.query.series[series].measure;
        let empty = || finish(measure, &mut Cell::new(kind(measure)));
        let buckets = if self.query.interval.is_some() { self.buckets.len() } else { 0 };
        let total =
            if cells.is_empty() { empty() } else { with_total(cells, |total| finish(measure, total)) };
        let mut values: Vec<Value> = vec![empty(); buckets];
        for (key, cell) in cells {
            if let Some(value) = values.get_mut(key.bucket()) {
                *value = finish(measure, cell);
            }
        }
        Line { values, total }
    }

    /// The groups that the limit cut off, together. Distinct actors and values unite; events that are in several
    /// of these groups count once, for which the events are read again.
    fn rest(
        &self,
        series: usize,
        rest: FxHashSet<u32>,
        table: &mut Table,
        overlap: bool,
        prepared: &Prepared<'_>,
    ) -> Result<Line, QueryError> {
        if overlap {
            let (mut again, _) = self.pass(prepared, Some((series, &rest)))?;
            return Ok(self.line(series, again.group(series, 0)));
        }
        let mut merged: Vec<(Key, Cell)> = Vec::new();
        for cells in table.groups(series).filter(|cells| rest.contains(&cells[0].0.group())) {
            for (key, cell) in cells.iter() {
                let key = Key::new(series, 0, key.bucket());
                match merged.binary_search_by_key(&key, |(k, _)| *k) {
                    Ok(at) => merged[at].1.merge(cell),
                    Err(at) => merged.insert(at, (key, cell.clone())),
                }
            }
        }
        Ok(self.line(series, &mut merged))
    }

    fn row(&self, key: &str, label: Option<&Vec<String>>, line: Line) -> Value {
        let mut row = Map::new();
        row.insert("key".to_owned(), json!(key));
        if !self.query.breakdown.is_empty() {
            row.insert("breakdown".to_owned(), breakdown_value(label));
        }
        row.insert("values".to_owned(), Value::Array(line.values));
        row.insert("total".to_owned(), line.total);
        Value::Object(row)
    }

    /// Formulas, for each group that is shown in any series; a series without the group counts 0.
    fn add_formulas(
        &self,
        shown: &[Vec<u32>],
        table: &mut Table,
        labels: &FxHashMap<u32, Vec<String>>,
        rows: &mut Vec<Value>,
    ) {
        let mut groups: Vec<u32> = Vec::new();
        for group in shown.iter().flatten() {
            if !groups.contains(group) {
                groups.push(*group);
            }
        }
        for formula in &self.query.formulas {
            for group in &groups {
                let lines: Vec<Line> =
                    (0..shown.len()).map(|series| self.line(series, table.group(series, *group))).collect();
                let absent: Vec<bool> = (0..shown.len()).map(|s| table.group(s, *group).is_empty()).collect();
                let number = |series: usize, value: &Value| {
                    if absent[series] && !self.query.breakdown.is_empty() {
                        Some(0.0)
                    } else {
                        value.as_f64()
                    }
                };
                let at = |of: &dyn Fn(&Line) -> Value| {
                    formula
                        .value(&|series| number(series, &of(&lines[series])))
                        .map_or(Value::Null, json_number)
                };
                let buckets = lines.first().map_or(0, |l| l.values.len());
                let values = (0..buckets).map(|b| at(&|line: &Line| line.values[b].clone())).collect();
                let line = Line { values, total: at(&|line: &Line| line.total.clone()) };
                rows.push(self.row(&formula.text, labels.get(group), line));
            }
        }
    }
}

/// Rows of a batch that one series counts.
struct Rows<'b> {
    batch: &'b Batch,
    /// The group of all rows, if there is but one.
    single: Option<u32>,
    buckets: &'b [u32],
    series: usize,
}

impl Rows<'_> {
    fn each<'g>(&self, groups: impl Fn(usize) -> &'g [u32], mut add: impl FnMut(usize, Key)) {
        let bit = 1u32 << self.series;
        for (row, mask) in self.batch.masks.iter().enumerate() {
            if mask & bit == 0 {
                continue;
            }
            let bucket = self.buckets[row] as usize;
            match self.single {
                Some(group) => add(row, Key::new(self.series, group, bucket)),
                None => groups(row).iter().for_each(|g| add(row, Key::new(self.series, *g, bucket))),
            }
        }
    }
}

/// The letter of a series.
fn letter(series: usize) -> String {
    char::from(b'A' + series as u8).to_string()
}

/// Labels as JSON: a text for one dimension, a list for several.
pub(crate) fn breakdown_value(label: Option<&Vec<String>>) -> Value {
    match label.map(Vec::as_slice) {
        None => Value::Null,
        Some([single]) => json!(single),
        Some(several) => json!(several),
    }
}

fn kind(measure: &Measure) -> CellKind {
    match measure {
        Measure::Uniques => CellKind::Actors,
        Measure::Totals => CellKind::Count,
        Measure::Average => CellKind::PerActor,
        Measure::Sum(_) | Measure::Avg(_) => CellKind::Sum,
        Measure::Min(_) | Measure::Max(_) => CellKind::Extremes,
        Measure::Percentile(..) => CellKind::Values,
        Measure::Distinct(_) => CellKind::Distinct,
    }
}

/// Calls `with` with the cell of all buckets together.
fn with_total<R>(cells: &mut [(Key, Cell)], with: impl FnOnce(&mut Cell) -> R) -> R {
    if let [(_, only)] = cells {
        return with(only);
    }
    let mut total = cells[0].1.clone();
    cells[1..].iter().for_each(|(_, cell)| total.merge(cell));
    with(&mut total)
}

fn rank(measure: &Measure, total: &mut Cell) -> f64 {
    match &mut total.state {
        State::Actors(actors) => actors.len() as f64,
        State::Sum { sum, .. } if matches!(measure, Measure::Sum(_) | Measure::Avg(_)) => {
            sum.value().unwrap_or(f64::INFINITY)
        }
        _ => total.events as f64,
    }
}

fn finish(measure: &Measure, cell: &mut Cell) -> Value {
    let events = cell.events;
    let number = |n: Option<f64>| n.filter(|n| n.is_finite()).map_or(Value::Null, json_number);
    match &mut cell.state {
        State::Count => json!(events),
        State::Actors(set) | State::Distinct(set) => json!(set.len()),
        State::PerActor { with_actor, actors } => match actors.len() {
            0 => Value::Null,
            n => number(Some(*with_actor as f64 / n as f64)),
        },
        State::Sum { numbers, sum } => match measure {
            Measure::Avg(_) if *numbers == 0 => Value::Null,
            Measure::Avg(_) => number(sum.value().map(|s| s / *numbers as f64)),
            _ => number(sum.value()),
        },
        State::Extremes { numbers: 0, .. } => Value::Null,
        State::Extremes { min, max, .. } => {
            number(Some(if matches!(measure, Measure::Min(_)) { *min } else { *max }))
        }
        State::Values(values) => match measure {
            Measure::Percentile(_, p) => number(percentile(values, *p)),
            _ => Value::Null,
        },
    }
}
