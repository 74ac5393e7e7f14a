//! The scan: segments and row groups that can matter, columns that are needed, rows that are meant.
//!
//! Guarantees: a row reaches the operator exactly once, with the selectors it matches, its person by the
//! snapshot's identity, and the values asked for; row groups are visited in any order by several threads, so
//! operators must not depend on it; cancellation and limits are looked at before every row group.

mod codes;
mod late;
mod loaded;
mod located;
mod nth;
mod open;
mod persons;
mod threads;

pub use located::{Located, RowText};
pub(crate) use persons::Persons;
pub use threads::fold_parallel;

use crate::interner::Interner;
use crate::reads::{FileRead, Rule};
use crate::timeline::GroupTimeline;
use crate::values::Rows;
use crate::{
    Actor, Buckets, Context, Folding, Membership, PropertyTimeline, QueryError, Selector, Snapshot,
    ValueColumn, Vocabulary,
};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, UInt32Type, UInt64Type};
use codes::Codes;
use loaded::Loaded;
use open::open_all;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tallymark_ledger::SegmentKind;
use tallymark_model::Millis;
use tallymark_predicate::{Expr, PropertyRef, Scope, path_columns};
use tallymark_store::{Column, RowGroup, SegmentReader, StoreError};
use threads::run_on;

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
    /// Only files with rows that were received at this instant or later. Rows received before may be among them.
    pub received_from: Option<Millis>,
    /// Values wanted of every row.
    pub columns: Vec<PropertyRef>,
    /// Whether the place in the log is wanted.
    pub order: bool,
    /// Whether the event's name is wanted, as a code of [`Prepared::event_names`].
    pub named: bool,
    /// Whether the session id that the SDK sent is wanted, as a code.
    pub sessions: bool,
    /// Whether the places of the rows are wanted, so that more can be read of them.
    pub located: bool,
    /// Whose rows they are.
    pub actor: Actor,
    /// If actors go by the text of a value: which; `nth` of selectors counts by it. Batches leave it to their
    /// reader, who asks for it as a column.
    pub actor_text: Option<PropertyRef>,
    /// Empty text is a value like others, where values are read.
    pub empty_is_value: bool,
    /// How properties of persons are folded.
    pub folding: Folding,
    /// What "latest" means for `person` properties, and the end of time for `user` properties.
    pub as_of: Millis,
    /// If only the stretch of time in which a row lies matters: the stretches. Rows of a row group that lies inside
    /// one of them may then come with any instant of it as their time, which saves reading times.
    pub stretches: Option<Buckets>,
    /// Per selector `[from, to)` outside of which its rows do not matter, though they may come along; may be
    /// shorter than the selectors, whose other rows all matter.
    pub spans: Vec<(Millis, Millis)>,
}

/// Rows of one row group that match at least one selector.
#[derive(Debug)]
pub struct Batch {
    /// Bit `i`: matches selector `i`; never 0.
    pub masks: Vec<u32>,
    /// An instant that stands for the times of all rows; only with [`Scan::stretches`].
    pub instant: Option<Millis>,
    /// Event times.
    pub times: ScalarBuffer<i64>,
    /// Actors; 0 = nobody.
    pub actors: Vec<u32>,
    /// Receive times, if the order was asked for, else empty.
    pub received: ScalarBuffer<i64>,
    /// Packed positions, if the order was asked for, else empty.
    pub positions: ScalarBuffer<u64>,
    /// Codes of event names from 1 (see [`Prepared::event_names`]), if they were asked for, else empty.
    pub names: Vec<u32>,
    /// Codes of session ids from 1, if they were asked for, else empty; 0 = no id was sent,
    /// [`Batch::OUT_OF_SESSION`] = the SDK says that it belongs to none.
    pub sessions: Vec<u64>,
    /// The values asked for, in that order.
    pub columns: Vec<ValueColumn>,
    /// Where the rows are, if that was asked for.
    pub located: Option<Located>,
}

impl Batch {
    /// The code of the session id `-1`: an event outside of any session.
    pub const OUT_OF_SESSION: u64 = u64::MAX;

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
    /// Those that were not opened: no row of theirs lies in the time.
    pub segments_out_of_time: usize,
    /// Those that were not opened: all of their rows were received before.
    pub segments_received_before: usize,
    /// Row groups of all event segments that were opened.
    pub row_groups: usize,
    /// Row groups that can hold wanted rows.
    pub row_groups_read: usize,
    /// Those of which no row lies in the time.
    pub row_groups_out_of_time: usize,
    /// Those that lie in the time and hold other events.
    pub row_groups_of_others: usize,
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
    /// By property, and whether persons are those of the time of processing.
    timelines: FxHashMap<(String, bool), PropertyTimeline>,
    /// By group type and property.
    of_groups: FxHashMap<(String, String), GroupTimeline>,
    /// Cohorts that conditions ask for, by their text and whether as of each event.
    members: FxHashMap<(String, bool), Arc<dyn Membership>>,
    names: Interner,
    codes: Codes,
    /// Rows of selectors with `nth`, once the scan runs.
    nth: OnceLock<Option<nth::Found>>,
}

