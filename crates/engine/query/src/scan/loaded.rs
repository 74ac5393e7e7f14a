//! From the columns of one row group to a batch: values, conditions, actors.

mod derived;
mod groups;

use super::located::Located;
use super::nth::Places;
use super::persons::Persons;
use super::{Batch, Prepared, Task, column, mistyped, storage};
use crate::filter::passing;
use crate::values::Rows;
use crate::{Actor, QueryError, Reservation, ValueColumn};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use std::sync::Arc;
use tallymark_model::{Millis, Seq, SubjectId};
use tallymark_predicate::{CohortLeaf, Expr, PropertyRef, Scope, path_columns};
use tallymark_store::Column;
use tallymark_store::properties::PropertyArrays;

/// Rows chosen by name and time, with what was read about them so far.
pub(super) struct Loaded<'a> {
    prepared: &'a Prepared<'a>,
    task: &'a Task,
    batch: RecordBatch,
    rows: Rows,
    masks: Vec<u32>,
    order: Option<(ScalarBuffer<i64>, ScalarBuffer<u64>)>,
    persons: Option<Arc<Vec<u32>>>,
    values: Vec<(PropertyRef, ValueColumn)>,
}

impl<'a> Loaded<'a> {
    /// With these rows of a row group, of which `batch` holds subject and time.
    pub fn new(
        prepared: &'a Prepared<'a>,
        task: &'a Task,
        batch: RecordBatch,
        rows: Rows,
        masks: Vec<u32>,
    ) -> Loaded<'a> {
        Loaded { prepared, task, batch, rows, masks, order: None, persons: None, values: Vec::new() }
    }

    /// Reads what conditions and wanted values need.
    pub fn read_properties(&mut self, held: &mut Reservation) -> Result<(), QueryError> {
        let reader = &self.task.reader;
        let columns = self.prepared.event_columns(reader);
        held.grow(self.rows.len() as u64 * 12 * columns.len() as u64)?;
        let batch = match columns.is_empty() {
            true => None,
            false => Some(reader.read(self.task.group, &columns).map_err(storage)?),
        };
        if self.prepared.scan.actor != Actor::Person {
            self.persons = Some(Arc::new(match self.prepared.scan.actor {
                Actor::PersonAtIngest => self.persons_at_ingest()?,
                _ => self.named_actors(batch.as_ref())?,
            }));
        }
        for property in self.prepared.scan.reads(&self.prepared.snapshot.project.vocabulary) {
            let values = match property.scope {
                Scope::Event => self.event_values(&property, batch.as_ref())?,
                Scope::Name => self.name_values()?,
                Scope::Custom | Scope::Lookup(_) => self.derived_values(&property)?,
                Scope::Group(_) | Scope::GroupLatest(_) => self.group_values(&property, batch.as_ref())?,
                _ => self.user_values(&property)?,
            };
            self.values.push((property, values));
        }
        if self.prepared.scan.empty_is_value {
            // Values computed from others were computed by what those are without the option.
            let values = std::mem::take(&mut self.values).into_iter();
            self.values = values.map(|(property, column)| (property, column.keeping_empty())).collect();
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
        let at_ingest = self.prepared.scan.at_ingest(&property.scope);
        let persons = match at_ingest {
            true => Arc::new(self.persons_at_ingest()?),
            false => self.resolve_persons()?,
        };
        let timelines = &self.prepared.timelines;
        let mut columns = Vec::new();
        for name in path_columns(&property.path) {
            let Some(timeline) = timelines.get(&(name.to_owned(), at_ingest)) else { continue };
            columns.push(match property.scope {
                Scope::Person => timeline.latest(&persons),
                _ if at_ingest => {
                    let (received, positions) = self.log_order()?;
                    let rows = &self.rows;
                    timeline.at_ingest(&persons, |i| (received[rows.get(i)], positions[rows.get(i)]))
                }
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
        self.prepared.context.reads.persons();
        let subjects = column::<UInt32Type>(&self.batch, 0)?;
        let persons = Persons::of(self.prepared.snapshot);
        let mut found: Vec<u32> = match &self.rows {
            Rows::All(_) => subjects.iter().map(|subject| persons.plain(*subject)).collect(),
            Rows::Some(rows) => rows.iter().map(|row| persons.plain(subjects[*row as usize])).collect(),
        };
        if found.contains(&Persons::VARYING) {
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

    /// Persons by the identity as it was when each row was processed.
    fn persons_at_ingest(&mut self) -> Result<Vec<u32>, QueryError> {
        self.prepared.context.reads.fix("persons as they were when events were processed");
        let subjects = column::<UInt32Type>(&self.batch, 0)?;
        let (received, positions) = self.log_order()?;
        let view = &self.prepared.snapshot.identity;
        let mut found = vec![0u32; self.rows.len()];
        self.rows.each(|i, row| {
            let seq = Seq { received_at: received[row], position: positions[row] };
            found[i] = view.person_at_ingest(SubjectId(subjects[row]), seq);
        });
        Ok(found)
    }

    /// Actors that go by a text of the event.
    fn named_actors(&self, batch: Option<&RecordBatch>) -> Result<Vec<u32>, QueryError> {
        let mut found = vec![0u32; self.rows.len()];
        let Some(batch) = batch else { return Ok(found) };
        let number = |name: &str| self.prepared.names.number(name);
        match &self.prepared.scan.actor {
            Actor::Person | Actor::PersonAtIngest => {}
            Actor::Device => {
                let same = |text: &str| Some(text.to_owned());
                self.number_texts(batch, &Column::DeviceId, &mut found, &same, &number)?
            }
            Actor::Group(kind) => self.number_groups(batch, kind, &mut found, &number)?,
        }
        Ok(found)
    }

    /// Numbers what `name` makes of the texts of a column, where rows have one.
    fn number_texts(
        &self,
        batch: &RecordBatch,
        column: &Column,
        found: &mut [u32],
        name: &dyn Fn(&str) -> Option<String>,
        number: &dyn Fn(&str) -> Result<u32, QueryError>,
    ) -> Result<(), QueryError> {
        let Some(array) = batch.column_by_name(&column.file_name()) else { return Ok(()) };
        let number = |text: &str| name(text).map_or(Ok(0), |name| number(&name));
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
    pub fn filter(&mut self) -> Result<(), QueryError> {
        let scan = self.prepared.scan;
        let persons = if self.prepared.members.is_empty() { None } else { Some(self.resolve_persons()?) };
        let times = column::<Int64Type>(&self.batch, 1)?;
        let chosen = &self.rows;
        let members = |leaf: &CohortLeaf| {
            let known = self.prepared.members.get(&(leaf.key.clone(), leaf.at_event_time));
            match (known, &persons) {
                (Some(who), Some(persons)) => who.of(persons, &|i| times[chosen.get(i)]),
                _ => Err(QueryError::damaged("a condition", "asks for a cohort that was not looked up")),
            }
        };
        let values = &self.values;
        let rows = self.masks.len();
        let column = |property: &PropertyRef| {
            let known = values.iter().find(|(p, _)| p == property).map(|(_, v)| v);
            known.ok_or_else(|| QueryError::damaged("a condition", "names a property that was not read"))
        };
        let clear = |expr: &Expr, bits: u32, masks: &mut Vec<u32>| -> Result<(), QueryError> {
            if masks.iter().any(|m| m & bits != 0) {
                let hits = passing(expr, rows, &column, &members)?;
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

    /// Clears the bits of selectors that mean other rows of the actors.
    pub fn keep_nth(&mut self, places: &[Places]) -> Result<(), QueryError> {
        for (i, places) in places.iter().enumerate() {
            let bit = 1u32 << i;
            let Some(places) = places.as_ref().filter(|_| self.masks.iter().any(|m| m & bit != 0)) else {
                continue;
            };
            let (_, positions) = self.log_order()?;
            for (i, mask) in self.masks.iter_mut().enumerate().filter(|(_, mask)| **mask & bit != 0) {
                if !places.contains(&positions[self.rows.get(i)]) {
                    *mask &= !bit;
                }
            }
        }
        Ok(())
    }

    /// The batch; none if no row is left. `instant` stands for all times.
    pub fn finish(mut self, instant: Option<Millis>) -> Result<Option<Batch>, QueryError> {
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
        let codes = &self.prepared.codes;
        let names = match scan.named {
            true => codes.of_events(self.task, &self.batch, &self.rows)?,
            false => Vec::new(),
        };
        let sessions = match scan.sessions {
            true => codes.of_sessions(self.task, &self.rows)?,
            false => Vec::new(),
        };
        let times = self.pick(column::<Int64Type>(&self.batch, 1)?);
        let actors = Arc::try_unwrap(persons).unwrap_or_else(|shared| shared.to_vec());
        let located =
            scan.located.then(|| Located::new(self.task.reader.clone(), self.task.group, self.rows.clone()));
        let masks = self.masks;
        Ok(Some(Batch {
            masks,
            instant,
            times,
            actors,
            received,
            positions,
            names,
            sessions,
            columns,
            located,
        }))
    }

    fn pick<T: arrow::datatypes::ArrowNativeType>(&self, all: ScalarBuffer<T>) -> ScalarBuffer<T> {
        match &self.rows {
            Rows::All(_) => all,
            Rows::Some(rows) => rows.iter().map(|r| all[*r as usize]).collect(),
        }
    }
}
