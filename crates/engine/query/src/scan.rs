//! The scan: segments and row groups that can matter, columns that are needed, rows that are meant.
//!
//! Guarantees: a row reaches the operator exactly once, with the selectors it matches, its person by the
//! snapshot's identity, and the values asked for; row groups are visited in any order by several threads, so
//! operators must not depend on it; cancellation and limits are looked at before every row group.

use crate::filter::passing;
use crate::interner::Interner;
use crate::values::Rows;
use crate::{Actor, Context, PropertyTimeline, QueryError, Selector, Snapshot, ValueColumn};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tallymark_ledger::SegmentKind;
use tallymark_model::{Millis, Seq, SubjectId};
use tallymark_predicate::{Expr, PropertyRef, Scope, path_columns};
use tallymark_store::properties::PropertyArrays;
use tallymark_store::{Column, SegmentReader, StoreError};

/// Most selectors of one scan: they are bits of a word.
pub const SELECTORS_MAX: usize = 32;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// A row is wanted if it matches any of these; at most [`SELECTORS_MAX`].
    pub selectors: Vec<Selector>,
    /// A condition on all rows.
    pub filter: Option<Expr>,
    /// First instant.
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
    /// Values wanted of every row.
    pub columns: Vec<PropertyRef>,
    /// Whether the place in the log is wanted.
    pub order: bool,
    /// Whose rows they are.
    pub actor: Actor,
    /// What "latest" means for `person` properties, and the end of time for `user` properties.
    pub as_of: Millis,
}

/// Rows of one row group that match at least one selector.
#[derive(Debug)]
pub struct Batch {
    /// Bit `i`: matches selector `i`; never 0.
    pub masks: Vec<u32>,
    /// Event times.
    pub times: ScalarBuffer<i64>,
    /// Actors; 0 = nobody.
    pub actors: Vec<u32>,
    /// Receive times, if the order was asked for, else empty.
    pub received: ScalarBuffer<i64>,
    /// Packed positions, if the order was asked for, else empty.
    pub positions: ScalarBuffer<u64>,
    /// The values asked for, in that order.
    pub columns: Vec<ValueColumn>,
}

impl Batch {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.masks.len()
    }
    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty()
    }
}

/// Figures about a scan, without running it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ScanPlan {
    /// Live event segments of the project.
    pub segments: usize,
    /// Those that can hold wanted rows.
    pub segments_read: usize,
    /// Row groups of all event segments that were opened.
    pub row_groups: usize,
    /// Row groups that can hold wanted rows.
    pub row_groups_read: usize,
    /// Rows of these row groups.
    pub rows: u64,
    /// Bytes of the columns to read.
    pub bytes: u64,
    /// Columns read in at least one file.
    pub columns: Vec<String>,
}

struct Task {
    reader: SegmentReader,
    group: usize,
}

/// A scan ready to run: segments chosen, timelines loaded.
pub struct Prepared<'a> {
    scan: &'a Scan,
    snapshot: &'a Snapshot,
    context: &'a Context,
    tasks: Vec<Task>,
    plan: ScanPlan,
    timelines: FxHashMap<String, PropertyTimeline>,
    names: Interner,
}

