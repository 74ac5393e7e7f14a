//! The frame of a table (cohorts, columns, their states) and its numbers, ranked and written (4.4 to 4.7).

use crate::Error;
use crate::analyses::groups::OTHER;
use crate::operators::returns::Cell;
use crate::operators::sum::ExactSum;
use crate::plan::Bound;
use crate::query::RetentionQuery;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{Buckets, json_number};

/// Rows and columns of every table of a query.
pub(super) struct Frame {
    /// Intervals of the range first, then those that returns and cells need.
    pub buckets: Buckets,
    pub cohorts: usize,
    pub cells: Vec<Cell>,
    /// Per cohort and cell: whether it has begun, and is complete.
    states: Vec<(bool, bool)>,
    /// First instant after the last return that can matter.
    pub until: Millis,
}

/// The numbers of one group.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Members per cohort.
    pub size: Vec<u64>,
    /// Per cohort and cell.
    pub returned: Vec<u64>,
    /// The same of a measure.
    pub sums: Vec<ExactSum>,
    /// Per cell: distinct actors that returned in a complete one, and distinct members of such cohorts.
    pub distinct: Vec<(u64, u64)>,
}

impl Frame {
    /// Of a query; `beyond` if returns after the last cell matter too.
    pub fn new(query: &RetentionQuery, bound: &Bound<'_>, beyond: bool) -> Result<Frame, Error> {
        let (from, to) = bound.range;
        let calendar = &bound.calendar;
        let cells = query.cells();
        let furthest = cells.iter().map(|c| c.span().1).max().unwrap_or(0);
        let mut buckets = Buckets::covering(calendar, query.interval, from, to)?;
        let cohorts = buckets.len();
        let mut until = to;
        if let Some(last) = cohorts.checked_sub(1) {
            if query.rolling {
                // An hour more, because rounding may bring a return an hour nearer.
                let rounding = if query.round_to_hour { 3_600_000 } else { 0 };
                let whole = (Millis::from(furthest) + 1) * query.interval.millis();
                until = buckets.end(last) + whole + rounding;
            } else {
                let last_cell = calendar.step(query.interval, buckets.start(last), i64::from(furthest))?;
                until = calendar.next(query.interval, last_cell)?;
            }
            if beyond {
                until = until.max(bound.as_of().saturating_add(1));
            }
            if !query.rolling {
                buckets = Buckets::covering(calendar, query.interval, from, until)?;
            }
        }
        let mut frame = Frame { buckets, cohorts, cells, states: Vec::new(), until };
        // Cells become JSON values.
        let _held = bound.context.budget.reserve((cohorts * frame.cells.len() * 128) as u64)?;
        for cohort in 0..cohorts {
            let whole = !bound.gap_in(frame.buckets.start(cohort), frame.buckets.end(cohort));
            for cell in 0..frame.cells.len() {
                let (begins, ends) = frame.stretch(query, cohort, cell);
                let begun = bound.reached(begins);
                frame.states.push((begun, begun && whole && !bound.lacking(begins, ends)));
            }
        }
        Ok(frame)
    }

    /// When a cell begins and ends (4.5).
    fn stretch(&self, query: &RetentionQuery, cohort: usize, cell: usize) -> (Millis, Millis) {
        let (a, b) = self.cells[cell].span();
        if query.rolling {
            let unit = query.interval.millis();
            let (a, b) = (Millis::from(a), Millis::from(b));
            (self.buckets.start(cohort) + a * unit, self.buckets.end(cohort) + (b + 1) * unit)
        } else {
            (self.buckets.start(cohort + a as usize), self.buckets.end(cohort + b as usize))
        }
    }

    /// The bucket of a time, for times that cells look at.
    pub fn bucket(&self, time: Millis) -> u32 {
        let outside = if self.cohorts == 0 || time < self.buckets.start(0) { 0 } else { self.cohorts };
        self.buckets.find(time).unwrap_or(outside) as u32
    }

    /// Whether a cell has begun, and is complete.
    pub fn state(&self, cohort: usize, cell: usize) -> (bool, bool) {
        self.states[cohort * self.cells.len() + cell]
    }

    /// Numbers of nobody.
    pub fn empty(&self, query: &RetentionQuery) -> Table {
        let all = self.cohorts * self.cells.len();
        Table {
            size: vec![0; self.cohorts],
            returned: vec![0; all],
            sums: vec![ExactSum::default(); if query.measure.is_some() { all } else { 0 }],
            distinct: vec![(0, 0); if query.dedup { self.cells.len() } else { 0 }],
        }
    }

    /// Bytes of one.
    pub fn bytes(&self, query: &RetentionQuery) -> u64 {
        let per_cell = if query.measure.is_some() { 80 } else { 8 };
        (128 + self.cohorts * (8 + self.cells.len() * per_cell) + self.cells.len() * 16) as u64
    }
}

