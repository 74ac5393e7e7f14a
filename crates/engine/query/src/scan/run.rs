//! Running a prepared scan: row group by row group, on several threads.
//!
//! Guarantees: columns that only some rows need are read for these rows; an operator gets every batch once.
//! Deliberately not here: which row groups (`choose`).

use super::loaded::Loaded;
use super::threads::{Shares, run_on};
use super::{Batch, Prepared, ScanPlan, Task, column, mistyped, nth, storage};
use crate::reads::FileRead;
use crate::values::Rows;
use crate::{Actor, QueryError};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, UInt32Type, UInt64Type};
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_predicate::{Scope, path_columns};
use tallymark_store::{Column, SegmentReader};

impl Prepared<'_> {
    pub(super) fn look_up_cohorts(&mut self) -> Result<(), QueryError> {
        let mut asked = Vec::new();
        let filters = self.scan.selectors.iter().filter_map(|s| s.filter.as_ref()).chain(&self.scan.filter);
        filters.for_each(|filter| filter.cohorts(&mut |leaf| asked.push(Arc::clone(leaf))));
        for leaf in asked {
            let key = (leaf.key.clone(), leaf.at_event_time);
            if !self.members.contains_key(&key) {
                let text = || format!("{}: nobody here knows cohorts", leaf.path);
                let cohorts = self.snapshot.cohorts.as_ref().ok_or_else(|| QueryError::Invalid(text()))?;
                self.context.reads.cohort(&leaf.key);
                let who = cohorts.membership(self.snapshot, &leaf, self.scan.as_of, self.context)?;
                self.members.insert(key, who);
            }
        }
        Ok(())
    }

    /// True if the actors of batches are persons.
    pub fn counts_persons(&self) -> bool {
        matches!(self.scan.actor, Actor::Person | Actor::PersonAtIngest)
    }

    /// About how many persons actors of batches can be; 0 if they are no persons.
    pub fn persons_about(&self) -> usize {
        match self.counts_persons() {
            true => self.snapshot.identity.dense().len(),
            false => 0,
        }
    }

    /// Names of the actors of batches by number, if they are no persons; complete once the scan has run.
    pub fn actor_names(&self) -> Vec<String> {
        self.names.texts()
    }

    /// Event names by the codes of batches, index 0 empty; complete once the scan has run. Codes depend on threads,
    /// so they must never reach an answer.
    pub fn event_names(&self) -> Vec<String> {
        self.codes.events.texts()
    }

    /// What will be read.
    pub fn read_plan(&self) -> &ScanPlan {
        &self.plan
    }

    /// Runs it on `threads` threads: `each` gets every batch with its thread's own state, which are returned.
    pub fn run<T: Send>(
        &self,
        threads: usize,
        new: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, Batch) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<T>, QueryError> {
        self.run_between(threads, (Millis::MIN, Millis::MAX), new, each)
    }

    /// The same over the row groups that may hold rows of `[from, to)`; other rows of theirs come along.
    pub fn run_between<T: Send>(
        &self,
        threads: usize,
        (from, to): (Millis, Millis),
        new: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, Batch) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<T>, QueryError> {
        if self.nth.get().is_none() {
            // Two runs at once would both look, and find the same.
            let _ = self.nth.set(nth::find(self, threads)?);
        }
        let touches = |task: &&Task| {
            let info = &task.reader.row_groups()[task.group];
            info.time_max >= from && info.time_min < to
        };
        let tasks: Vec<&Task> = self.tasks.iter().filter(touches).collect();
        self.note(&tasks, (from, to));
        let rows = tasks.iter().map(|t| t.reader.row_groups()[t.group].rows).sum();
        if let Some(limit) = self.context.rows_max.filter(|limit| rows > *limit) {
            return Err(QueryError::OutOfRows { rows, limit });
        }
        self.context.progress.expect(tasks.len() as u64);
        let threads = threads.clamp(1, tasks.len().max(1));
        let weights: Vec<u64> = tasks.iter().map(|t| t.reader.row_groups()[t.group].rows).collect();
        let shares = Shares::new(&weights, threads);
        let work = |thread: usize| -> Result<T, QueryError> {
            let mut state = new();
            while let Some(nth) = shares.next(thread) {
                self.context.cancel.check()?;
                let task = tasks[nth];
                let outcome = self.batch(task).and_then(|batch| match batch {
                    Some(batch) => each(&mut state, batch),
                    None => Ok(()),
                });
                if let Err(error) = outcome {
                    shares.stop();
                    return Err(error);
                }
                self.context.progress.advance(weights[nth]);
            }
            Ok(state)
        };
        run_on(threads, work)
    }

    /// Writes down what is read, and by which rule.
    pub(super) fn note(&self, tasks: &[&Task], (from, to): (Millis, Millis)) {
        let rule = self.scan.rule((from, to));
        let looked = self.snapshot.segments.iter().filter(|s| rule.overlaps(s)).map(|s| s.id).collect();
        let read = tasks.iter().map(|t| t.reader.meta().id).collect();
        let rows = tasks.iter().map(|t| t.reader.row_groups()[t.group].rows).sum();
        let row_groups = tasks.len();
        self.context.reads.file(FileRead { rule, segments: looked, read, row_groups, rows });
    }

    pub(super) fn batch(&self, task: &Task) -> Result<Option<Batch>, QueryError> {
        let info = &task.reader.row_groups()[task.group];
        let mut held = self.context.budget.reserve(info.rows * 24)?;
        let one_name = match info.names.as_deref() {
            Some([only]) => Some(self.mask_of(only)),
            _ => None,
        };
        let screen = self.snapshot.hidden.in_group(task.reader.meta(), info);
        let instant = self.instant(task);
        let mut first = vec![Column::Subject];
        first.extend(instant.is_none().then_some(Column::Time));
        first.extend(one_name.is_none().then_some(Column::Event));
        if screen.is_some() {
            first.extend([Column::ReceivedAt, Column::Position]);
        }
        let batch = task.reader.read(task.group, &first).map_err(storage)?;
        let batch = match instant {
            Some(instant) => with_time(&batch, instant)?,
            None => batch,
        };
        let times = column::<Int64Type>(&batch, 1)?;
        let in_time = self.scan.from <= info.time_min && info.time_max < self.scan.to;
        let shown = match screen {
            None => None,
            Some(screen) => Some(screen.shown(
                &column::<UInt32Type>(&batch, 0)?,
                &column::<Int64Type>(&batch, batch.num_columns() - 2)?,
                &column::<UInt64Type>(&batch, batch.num_columns() - 1)?,
            )),
        };
        let wanted = |row: usize| {
            (in_time || (self.scan.from <= times[row] && times[row] < self.scan.to))
                && shown.as_ref().is_none_or(|shown| shown[row])
        };
        let (rows, masks) = match one_name {
            Some(0) => return Ok(None),
            Some(mask) if in_time && shown.is_none() => (Rows::All(times.len()), vec![mask; times.len()]),
            Some(mask) => {
                let rows: Vec<u32> = (0..times.len() as u32).filter(|r| wanted(*r as usize)).collect();
                let masks = vec![mask; rows.len()];
                (Rows::Some(rows), masks)
            }
            None => self.choose_rows(&batch, wanted)?,
        };
        if rows.len() == 0 {
            return Ok(None);
        }
        let mut loaded = Loaded::new(self, task, batch, rows, masks);
        loaded.read_properties(&mut held)?;
        loaded.filter()?;
        if let Some(found) = self.nth.get().and_then(Option::as_ref) {
            loaded.keep_nth(&found.places)?;
        }
        loaded.finish(instant)
    }

    /// An instant that may stand for the times of all rows of a row group, if there is one.
    pub(super) fn instant(&self, task: &Task) -> Option<Millis> {
        let stretches = self.scan.stretches.as_ref()?;
        let info = &task.reader.row_groups()[task.group];
        let inside = self.scan.from <= info.time_min && info.time_max < self.scan.to;
        // Values that a person or a group had at the time of the event need that time.
        let timeless = self.timelines.is_empty()
            && self.of_groups.is_empty()
            && !self.members.keys().any(|(_, at_event_time)| *at_event_time);
        let stretch = stretches.find(info.time_min)?;
        (inside && timeless && stretches.find(info.time_max) == Some(stretch)).then_some(info.time_min)
    }

    pub(super) fn choose_rows(
        &self,
        batch: &RecordBatch,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<(Rows, Vec<u32>), QueryError> {
        let events = batch.column(2).as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
        let names = events.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
        let by_key: Vec<u32> = (0..names.len())
            .map(|i| if names.is_valid(i) { self.mask_of(names.value(i)) } else { 0 })
            .collect();
        let (mut rows, mut masks) = (Vec::new(), Vec::new());
        for (row, key) in events.keys().values().iter().enumerate() {
            let mask = by_key[*key as usize];
            if mask != 0 && wanted(row) {
                rows.push(row as u32);
                masks.push(mask);
            }
        }
        let rows = if rows.len() == batch.num_rows() { Rows::All(rows.len()) } else { Rows::Some(rows) };
        Ok((rows, masks))
    }

    pub(super) fn mask_of(&self, name: &str) -> u32 {
        let bits = self.scan.selectors.iter().enumerate().filter(|(_, s)| s.names.mean(name));
        bits.map(|(i, _)| 1u32 << i).sum()
    }

    /// Property columns of a file that conditions and wanted values need.
    pub(super) fn event_columns(&self, reader: &SegmentReader) -> Vec<Column> {
        let mut columns = Vec::new();
        let reads = self.scan.reads(&self.snapshot.project.vocabulary);
        for property in reads.iter().filter(|p| p.scope == Scope::Event) {
            for name in path_columns(&property.path) {
                columns.extend(tallymark_store::properties::columns(reader, name));
            }
        }
        match &self.scan.actor {
            Actor::Person | Actor::PersonAtIngest => {}
            Actor::Device => columns.push(Column::DeviceId),
            Actor::Group(kind) => {
                let group =
                    [Column::Group(kind.clone()), Column::GroupList(kind.clone()), Column::GroupOverflow];
                columns.extend(group.into_iter().filter(|c| reader.has(c)));
            }
        }
        for property in &reads {
            if let Scope::Group(kind) | Scope::GroupLatest(kind) = &property.scope {
                let kind: Arc<str> = kind.as_str().into();
                let group = [Column::Group(kind.clone()), Column::GroupList(kind), Column::GroupOverflow];
                columns.extend(group.into_iter().filter(|c| reader.has(c)));
            }
        }
        columns.sort();
        columns.dedup();
        columns
    }
}

/// The same with a column of times in second place.
fn with_time(batch: &RecordBatch, time: Millis) -> Result<RecordBatch, QueryError> {
    let mut fields = batch.schema().fields().to_vec();
    fields.insert(1, Arc::new(Field::new(Column::Time.file_name(), DataType::Int64, false)));
    let mut columns = batch.columns().to_vec();
    columns.insert(1, Arc::new(Int64Array::from(vec![time; batch.num_rows()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|_| mistyped())
}