impl Scan {
    /// Chooses what to read and loads the user properties that conditions or columns name.
    pub fn prepare<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        for property in self.properties() {
            if !matches!(property.scope, Scope::User | Scope::Person) {
                continue;
            }
            for name in path_columns(&property.path) {
                if !prepared.timelines.contains_key(name) {
                    let timeline = PropertyTimeline::load(snapshot, name, self.as_of, context)?;
                    prepared.timelines.insert(name.to_owned(), timeline);
                }
            }
        }
        Ok(prepared)
    }

    /// What it would read.
    pub fn plan(&self, snapshot: &Snapshot, context: &Context) -> Result<ScanPlan, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        for task in &prepared.tasks {
            let mut columns = vec![Column::Event, Column::Subject, Column::Time];
            if self.order {
                columns.extend([Column::ReceivedAt, Column::Position]);
            }
            columns.extend(prepared.event_columns(&task.reader));
            prepared.plan.bytes += task.reader.cost(task.group, &columns);
            for column in columns.iter().filter(|c| task.reader.has(c)) {
                let name = column.file_name();
                if !prepared.plan.columns.contains(&name) {
                    prepared.plan.columns.push(name);
                }
            }
        }
        prepared.plan.columns.sort();
        Ok(prepared.plan)
    }

    /// True if a row that a selector means by name was received when its bucket had already closed: `closing`
    /// gives the end of the closed bucket of an instant. Stops at the first such row; files that were complete
    /// in time are not opened.
    pub fn any_late(
        &self,
        snapshot: &Snapshot,
        context: &Context,
        closing: &dyn Fn(Millis) -> Option<Millis>,
    ) -> Result<bool, QueryError> {
        let prepared = self.choose(snapshot, context)?;
        for task in &prepared.tasks {
            context.cancel.check()?;
            let info = &task.reader.row_groups()[task.group];
            let first = closing(info.time_min.max(self.from));
            if first.is_none_or(|end| task.reader.meta().received_max < end) {
                continue;
            }
            let columns = [Column::Event, Column::Time, Column::ReceivedAt];
            let batch = task.reader.read(task.group, &columns).map_err(storage)?;
            let events = batch.column(0).as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
            let names = events.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
            let meant: Vec<bool> = (0..names.len())
                .map(|i| names.is_valid(i) && prepared.mask_of(names.value(i)) != 0)
                .collect();
            let (times, received) = (column::<Int64Type>(&batch, 1)?, column::<Int64Type>(&batch, 2)?);
            let late = |row: usize| {
                let inside = self.from <= times[row] && times[row] < self.to;
                inside
                    && meant[events.keys().value(row) as usize]
                    && closing(times[row]).is_some_and(|end| received[row] >= end)
            };
            if (0..batch.num_rows()).any(late) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn choose<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        for property in self.properties() {
            if let Scope::Group(_) | Scope::GroupLatest(_) = property.scope {
                let text = format!("properties of groups (`{}`) are not supported yet", property.scope);
                return Err(QueryError::Invalid(text));
            }
        }
        let mut tasks = Vec::new();
        let mut plan = ScanPlan {
            segments: 0,
            segments_read: 0,
            row_groups: 0,
            row_groups_read: 0,
            rows: 0,
            bytes: 0,
            columns: Vec::new(),
        };
        for segment in snapshot.segments_of(SegmentKind::Events) {
            context.cancel.check()?;
            plan.segments += 1;
            if segment.time_max < self.from || segment.time_min >= self.to {
                continue;
            }
            let reader = SegmentReader::open(&snapshot.store, segment).map_err(storage)?;
            let before = tasks.len();
            for (group, info) in reader.row_groups().iter().enumerate() {
                plan.row_groups += 1;
                let in_time = info.time_max >= self.from && info.time_min < self.to;
                if in_time && self.selectors.iter().any(|s| s.names.may_occur(info)) {
                    plan.rows += info.rows;
                    tasks.push(Task { reader: reader.clone(), group });
                }
            }
            plan.segments_read += usize::from(tasks.len() > before);
        }
        plan.row_groups_read = tasks.len();
        // The largest first, so that threads end together.
        tasks.sort_by_key(|t| std::cmp::Reverse(t.reader.row_groups()[t.group].rows));
        let names = Interner::new(context.budget.reservation());
        Ok(Prepared { scan: self, snapshot, context, tasks, plan, timelines: FxHashMap::default(), names })
    }

    fn properties(&self) -> Vec<PropertyRef> {
        let filters = self.selectors.iter().filter_map(|s| s.filter.as_ref()).chain(&self.filter);
        let mut all: Vec<PropertyRef> = filters.flat_map(Expr::properties).collect();
        all.extend(self.columns.iter().cloned());
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Prepared<'_> {
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
        self.context.progress.expect(self.tasks.len() as u64);
        let next = AtomicUsize::new(0);
        let work = || -> Result<T, QueryError> {
            let mut state = new();
            while let Some(task) = self.tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.context.cancel.check()?;
                let outcome = self.batch(task).and_then(|batch| match batch {
                    Some(batch) => each(&mut state, batch),
                    None => Ok(()),
                });
                if let Err(error) = outcome {
                    next.store(self.tasks.len(), Ordering::Relaxed);
                    return Err(error);
                }
                self.context.progress.advance(task.reader.row_groups()[task.group].rows);
            }
            Ok(state)
        };
        run_on(threads.clamp(1, self.tasks.len().max(1)), work)
    }

    fn batch(&self, task: &Task) -> Result<Option<Batch>, QueryError> {
        let info = &task.reader.row_groups()[task.group];
        let mut held = self.context.budget.reserve(info.rows * 24)?;
        let one_name = match info.names.as_deref() {
            Some([only]) => Some(self.mask_of(only)),
            _ => None,
        };
        let mut first = vec![Column::Subject, Column::Time];
        first.extend(one_name.is_none().then_some(Column::Event));
        let batch = task.reader.read(task.group, &first).map_err(storage)?;
        let times = column::<Int64Type>(&batch, 1)?;
        let in_time = self.scan.from <= info.time_min && info.time_max < self.scan.to;
        let wanted = |time: Millis| in_time || (self.scan.from <= time && time < self.scan.to);
        let (rows, masks) = match one_name {
            Some(0) => return Ok(None),
            Some(mask) if in_time => (Rows::All(times.len()), vec![mask; times.len()]),
            Some(mask) => {
                let rows: Vec<u32> = (0..times.len() as u32).filter(|r| wanted(times[*r as usize])).collect();
                let masks = vec![mask; rows.len()];
                (Rows::Some(rows), masks)
            }
            None => self.choose_rows(&batch, &times, wanted)?,
        };
        if rows.len() == 0 {
            return Ok(None);
        }
        let mut loaded = Loaded {
            prepared: self,
            task,
            batch,
            rows,
            masks,
            order: None,
            persons: None,
            values: Vec::new(),
        };
        loaded.read_properties(&mut held)?;
        loaded.filter()?;
        loaded.finish()
    }

    fn choose_rows(
        &self,
        batch: &RecordBatch,
        times: &[Millis],
        wanted: impl Fn(Millis) -> bool,
    ) -> Result<(Rows, Vec<u32>), QueryError> {
        let events = batch.column(2).as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
        let names = events.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
        let by_key: Vec<u32> = (0..names.len())
            .map(|i| if names.is_valid(i) { self.mask_of(names.value(i)) } else { 0 })
            .collect();
        let (mut rows, mut masks) = (Vec::new(), Vec::new());
        for (row, key) in events.keys().values().iter().enumerate() {
            let mask = by_key[*key as usize];
            if mask != 0 && wanted(times[row]) {
                rows.push(row as u32);
                masks.push(mask);
            }
        }
        let rows = if rows.len() == times.len() { Rows::All(times.len()) } else { Rows::Some(rows) };
        Ok((rows, masks))
    }

    fn mask_of(&self, name: &str) -> u32 {
        let bits = self.scan.selectors.iter().enumerate().filter(|(_, s)| s.names.mean(name));
        bits.map(|(i, _)| 1u32 << i).sum()
    }

    /// Property columns of a file that conditions and wanted values need.
    fn event_columns(&self, reader: &SegmentReader) -> Vec<Column> {
        let mut columns = Vec::new();
        for property in self.scan.properties().iter().filter(|p| p.scope == Scope::Event) {
            for name in path_columns(&property.path) {
                columns.extend(tallymark_store::properties::columns(reader, name));
            }
        }
        match &self.scan.actor {
            Actor::Person => {}
            Actor::Device => columns.push(Column::DeviceId),
            Actor::Group(kind) => {
                let group =
                    [Column::Group(kind.clone()), Column::GroupList(kind.clone()), Column::GroupOverflow];
                columns.extend(group.into_iter().filter(|c| reader.has(c)));
            }
        }
        columns.sort();
        columns.dedup();
        columns
    }
}