impl Table {
    pub fn merge(&mut self, other: &Table) {
        self.size.iter_mut().zip(&other.size).for_each(|(a, b)| *a += b);
        self.returned.iter_mut().zip(&other.returned).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| a.merge(b));
        self.distinct.iter_mut().zip(&other.distinct).for_each(|(a, b)| *a = (a.0 + b.0, a.1 + b.1));
    }

    fn members(&self) -> u64 {
        self.size.iter().sum()
    }
}

/// Writes tables; one for everything, or one per group.
pub(super) struct Writer<'w> {
    pub query: &'w RetentionQuery,
    pub bound: &'w Bound<'w>,
    pub frame: &'w Frame,
}

impl Writer<'_> {
    /// Groups in ranking order up to the limit, and the rest.
    pub fn ranked(
        &self,
        by_group: FxHashMap<u32, Table>,
        labels: &FxHashMap<u32, Vec<String>>,
    ) -> (Vec<(u32, Table)>, Vec<u32>) {
        let label = |group: &u32| labels.get(group);
        let mut ranked: Vec<(u32, Table)> = by_group.into_iter().collect();
        ranked.sort_by(|a, b| b.1.members().cmp(&a.1.members()).then_with(|| label(&a.0).cmp(&label(&b.0))));
        let rest = ranked.split_off(ranked.len().min(self.query.limit));
        (ranked, rest.into_iter().map(|(group, _)| group).collect())
    }

    /// Rows of groups, and of the rest.
    pub fn groups(
        &self,
        by_group: FxHashMap<u32, Table>,
        labels: &FxHashMap<u32, Vec<String>>,
        pooled: impl FnOnce(&[u32]) -> Result<Table, Error>,
    ) -> Result<Map<String, Value>, Error> {
        let (ranked, rest) = self.ranked(by_group, labels);
        let mut rows = Vec::new();
        for (group, table) in &ranked {
            let value = match labels.get(group).map(Vec::as_slice) {
                Some([single]) => json!(single),
                several => json!(several),
            };
            rows.push(self.row(value, table)?);
        }
        if !rest.is_empty() && self.query.other {
            rows.push(self.row(json!(OTHER), &pooled(&rest)?)?);
        }
        Ok([("groups".to_owned(), Value::Array(rows))].into_iter().collect())
    }

    fn row(&self, breakdown: Value, table: &Table) -> Result<Value, Error> {
        let mut row = self.table(table)?;
        row.insert("breakdown".to_owned(), breakdown);
        Ok(Value::Object(row))
    }

    /// Cohorts with their cells, and the overall line.
    pub fn table(&self, table: &Table) -> Result<Map<String, Value>, Error> {
        let columns = self.frame.cells.len();
        // Cells become JSON values.
        let _held = self.bound.context.budget.reserve((self.frame.cohorts * columns * 128) as u64)?;
        let mut overall = vec![Overall::default(); columns];
        let mut cohorts = Vec::with_capacity(self.frame.cohorts);
        for (cohort, size) in table.size.iter().copied().enumerate() {
            let (mut values, mut complete) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
            for (cell, overall) in overall.iter_mut().enumerate() {
                let at = cohort * columns + cell;
                let (begun, whole) = self.frame.state(cohort, cell);
                let value = match &self.query.measure {
                    None => json!(table.returned[at]),
                    Some(m) if m.average => self.ratio(table.sums[at].value(), size),
                    Some(_) => table.sums[at].value().map_or(Value::Null, json_number),
                };
                values.push(if begun { value } else { Value::Null });
                complete.push(whole);
                if whole {
                    overall.returned += table.returned[at];
                    overall.size += size;
                    table.sums.get(at).into_iter().for_each(|s| overall.sum.merge(s));
                }
            }
            let label = self.bound.calendar.label(self.query.interval, self.frame.buckets.start(cohort))?;
            cohorts.push(json!({"cohort": label, "size": size, "values": values, "complete": complete}));
        }
        let line = overall.into_iter().enumerate().map(|(cell, o)| match table.distinct.get(cell) {
            Some((returned, members)) => self.ratio(Some(*returned as f64), *members),
            None if self.query.measure.is_some() => self.ratio(o.sum.value(), o.size),
            None => self.ratio(Some(o.returned as f64), o.size),
        });
        let mut row = Map::new();
        row.insert("overall".to_owned(), line.collect());
        row.insert("cohorts".to_owned(), Value::Array(cohorts));
        Ok(row)
    }

    fn ratio(&self, n: Option<f64>, of: u64) -> Value {
        match (n, of) {
            (_, 0) if self.query.common.div_zero => json!(0),
            (Some(n), of) if of > 0 => json_number(n / of as f64),
            _ => Value::Null,
        }
    }
}

/// Sums over complete cells of a column.
#[derive(Debug, Clone, Default)]
struct Overall {
    returned: u64,
    size: u64,
    sum: ExactSum,
}