impl Scan {
    /// Chooses what to read and loads the user properties that conditions or columns name.
    pub fn prepare<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        prepared.look_up_cohorts()?;
        for property in self.reads(&snapshot.project.vocabulary) {
            for name in path_columns(&property.path) {
                let key = |kind: &str| (kind.to_owned(), name.to_owned());
                match &property.scope {
                    Scope::User | Scope::Person => {
                        let at_ingest = self.at_ingest(&property.scope);
                        let key = (name.to_owned(), at_ingest);
                        if !prepared.timelines.contains_key(&key) {
                            let how = (self.folding, at_ingest);
                            let until = self.property_until(name, at_ingest, &snapshot.project.vocabulary);
                            if until == self.as_of {
                                context.reads.to_as_of();
                            }
                            context.reads.timeline(name);
                            let timeline =
                                PropertyTimeline::load_folded(snapshot, name, until, how, context)?;
                            prepared.timelines.insert(key, timeline);
                        }
                    }
                    Scope::Group(kind) | Scope::GroupLatest(kind)
                        if !prepared.of_groups.contains_key(&key(kind)) =>
                    {
                        context.reads.to_as_of();
                        context.reads.timeline(&format!("group:{kind}.{name}"));
                        let timeline = GroupTimeline::load(snapshot, kind, name, self.as_of, context)?;
                        prepared.of_groups.insert(key(kind), timeline);
                    }
                    _ => {}
                }
            }
        }
        Ok(prepared)
    }

    /// Whether values in this scope are those that were seen when the row was processed.
    fn at_ingest(&self, scope: &Scope) -> bool {
        self.folding.ingest_order && *scope == Scope::User
    }

    fn rule(&self, (from, to): (Millis, Millis)) -> Rule {
        Rule {
            kind: SegmentKind::Events,
            names: self.selectors.iter().map(|s| s.names.clone()).collect(),
            from: self.from.max(from),
            to: self.to.min(to),
            received_from: self.received_from,
        }
    }

    /// Up to which instant the history of a property is needed: to the end of time for what a person is now, and where
    /// the target of a merge wins by what it has (a later time may stand earlier in the log), else to the last row that
    /// can be read.
    fn property_until(&self, name: &str, at_ingest: bool, vocabulary: &Vocabulary) -> Millis {
        let last = self.as_of.min(self.to.saturating_sub(1));
        let latest = |p: &PropertyRef| {
            matches!(p.scope, Scope::Person) && path_columns(&p.path).any(|column| column == name)
        };
        match at_ingest || self.folding.target_wins || self.reads(vocabulary).iter().any(latest) {
            true => self.as_of,
            false => last,
        }
    }

    /// What it would read.
    pub fn plan(&self, snapshot: &Snapshot, context: &Context) -> Result<ScanPlan, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        for task in &prepared.tasks {
            let mut columns = vec![Column::Event, Column::Subject];
            columns.extend(prepared.instant(task).is_none().then_some(Column::Time));
            if self.order {
                columns.extend([Column::ReceivedAt, Column::Position]);
            }
            columns.extend(self.sessions.then_some(Column::SessionId));
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

    fn choose<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        for property in self.properties() {
            if let Some(problem) = snapshot.project.vocabulary.missing(&property) {
                return Err(QueryError::Invalid(problem));
            }
        }
        let mut tasks = Vec::new();
        let mut plan = ScanPlan {
            segments: 0,
            segments_read: 0,
            segments_out_of_time: 0,
            segments_received_before: 0,
            row_groups: 0,
            row_groups_read: 0,
            row_groups_out_of_time: 0,
            row_groups_of_others: 0,
            rows: 0,
            bytes: 0,
            columns: Vec::new(),
        };
        let mut chosen = Vec::new();
        for segment in snapshot.segments_of(SegmentKind::Events) {
            plan.segments += 1;
            let too_old = self.received_from.is_some_and(|from| segment.received_max < from);
            if segment.time_max < self.from || segment.time_min >= self.to {
                plan.segments_out_of_time += 1;
            } else if too_old {
                plan.segments_received_before += 1;
            } else {
                chosen.push(segment);
            }
        }
        for reader in open_all(snapshot, &chosen, context)? {
            context.cancel.check()?;
            let before = tasks.len();
            for (group, info) in reader.row_groups().iter().enumerate() {
                plan.row_groups += 1;
                let in_time = info.time_max >= self.from && info.time_min < self.to;
                if !in_time {
                    plan.row_groups_out_of_time += 1;
                } else if self.selectors.iter().enumerate().any(|(i, s)| self.wants(i, s, info)) {
                    plan.rows += info.rows;
                    tasks.push(Task { reader: reader.clone(), group });
                } else {
                    plan.row_groups_of_others += 1;
                }
            }
            plan.segments_read += usize::from(tasks.len() > before);
        }
        plan.row_groups_read = tasks.len();
        // The largest first, so that threads end together.
        tasks.sort_by_key(|t| std::cmp::Reverse(t.reader.row_groups()[t.group].rows));
        let names = Interner::new(context.budget.reservation());
        let codes = Codes::new(&context.budget, &snapshot.project.vocabulary);
        let (timelines, members, nth) = (FxHashMap::default(), FxHashMap::default(), OnceLock::new());
        let of_groups = FxHashMap::default();
        Ok(Prepared {
            scan: self,
            snapshot,
            context,
            tasks,
            plan,
            timelines,
            of_groups,
            members,
            names,
            codes,
            nth,
        })
    }

    /// True if rows of the group may match a selector and matter.
    fn wants(&self, nth: usize, selector: &Selector, group: &RowGroup) -> bool {
        let matters = self.spans.get(nth).is_none_or(|(from, to)| group.overlaps(*from, *to));
        matters && selector.names.may_occur(group)
    }

    /// Properties to read, those that others are computed from before them.
    fn reads(&self, vocabulary: &Vocabulary) -> Vec<PropertyRef> {
        let mut all = self.properties();
        let mut at = 0;
        while at < all.len() {
            all.extend(vocabulary.inputs(&all[at]));
            at += 1;
        }
        // Computed scopes sort behind those they are computed from.
        all.sort_unstable();
        all.dedup();
        all
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
    fn look_up_cohorts(&mut self) -> Result<(), QueryError> {
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
        let next = AtomicUsize::new(0);
        let work = || -> Result<T, QueryError> {
            let mut state = new();
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.context.cancel.check()?;
                let outcome = self.batch(task).and_then(|batch| match batch {
                    Some(batch) => each(&mut state, batch),
                    None => Ok(()),
                });
                if let Err(error) = outcome {
                    next.store(tasks.len(), Ordering::Relaxed);
                    return Err(error);
                }
                self.context.progress.advance(task.reader.row_groups()[task.group].rows);
            }
            Ok(state)
        };
        run_on(threads.clamp(1, tasks.len().max(1)), work)
    }

    /// Writes down what is read, and by which rule.
    fn note(&self, tasks: &[&Task], (from, to): (Millis, Millis)) {
        let rule = self.scan.rule((from, to));
        let looked = self.snapshot.segments.iter().filter(|s| rule.overlaps(s)).map(|s| s.id).collect();
        let read = tasks.iter().map(|t| t.reader.meta().id).collect();
        let rows = tasks.iter().map(|t| t.reader.row_groups()[t.group].rows).sum();
        let row_groups = tasks.len();
        self.context.reads.file(FileRead { rule, segments: looked, read, row_groups, rows });
    }

    fn batch(&self, task: &Task) -> Result<Option<Batch>, QueryError> {
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
    fn instant(&self, task: &Task) -> Option<Millis> {
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

    fn choose_rows(
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

    fn mask_of(&self, name: &str) -> u32 {
        let bits = self.scan.selectors.iter().enumerate().filter(|(_, s)| s.names.mean(name));
        bits.map(|(i, _)| 1u32 << i).sum()
    }

    /// Property columns of a file that conditions and wanted values need.
    fn event_columns(&self, reader: &SegmentReader) -> Vec<Column> {
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

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &RecordBatch,
    nth: usize,
) -> Result<ScalarBuffer<T::Native>, QueryError> {
    Ok(batch.column(nth).as_primitive_opt::<T>().ok_or_else(mistyped)?.values().clone())
}

pub(crate) fn mistyped() -> QueryError {
    QueryError::damaged("a segment", "a column has an unexpected type")
}

pub(crate) fn storage(error: StoreError) -> QueryError {
    // A missing file was merged away meanwhile; a newer snapshot does not need it.
    let retryable = error.retryable() || matches!(error, StoreError::NotFound { .. });
    QueryError::Storage { what: "reading a segment", retryable, detail: error.to_string() }
}