/// Runs the same work on several threads; one panicking thread is an error of the query, not of the process.
fn run_on<T: Send>(
    threads: usize,
    work: impl Fn() -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let results: Vec<Result<T, QueryError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    // The first real reason, rather than a thread that only stopped because of it.
    results.into_iter().collect()
}

/// Runs `work` for every part on at most `threads` threads; answers are in the order of the parts.
pub fn in_parallel<P: Send, T: Send>(
    threads: usize,
    parts: Vec<P>,
    work: impl Fn(P) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let count = parts.len();
    let queue = std::sync::Mutex::new(parts.into_iter().enumerate());
    let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    let done = run_on(threads.clamp(1, count.max(1)), || {
        let mut mine = Vec::new();
        while let Some((i, part)) = take() {
            mine.push((i, work(part)?));
        }
        Ok(mine)
    })?;
    let mut all: Vec<(usize, T)> = done.into_iter().flatten().collect();
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, t)| t).collect())
}

fn panicked() -> QueryError {
    QueryError::damaged("running the query", "a query thread failed; this is a defect, please report it")
}

/// Rows chosen by name and time, with what was read about them so far.
struct Loaded<'a> {
    prepared: &'a Prepared<'a>,
    task: &'a Task,
    batch: RecordBatch,
    rows: Rows,
    masks: Vec<u32>,
    order: Option<(ScalarBuffer<i64>, ScalarBuffer<u64>)>,
    persons: Option<Arc<Vec<u32>>>,
    values: Vec<(PropertyRef, ValueColumn)>,
}

