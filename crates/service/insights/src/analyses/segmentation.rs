//! Segmentation (chapter 2): measures over time, by group.
//!
//! Guarantees: `total` is the measure over the whole range, never a sum of buckets; `$other` is computed from the
//! events of the rest; only values that occur in the range have rows, also where lines look back before it.
//! Deliberately not here: parsing, the envelope; cells are filled in `fill`, made into lines in `lines`.

mod fill;
mod frame;
mod lines;
mod measures;
mod points;

use super::actors::Actors;
use super::attribution::Attribution;
use super::groups::{Groups, OTHER};
use super::newcomers::Newcomers;
use super::session_numbers::SessionNumbers;
use super::table::{Key, Table};
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::cell::{Cell, CellKind};
use crate::plan::Bound;
use crate::query::{Measure, NamesSpec, SegmentationQuery, SelectorSpec};
use frame::Frame;
use lines::Line;
use measures::{kind, rank};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use tallymark_model::Millis;
use tallymark_query::{Buckets, Interner, Prepared, Scan, Selector};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Segmentation<'a> {
    query: &'a SegmentationQuery,
    bound: &'a Bound<'a>,
    buckets: Buckets,
    frame: Frame,
    scan: Scan,
    actors: Actors,
    groups: Groups<'a>,
    /// Texts of `distinct`.
    texts: Interner,
    /// Per series: column of its property.
    columns: Vec<Option<usize>>,
    /// Selectors of the series, with the conditions of the chart, for other scans than the main one.
    counted: Vec<Selector>,
    newcomers: OnceLock<Newcomers>,
    sessions: OnceLock<SessionNumbers>,
}

/// Labels of groups by their numbers.
type Labels = FxHashMap<u32, Vec<String>>;

/// The groups of a series, best first: those that are shown, and the rest.
struct Ranking {
    shown: Vec<u32>,
    rest: FxHashSet<u32>,
}

impl Analysis for Segmentation<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(self.buckets.clone())
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        let mut answer = self.answer()?;
        if let Some((n, unit)) = self.query.compare {
            let earlier = self.bound.earlier(&self.query.common, unit, n)?;
            let there = Segmentation::new(self.query, &earlier)?.answer()?;
            answer.insert("compare".to_owned(), Value::Object(there));
        }
        Ok(answer)
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        self.who(point)
    }
}

impl<'a> Segmentation<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a SegmentationQuery, bound: &'a Bound<'a>) -> Result<Segmentation<'a>, Error> {
        let buckets = bound.buckets(query.interval)?;
        let before = query.series.iter().map(|s| s.shape.lookback()).max().unwrap_or(0);
        let frame = Frame::new(bound, &buckets, query.interval, before)?;
        let segment = query.common.segment.as_ref();
        let counted: Vec<Selector> =
            query.series.iter().map(|s| bound.selector(&s.selector, segment)).collect();
        let mut selectors: Vec<Selector> =
            query.series.iter().map(|s| bound.selector(&s.selector, None)).collect();
        if query.series.iter().any(|s| s.of_active) {
            let active = SelectorSpec { names: NamesSpec::Active, filter: None, nth: None };
            selectors.push(bound.selector(&active, None));
        }
        let mut scan =
            bound.scan(selectors, frame.start(bound.range.0), bound.range.1, &query.common.count_by);
        scan.filter = query.common.segment.clone();
        let groups = Groups::new(&query.breakdown, scan.columns.len(), bound.context);
        scan.columns.extend(query.breakdown.iter().map(|b| b.property.clone()));
        let mut columns = Vec::new();
        for series in &query.series {
            columns.push(series.measure.property().map(|_| scan.columns.len()));
            scan.columns.extend(series.measure.property().cloned());
        }
        let by_place = query.new_users_only && !scan_has_persons(&scan);
        let by_touch = query.breakdown.iter().any(|b| b.attribution.is_some());
        let by_session = query.series.iter().any(|s| s.measure == Measure::Sessions);
        scan.order = by_place || by_touch || by_session;
        if !scan.order && !query.new_users_only {
            scan.stretches = Some(frame.stretches().clone());
        }
        Ok(Segmentation {
            query,
            bound,
            buckets,
            frame,
            scan,
            actors: Actors::new(&query.common.count_by, bound.context),
            groups,
            texts: Interner::new(bound.context.budget.reservation()),
            columns,
            counted,
            newcomers: OnceLock::new(),
            sessions: OnceLock::new(),
        })
    }

    fn answer(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.prepare()?;
        let (mut table, overlap) = self.pass(&prepared, None)?;
        let labels = self.groups.labels();
        let mut shown: Vec<Vec<u32>> = Vec::new();
        let mut rows = Vec::new();
        // Lines become JSON values.
        let line_bytes = 256 + 64 * self.buckets.len() as u64;
        let mut held = self.bound.context.budget.reservation();
        for series in 0..self.query.series.len() {
            let ranking = self.ranking(series, &mut table, &labels);
            let lines = (ranking.shown.len() as u64 + 1) * (1 + self.query.formulas.len() as u64);
            held.grow(line_bytes * lines)?;
            let active = self.active(series, &mut table);
            for group in &ranking.shown {
                let line = self.line(series, table.group(self.cells_of(series), *group), &active)?;
                rows.push(self.row(&letter(series), labels.get(group), line));
            }
            if !ranking.rest.is_empty() && self.query.other {
                let mut cells = self.rest(series, ranking.rest, &mut table, overlap, &prepared)?;
                let line = self.line(series, &mut cells, &active)?;
                rows.push(self.row(&letter(series), Some(&vec![OTHER.to_owned()]), line));
            }
            shown.push(ranking.shown);
        }
        self.add_formulas(&shown, &mut table, &labels, &mut rows)?;
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

    /// Looks for what rows need to know of other events; then the scan may run.
    fn prepare(&self) -> Result<Prepared<'_>, Error> {
        let (from, to) = (self.scan.from, self.bound.range.1);
        for (nth, dimension) in self.query.breakdown.iter().enumerate() {
            if let Some(spec) = &dimension.attribution {
                let (count_by, counted) = (&self.query.common.count_by, self.counted.clone());
                let (bound, property) = (self.bound, &dimension.property);
                let attribution = Attribution { bound, count_by, spec, property, counted, from, to };
                self.groups.attribute(nth, attribution.find(&self.groups, nth)?);
            }
        }
        if self.query.new_users_only {
            let bucket = |t: Millis| self.frame.bucket(t);
            let all = self.scan.selectors.clone();
            let found = Newcomers::find(self.bound, &self.scan.actor, all, (from, to), &bucket)?;
            // Looking twice finds the same.
            let _ = self.newcomers.set(found);
        }
        let of_sessions =
            |(series, _): &(usize, &Selector)| self.query.series[*series].measure == Measure::Sessions;
        let counted: Vec<Selector> =
            self.counted.iter().enumerate().filter(of_sessions).map(|(_, s)| s.clone()).collect();
        if !counted.is_empty() {
            let common = &self.query.common;
            let segment = common.segment.as_ref();
            let _ =
                self.sessions.set(SessionNumbers::find(self.bound, &common.count_by, segment, &counted, to)?);
        }
        Ok(self.scan.prepare(self.bound.snapshot, self.bound.context)?)
    }

    /// Groups of a series that occur in the range; without a breakdown the one group there is.
    fn ranking(&self, series: usize, table: &mut Table, labels: &Labels) -> Ranking {
        if self.query.breakdown.is_empty() {
            return Ranking { shown: vec![0], rest: FxHashSet::default() };
        }
        let measure = &self.query.series[series].measure;
        let range = [self.frame.range()];
        let mut ranked: Vec<(f64, u32)> = Vec::new();
        for cells in table.groups(self.cells_of(series)) {
            let group = cells[0].0.group();
            let counted = lines::within(cells, range[0]);
            if counted.is_empty() {
                continue;
            }
            let events = counted.iter().map(|(_, cell)| cell.events).sum::<u64>() as f64;
            let ranks = match kind(measure) {
                // Joining all numbers only to count them would be a waste.
                CellKind::Values => vec![events],
                kind => lines::fold(cells, &range, kind, |_, total| rank(measure, total)),
            };
            ranked.extend(ranks.into_iter().map(|rank| (rank, group)));
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| labels.get(&a.1).cmp(&labels.get(&b.1))));
        let mut shown: Vec<u32> = ranked.into_iter().map(|(_, group)| group).collect();
        let rest = shown.split_off(shown.len().min(self.query.limit));
        Ranking { shown, rest: rest.into_iter().collect() }
    }

    /// Cells of the groups that the limit cut off, together. Distinct actors and values unite; events that are in
    /// several of these groups count once, for which the events are read again.
    fn rest(
        &self,
        series: usize,
        rest: FxHashSet<u32>,
        table: &mut Table,
        overlap: bool,
        prepared: &Prepared<'_>,
    ) -> Result<Vec<(Key, Cell)>, Error> {
        if overlap && !self.all_items() {
            let only = fill::Only { series, groups: &rest, kind: kind(&self.query.series[series].measure) };
            let (mut again, _) = self.pass(prepared, Some(&only))?;
            return Ok(again.group(series, 0).to_vec());
        }
        let mut merged: Vec<(Key, Cell)> = Vec::new();
        for cells in table.groups(self.cells_of(series)).filter(|c| rest.contains(&c[0].0.group())) {
            for (key, cell) in cells.iter() {
                let key = Key::new(series, 0, key.bucket());
                match merged.binary_search_by_key(&key, |(k, _)| *k) {
                    Ok(at) => merged[at].1.merge(cell),
                    Err(at) => merged.insert(at, (key, cell.clone())),
                }
            }
        }
        Ok(merged)
    }

    /// The series whose cells this one reads: percentiles of the same values, say, are kept once.
    fn cells_of(&self, series: usize) -> usize {
        let of = |i: usize| {
            let s = &self.query.series[i];
            (s.events_of, kind(&s.measure), s.measure.property(), s.measure == Measure::Sessions)
        };
        (0..series).find(|other| of(*other) == of(series)).unwrap_or(series)
    }

    /// True if an element of a list counts each time it is there.
    fn all_items(&self) -> bool {
        self.query.breakdown.iter().any(|b| b.all_items)
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
}

/// True if the rows of a scan carry their person.
fn scan_has_persons(scan: &Scan) -> bool {
    scan.actor == tallymark_query::Actor::Person
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