impl Loaded<'_> {
    fn read_properties(&mut self, held: &mut crate::Reservation) -> Result<(), QueryError> {
        let reader = &self.task.reader;
        let columns = self.prepared.event_columns(reader);
        held.grow(self.rows.len() as u64 * 12 * columns.len() as u64)?;
        let batch = match columns.is_empty() {
            true => None,
            false => Some(reader.read(self.task.group, &columns).map_err(storage)?),
        };
        if self.prepared.scan.actor != Actor::Person {
            self.persons = Some(Arc::new(self.named_actors(batch.as_ref())?));
        }
        for property in self.prepared.scan.properties() {
            let values = match property.scope {
                Scope::Event => self.event_values(&property, batch.as_ref())?,
                _ => self.user_values(&property)?,
            };
            self.values.push((property, values));
        }
        Ok(())
    }

    fn event_values(
        &self,
        property: &PropertyRef,
        batch: Option<&RecordBatch>,
    ) -> Result<ValueColumn, QueryError> {
        let Some(batch) = batch else { return Ok(ValueColumn::none(self.rows.len())) };
        let arrays = |name: &str| PropertyArrays::of_batch(batch, name).map_err(storage);
        let inner = match property.path.split_once('.') {
            Some((first, rest)) => Some((arrays(first)?, rest)),
            None => None,
        };
        Ok(ValueColumn::of_arrays(&self.rows, arrays(&property.path)?, inner))
    }

    fn user_values(&mut self, property: &PropertyRef) -> Result<ValueColumn, QueryError> {
        let persons = self.resolve_persons()?;
        let timelines = &self.prepared.timelines;
        let mut columns = Vec::new();
        for name in path_columns(&property.path) {
            let Some(timeline) = timelines.get(name) else { continue };
            columns.push(match property.scope {
                Scope::Person => timeline.latest(&persons),
                _ => {
                    let (received, positions) = self.log_order()?;
                    let times = column::<Int64Type>(&self.batch, 1)?;
                    let rows = &self.rows;
                    timeline.as_of(&persons, |i| {
                        let row = rows.get(i);
                        (times[row], received[row], positions[row])
                    })
                }
            });
        }
        let mut columns = columns.into_iter();
        let literal = columns.next().unwrap_or_else(|| ValueColumn::none(persons.len()));
        Ok(match (columns.next(), property.path.split_once('.')) {
            (Some(outer), Some((_, rest))) => literal.or_inside(&outer, rest),
            _ => literal,
        })
    }

    /// Persons by the snapshot's identity.
    fn resolve_persons(&mut self) -> Result<Arc<Vec<u32>>, QueryError> {
        if let Some(known) = self.persons.as_ref().filter(|_| self.prepared.scan.actor == Actor::Person) {
            return Ok(Arc::clone(known));
        }
        let subjects = column::<UInt32Type>(&self.batch, 0)?;
        let persons = Persons::of(self.prepared.snapshot);
        let mut found = vec![0u32; self.rows.len()];
        let mut varies = false;
        self.rows.each(|i, row| {
            found[i] = persons.plain(subjects[row]);
            varies |= found[i] == Persons::VARYING;
        });
        if varies {
            let (received, positions) = self.log_order()?;
            self.rows.each(|i, row| {
                if found[i] == Persons::VARYING {
                    found[i] = persons.of_row(subjects[row], received[row], positions[row]);
                }
            });
        }
        let found = Arc::new(found);
        if self.prepared.scan.actor == Actor::Person {
            self.persons = Some(Arc::clone(&found));
        }
        Ok(found)
    }

    /// Actors that go by a text of the event.
    fn named_actors(&self, batch: Option<&RecordBatch>) -> Result<Vec<u32>, QueryError> {
        let mut found = vec![0u32; self.rows.len()];
        let Some(batch) = batch else { return Ok(found) };
        match &self.prepared.scan.actor {
            Actor::Person => {}
            Actor::Device => {
                self.number_texts(batch, &Column::DeviceId, &mut found, |t| Some(t.to_owned()))?
            }
            Actor::Group(kind) => {
                self.number_texts(batch, &Column::Group(kind.clone()), &mut found, |t| Some(t.to_owned()))?;
                let first = |text: &str| serde_json::from_str::<Vec<String>>(text).ok()?.into_iter().next();
                self.number_texts(batch, &Column::GroupList(kind.clone()), &mut found, first)?;
                let of_kind = |text: &str| {
                    let groups: Vec<(String, String)> = serde_json::from_str(text).ok()?;
                    groups.into_iter().find(|(k, _)| **k == **kind).map(|(_, name)| name)
                };
                self.number_texts(batch, &Column::GroupOverflow, &mut found, of_kind)?;
            }
        }
        Ok(found)
    }

    /// Numbers what `name` makes of the texts of a column, where rows have one.
    fn number_texts(
        &self,
        batch: &RecordBatch,
        column: &Column,
        found: &mut [u32],
        name: impl Fn(&str) -> Option<String>,
    ) -> Result<(), QueryError> {
        let Some(array) = batch.column_by_name(&column.file_name()) else { return Ok(()) };
        let number = |text: &str| name(text).map_or(Ok(0), |name| self.prepared.names.number(&name));
        if let Some(plain) = array.as_string_opt::<i32>() {
            for (i, slot) in found.iter_mut().enumerate() {
                let row = self.rows.get(i);
                if plain.is_valid(row) {
                    *slot = number(plain.value(row))?;
                }
            }
            return Ok(());
        }
        let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
        let texts = array.values().as_string_opt::<i32>().ok_or_else(mistyped)?;
        let mut numbers: Vec<Option<u32>> = vec![None; texts.len()];
        for (i, slot) in found.iter_mut().enumerate() {
            let row = self.rows.get(i);
            if !array.keys().is_valid(row) {
                continue;
            }
            let key = array.keys().value(row) as usize;
            *slot = match numbers[key] {
                Some(known) => known,
                None => *numbers[key].insert(number(texts.value(key))?),
            };
        }
        Ok(())
    }

    fn log_order(&mut self) -> Result<(ScalarBuffer<i64>, ScalarBuffer<u64>), QueryError> {
        if self.order.is_none() {
            let batch = self
                .task
                .reader
                .read(self.task.group, &[Column::ReceivedAt, Column::Position])
                .map_err(storage)?;
            self.order = Some((column::<Int64Type>(&batch, 0)?, column::<UInt64Type>(&batch, 1)?));
        }
        self.order.clone().ok_or_else(mistyped)
    }

    /// Clears the bits of selectors whose condition a row fails.
    fn filter(&mut self) -> Result<(), QueryError> {
        let scan = self.prepared.scan;
        let values = &self.values;
        let rows = self.masks.len();
        let column = |property: &PropertyRef| {
            let known = values.iter().find(|(p, _)| p == property).map(|(_, v)| v);
            known.ok_or_else(|| QueryError::damaged("a condition", "names a property that was not read"))
        };
        let clear = |expr: &Expr, bits: u32, masks: &mut Vec<u32>| -> Result<(), QueryError> {
            if masks.iter().any(|m| m & bits != 0) {
                let hits = passing(expr, rows, &column)?;
                masks.iter_mut().zip(hits).filter(|(_, hit)| !hit).for_each(|(m, _)| *m &= !bits);
            }
            Ok(())
        };
        if let Some(expr) = &scan.filter {
            clear(expr, u32::MAX, &mut self.masks)?;
        }
        for (i, selector) in scan.selectors.iter().enumerate() {
            if let Some(expr) = &selector.filter {
                clear(expr, 1 << i, &mut self.masks)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Option<Batch>, QueryError> {
        let scan = self.prepared.scan;
        let keep: Option<Vec<u32>> = self
            .masks
            .contains(&0)
            .then(|| (0..self.masks.len() as u32).filter(|i| self.masks[*i as usize] != 0).collect());
        if keep.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        if let Some(keep) = &keep {
            // Narrow to the rows that are left before persons are resolved and values copied.
            self.masks = keep.iter().map(|i| self.masks[*i as usize]).collect();
            self.rows = Rows::Some(keep.iter().map(|i| self.rows.get(*i as usize) as u32).collect());
            if let Some(persons) = self.persons.take() {
                self.persons = Some(Arc::new(keep.iter().map(|i| persons[*i as usize]).collect()));
            }
        }
        let mut columns = Vec::with_capacity(scan.columns.len());
        for wanted in &scan.columns {
            let values = self.values.iter().find(|(p, _)| p == wanted).map(|(_, v)| v);
            let values = values.ok_or_else(|| QueryError::damaged("a column", "was not read"))?;
            columns.push(keep.as_ref().map_or_else(|| values.clone(), |keep| values.take(keep)));
        }
        let persons = match (&self.persons, &scan.actor) {
            (Some(known), _) => Arc::clone(known),
            (None, _) => self.resolve_persons()?,
        };
        self.persons = None;
        let (received, positions) = match scan.order {
            true => {
                let (received, positions) = self.log_order()?;
                (self.pick(received), self.pick(positions))
            }
            false => (ScalarBuffer::from(Vec::new()), ScalarBuffer::from(Vec::new())),
        };
        let times = self.pick(column::<Int64Type>(&self.batch, 1)?);
        let actors = Arc::try_unwrap(persons).unwrap_or_else(|shared| shared.to_vec());
        Ok(Some(Batch { masks: self.masks, times, actors, received, positions, columns }))
    }

    fn pick<T: arrow::datatypes::ArrowNativeType>(&self, all: ScalarBuffer<T>) -> ScalarBuffer<T> {
        match &self.rows {
            Rows::All(_) => all,
            Rows::Some(rows) => rows.iter().map(|r| all[*r as usize]).collect(),
        }
    }
}

/// Persons of subjects.
pub(crate) struct Persons<'a> {
    dense: &'a [u32],
    view: &'a tallymark_identity::View,
}

impl<'a> Persons<'a> {
    pub const VARYING: u32 = tallymark_identity::View::VARYING;

    pub fn of(snapshot: &'a Snapshot) -> Persons<'a> {
        Persons { dense: snapshot.identity.dense(), view: &snapshot.identity }
    }

    /// The person, or [`Persons::VARYING`].
    #[inline]
    pub fn plain(&self, subject: u32) -> u32 {
        self.dense.get(subject as usize).copied().unwrap_or(0)
    }

    /// The person at this place in the log.
    pub fn of_row(&self, subject: u32, received_at: Millis, position: u64) -> u32 {
        match self.plain(subject) {
            Self::VARYING => self.view.person_of(SubjectId(subject), Seq { received_at, position }),
            person => person,
        }
    }
}

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &RecordBatch,
    nth: usize,
) -> Result<ScalarBuffer<T::Native>, QueryError> {
    Ok(batch.column(nth).as_primitive_opt::<T>().ok_or_else(mistyped)?.values().clone())
}

fn mistyped() -> QueryError {
    QueryError::damaged("a segment", "a column has an unexpected type")
}

pub(crate) fn storage(error: StoreError) -> QueryError {
    // A missing file was merged away meanwhile; a newer snapshot does not need it.
    let retryable = error.retryable() || matches!(error, StoreError::NotFound { .. });
    QueryError::Storage { what: "reading a segment", retryable, detail: error.to_string() }
}
