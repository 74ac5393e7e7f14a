//! Properties over time (chapter 1.4): one property, folded per person or per group from its operations.
//!
//! Guarantees: operations apply in (time, log order, order within the event); an event sees its own operations;
//! persons are those of the snapshot's identity, so a merge interleaves the histories. Only the rows of the
//! property asked for are kept.

use crate::folding::{self, Folding};
use crate::property_op::apply;
use crate::reads::{FileRead, Rule};
use crate::scan::Persons;
use crate::{Context, Names, QueryError, Reservation, SharedValues, Snapshot, ValueColumn, ValueRef};
use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use rustc_hash::{FxHashMap, FxHashSet};
use tallymark_ledger::SegmentKind;
use tallymark_model::{Millis, PropertyOpKind, Value};
use tallymark_store::{Column, SegmentReader, group_operand, group_row_name};

/// When a value began to hold: (time, receive time, position).
pub(crate) type Moment = (Millis, Millis, u64);

/// One operation on a property.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Whose.
    pub person: u32,
    /// When.
    pub moment: Moment,
    /// Which of its event.
    pub index: u32,
    /// What it does.
    pub kind: PropertyOpKind,
    /// Index of its operand, or none if it does not parse.
    pub operand: u32,
}

/// One property of every person over time.
#[derive(Debug)]
pub struct PropertyTimeline {
    /// Changes of person `p`: `changes[starts[p]..starts[p + 1]]`.
    starts: Vec<u32>,
    changes: Vec<(Moment, u32)>,
    values: SharedValues,
    _held: Reservation,
}

impl PropertyTimeline {
    /// Folds the operations on `name` with time up to `as_of`.
    pub fn load(
        snapshot: &Snapshot,
        name: &str,
        as_of: Millis,
        context: &Context,
    ) -> Result<PropertyTimeline, QueryError> {
        let mut held = context.budget.reservation();
        let mut wanted = Wanted::of_persons(name, false);
        let (operations, operands) = read(snapshot, &mut wanted, as_of, context, &mut held)?;
        PropertyTimeline::folded(snapshot.identity.bound() as usize, operations, &operands, held)
    }

    /// The same with options. With `at_ingest`, owners are persons as they were when a row was processed, and
    /// moments have no time ([`PropertyTimeline::at_ingest`]).
    pub fn load_folded(
        snapshot: &Snapshot,
        name: &str,
        as_of: Millis,
        (folding, at_ingest): (Folding, bool),
        context: &Context,
    ) -> Result<PropertyTimeline, QueryError> {
        if !folding.target_wins && !at_ingest {
            return PropertyTimeline::load(snapshot, name, as_of, context);
        }
        let mut held = context.budget.reservation();
        let mut wanted = Wanted::of_persons(name, true);
        let (operations, operands) = read(snapshot, &mut wanted, as_of, context, &mut held)?;
        // Several times each: in log order, per person, and as a change with its value.
        held.grow(operations.len() as u64 * 256)?;
        let view = &snapshot.identity;
        let changes = match at_ingest {
            true => folding::at_ingest(view, &operations, &operands, folding),
            false => folding::target_wins(view, &operations, &operands),
        };
        let mut values = Values::default();
        let mut timeline = (vec![0u32], Vec::new());
        for person in 0..view.bound() {
            let from = timeline.1.len();
            for (moment, value) in changes.get(&person).into_iter().flatten() {
                let code = value.as_ref().map_or(Ok(0), |value| values.code(value, &mut held))?;
                match timeline.1[from..].last_mut() {
                    Some((last, known)) if last == moment => *known = code,
                    _ => timeline.1.push((*moment, code)),
                }
            }
            timeline.0.push(timeline.1.len() as u32);
        }
        let (starts, changes) = timeline;
        Ok(PropertyTimeline { starts, changes, values: SharedValues::new(values.list), _held: held })
    }

    /// The values for persons as they were when these rows were processed, as of these places in the log.
    pub fn at_ingest(&self, persons: &[u32], place: impl Fn(usize) -> (Millis, u64)) -> ValueColumn {
        self.as_of(persons, |row| {
            let (received, position) = place(row);
            (Millis::MIN, received, position)
        })
    }

    /// Of operations on owners with numbers below `persons`.
    fn folded(
        persons: usize,
        mut operations: Vec<Operation>,
        operands: &[Value],
        mut held: Reservation,
    ) -> Result<PropertyTimeline, QueryError> {
        operations.sort_unstable_by_key(|o| (o.person, o.moment, o.index));
        held.grow((persons * 4 + operations.len() * 32) as u64)?;
        let mut values = Values::default();
        let mut starts = vec![0u32; persons + 1];
        let mut changes: Vec<(Moment, u32)> = Vec::new();
        for history in operations.chunk_by(|a, b| a.person == b.person) {
            let mut current: Option<Value> = None;
            let mut code = 0;
            for o in history {
                apply(&mut current, o.kind, operands.get(o.operand as usize).unwrap_or(&Value::Null));
                let next = match &current {
                    Some(value) => values.code(value, &mut held)?,
                    None => 0,
                };
                if next != code {
                    code = next;
                    match changes.last_mut() {
                        Some(last) if last.0 == o.moment && starts[o.person as usize + 1] > 0 => {
                            last.1 = code
                        }
                        _ => {
                            changes.push((o.moment, code));
                            starts[o.person as usize + 1] += 1;
                        }
                    }
                }
            }
        }
        let mut sum = 0;
        starts.iter_mut().for_each(|s| {
            sum += *s;
            *s = sum;
        });
        Ok(PropertyTimeline { starts, changes, values: SharedValues::new(values.list), _held: held })
    }

    /// The values for these persons as of these moments.
    pub fn as_of(&self, persons: &[u32], moment: impl Fn(usize) -> Moment) -> ValueColumn {
        let codes = persons.iter().enumerate().map(|(row, person)| match self.changes_of(*person) {
            [] => 0,
            [(from, code)] => {
                if *from <= moment(row) {
                    *code
                } else {
                    0
                }
            }
            changes => {
                let at = moment(row);
                match changes.partition_point(|c| c.0 <= at) {
                    0 => 0,
                    n => changes[n - 1].1,
                }
            }
        });
        ValueColumn::of_json(codes.collect(), &self.values)
    }

    /// The latest values of these persons.
    pub fn latest(&self, persons: &[u32]) -> ValueColumn {
        let codes = persons.iter().map(|p| self.changes_of(*p).last().map_or(0, |c| c.1));
        ValueColumn::of_json(codes.collect(), &self.values)
    }

    /// Every change of a person's value in order: (time, receive time, position) and the value from then on.
    pub fn changes(&self, person: u32) -> impl Iterator<Item = ((Millis, Millis, u64), ValueRef<'_>)> {
        self.changes_of(person).iter().map(|(moment, code)| {
            (*moment, if *code == 0 { ValueRef::None } else { self.values.get(*code - 1) })
        })
    }

    fn changes_of(&self, person: u32) -> &[(Moment, u32)] {
        match (self.starts.get(person as usize), self.starts.get(person as usize + 1)) {
            (Some(&from), Some(&to)) if person != 0 => &self.changes[from as usize..to as usize],
            _ => &[],
        }
    }
}

/// One property of every group of a type over time.
#[derive(Debug)]
pub(crate) struct GroupTimeline {
    /// Numbers of groups by name, from 1.
    pub groups: FxHashMap<String, u32>,
    /// Its owners are those numbers.
    pub timeline: PropertyTimeline,
}

impl GroupTimeline {
    /// Folds the operations on `name` with time up to `as_of`.
    pub fn load(
        snapshot: &Snapshot,
        kind: &str,
        name: &str,
        as_of: Millis,
        context: &Context,
    ) -> Result<GroupTimeline, QueryError> {
        let mut held = context.budget.reservation();
        let mut wanted = Wanted {
            name: group_row_name(kind, name),
            clear: group_row_name(kind, ""),
            groups: Some(FxHashMap::default()),
            at_ingest: false,
        };
        let (operations, operands) = read(snapshot, &mut wanted, as_of, context, &mut held)?;
        let groups = wanted.groups.unwrap_or_default();
        let timeline = PropertyTimeline::folded(groups.len() + 1, operations, &operands, held)?;
        Ok(GroupTimeline { groups, timeline })
    }
}

/// Which rows of properties segments are read, and whose they are.
struct Wanted {
    name: String,
    /// The name of rows that end every property.
    clear: String,
    /// Rows are about groups, which get numbers here; else about persons.
    groups: Option<FxHashMap<String, u32>>,
    /// Persons as they were when the row was processed.
    at_ingest: bool,
}

impl Wanted {
    /// The empty name is "clear all", which ends every property.
    fn of_persons(name: &str, at_ingest: bool) -> Wanted {
        Wanted { name: name.to_owned(), clear: String::new(), groups: None, at_ingest }
    }

    /// Owner and operand of a row's value; owner 0 is nobody.
    fn operand(&mut self, text: &str) -> (u32, Value) {
        let Some(groups) = &mut self.groups else {
            return (0, serde_json::from_str(text).unwrap_or(Value::Null));
        };
        let Some((group, value)) = group_operand(text) else { return (0, Value::Null) };
        let next = groups.len() as u32 + 1;
        (*groups.entry(group).or_insert(next), value)
    }
}

#[derive(Default)]
struct Values {
    list: Vec<Value>,
    codes: FxHashMap<String, u32>,
}

impl Values {
    /// 0 for none, else 1 + its number. Lists that grow by every event are many values, so they are counted.
    fn code(&mut self, value: &Value, held: &mut Reservation) -> Result<u32, QueryError> {
        // Empty text is for the reader to judge.
        if tallymark_model::is_none(value) && value != "" {
            return Ok(0);
        }
        // The JSON text, not the canonical one: "1" and 1 differ in type.
        let text = value.to_string();
        if let Some(known) = self.codes.get(&text) {
            return Ok(*known);
        }
        held.grow(128 + 4 * text.len() as u64)?;
        self.list.push(value.clone());
        let code = self.list.len() as u32;
        self.codes.insert(text, code);
        Ok(code)
    }
}

/// Every property of these persons, as of `as_of`, in the same order.
pub fn properties_of_many(
    snapshot: &Snapshot,
    persons: &[u32],
    as_of: Millis,
    context: &Context,
) -> Result<Vec<tallymark_model::Properties>, QueryError> {
    let wanted: FxHashMap<u32, usize> = persons.iter().enumerate().map(|(i, p)| (*p, i)).collect();
    let mut subjects: Vec<u32> =
        persons.iter().flat_map(|p| snapshot.identity.members(*p)).map(|s| s.0).collect();
    subjects.sort_unstable();
    let mut rows: Vec<(usize, Moment, u32, String, PropertyOpKind, Value)> = Vec::new();
    let mut held = context.budget.reservation();
    for segment in snapshot.segments_of(SegmentKind::Properties) {
        let reader = open(snapshot, segment)?;
        for (group, info) in reader.row_groups().iter().enumerate() {
            context.cancel.check()?;
            let from = subjects.partition_point(|s| *s < info.subject_min);
            if subjects.get(from).is_none_or(|s| *s > info.subject_max) || info.time_min > as_of {
                continue;
            }
            let batch = Batch::read(&reader, group)?;
            let screen = snapshot.hidden.in_group(segment, info);
            for row in 0..batch.rows {
                if screen
                    .is_some_and(|s| s.hides(batch.subject(row), batch.received[row], batch.positions[row]))
                {
                    continue;
                }
                if batch.time(row) > as_of || subjects.binary_search(&batch.subject(row)).is_err() {
                    continue;
                }
                let moment = batch.moment(row);
                let person = snapshot.identity.person_of(
                    tallymark_model::SubjectId(batch.subject(row)),
                    tallymark_model::Seq { received_at: moment.1, position: moment.2 },
                );
                if let (Some(&i), Some(kind)) = (wanted.get(&person), batch.kind(row)) {
                    let value = batch.value(row);
                    held.grow(128 + value.len() as u64)?;
                    let value = serde_json::from_str(value).unwrap_or(Value::Null);
                    rows.push((i, moment, batch.index(row), batch.name(row).to_owned(), kind, value));
                }
            }
        }
    }
    rows.sort_by_key(|r| (r.0, r.1, r.2));
    let mut all = vec![tallymark_model::Properties::new(); persons.len()];
    for (i, _, _, name, kind, operand) in rows {
        if kind == PropertyOpKind::ClearAll {
            all[i].clear();
            continue;
        }
        let mut current = all[i].shift_remove(&name);
        apply(&mut current, kind, &operand);
        if let Some(value) = current {
            all[i].insert(name, value);
        }
    }
    all.iter_mut().for_each(|p| p.sort_keys());
    Ok(all)
}

fn read(
    snapshot: &Snapshot,
    wanted: &mut Wanted,
    as_of: Millis,
    context: &Context,
    held: &mut Reservation,
) -> Result<(Vec<Operation>, Vec<Value>), QueryError> {
    let mut operations = Vec::new();
    let mut operands: Vec<Value> = Vec::new();
    let mut known: FxHashMap<String, (u32, u32)> = FxHashMap::default();
    let persons = Persons::of(snapshot);
    context.reads.persons();
    if wanted.at_ingest {
        context.reads.fix("persons as they were when properties were processed");
    }
    let rule = Rule {
        kind: SegmentKind::Properties,
        names: vec![Names::Of([wanted.name.clone(), wanted.clear.clone()].into())],
        from: Millis::MIN,
        to: as_of.saturating_add(1),
        received_from: None,
    };
    let (mut looked, mut found) = (FxHashSet::default(), FxHashSet::default());
    let (mut row_groups, mut rows) = (0, 0);
    for segment in snapshot.segments_of(SegmentKind::Properties) {
        if segment.time_min > as_of {
            continue;
        }
        looked.insert(segment.id);
        let reader = open(snapshot, segment)?;
        for (group, info) in reader.row_groups().iter().enumerate() {
            context.cancel.check()?;
            let has = |n: &str| match &info.names {
                Some(names) => names.iter().any(|have| have == n),
                None => info.name_min.as_str() <= n && n <= info.name_max.as_str(),
            };
            if info.time_min > as_of || !(has(&wanted.name) || has(&wanted.clear)) {
                continue;
            }
            found.insert(segment.id);
            row_groups += 1;
            rows += info.rows;
            let batch = Batch::read(&reader, group)?;
            let meant = |n: &str| n == wanted.name || n == wanted.clear;
            let names: Vec<bool> = batch.names.iter().map(|n| n.as_deref().is_some_and(meant)).collect();
            let mut codes: Vec<Option<(u32, u32)>> = vec![None; batch.values.len()];
            let before = operations.len();
            let mut text_bytes = 0u64;
            let screen = snapshot.hidden.in_group(segment, info);
            for row in 0..batch.rows {
                if screen
                    .is_some_and(|s| s.hides(batch.subject(row), batch.received[row], batch.positions[row]))
                {
                    continue;
                }
                let name_key = batch.name_keys[row] as usize;
                if !names[name_key] || batch.time(row) > as_of {
                    continue;
                }
                let moment = batch.moment(row);
                let Some(kind) = batch.kind(row) else { continue };
                if batch.name(row) == wanted.clear && kind != PropertyOpKind::ClearAll {
                    continue;
                }
                let of_person = match wanted.groups {
                    Some(_) => u32::from(batch.subject(row) == 0),
                    None if wanted.at_ingest => {
                        let seq = tallymark_model::Seq { received_at: moment.1, position: moment.2 };
                        snapshot
                            .identity
                            .person_at_ingest(tallymark_model::SubjectId(batch.subject(row)), seq)
                    }
                    None => persons.of_row(batch.subject(row), moment.1, moment.2),
                };
                if of_person == 0 {
                    continue;
                }
                let slot = &mut codes[batch.value_keys[row] as usize];
                let (group, operand) = *slot.get_or_insert_with(|| {
                    let text = batch.value(row);
                    *known.entry(text.to_owned()).or_insert_with(|| {
                        text_bytes += text.len() as u64;
                        let (group, operand) = wanted.operand(text);
                        operands.push(operand);
                        (group, operands.len() as u32 - 1)
                    })
                });
                let person = if wanted.groups.is_some() { group } else { of_person };
                operations.push(Operation { person, moment, index: batch.index(row), kind, operand });
            }
            held.grow(((operations.len() - before) * size_of::<Operation>()) as u64 + 4 * text_bytes)?;
        }
    }
    context.reads.file(FileRead { rule, segments: looked, read: found, row_groups, rows });
    Ok((operations, operands))
}

fn open(snapshot: &Snapshot, segment: &tallymark_ledger::SegmentMeta) -> Result<SegmentReader, QueryError> {
    SegmentReader::open(&snapshot.store, segment).map_err(crate::scan::storage)
}

/// One row group of a properties segment.
struct Batch {
    rows: usize,
    names: Vec<Option<String>>,
    name_keys: Vec<i32>,
    values: StringArray,
    value_keys: Vec<i32>,
    subjects: arrow::buffer::ScalarBuffer<u32>,
    times: arrow::buffer::ScalarBuffer<i64>,
    received: arrow::buffer::ScalarBuffer<i64>,
    positions: arrow::buffer::ScalarBuffer<u64>,
    indexes: arrow::buffer::ScalarBuffer<u32>,
    kinds: arrow::buffer::ScalarBuffer<u8>,
}

impl Batch {
    fn read(reader: &SegmentReader, group: usize) -> Result<Batch, QueryError> {
        let columns = [
            Column::Name,
            Column::Subject,
            Column::Time,
            Column::ReceivedAt,
            Column::Position,
            Column::Index,
            Column::Op,
            Column::Value,
        ];
        let batch = reader.read(group, &columns).map_err(crate::scan::storage)?;
        let mistyped = || QueryError::damaged("a properties segment", "a column has an unexpected type");
        let dictionary = |n: usize| -> Option<(Vec<i32>, StringArray)> {
            let array = batch.column(n).as_dictionary_opt::<Int32Type>()?;
            Some((array.keys().values().to_vec(), array.values().as_string_opt::<i32>()?.clone()))
        };
        let (name_keys, names) = dictionary(0).ok_or_else(mistyped)?;
        let (value_keys, values) = dictionary(7).ok_or_else(mistyped)?;
        let column = batch.columns();
        Ok(Batch {
            rows: batch.num_rows(),
            names: (0..names.len()).map(|i| names.is_valid(i).then(|| names.value(i).to_owned())).collect(),
            name_keys,
            values,
            value_keys,
            subjects: column[1].as_primitive_opt::<UInt32Type>().ok_or_else(mistyped)?.values().clone(),
            times: column[2].as_primitive_opt::<Int64Type>().ok_or_else(mistyped)?.values().clone(),
            received: column[3].as_primitive_opt::<Int64Type>().ok_or_else(mistyped)?.values().clone(),
            positions: column[4].as_primitive_opt::<UInt64Type>().ok_or_else(mistyped)?.values().clone(),
            indexes: column[5].as_primitive_opt::<UInt32Type>().ok_or_else(mistyped)?.values().clone(),
            kinds: column[6].as_primitive_opt::<UInt8Type>().ok_or_else(mistyped)?.values().clone(),
        })
    }
    fn time(&self, row: usize) -> Millis {
        self.times[row]
    }
    fn subject(&self, row: usize) -> u32 {
        self.subjects[row]
    }
    fn index(&self, row: usize) -> u32 {
        self.indexes[row]
    }
    fn moment(&self, row: usize) -> Moment {
        (self.times[row], self.received[row], self.positions[row])
    }
    fn kind(&self, row: usize) -> Option<PropertyOpKind> {
        PropertyOpKind::from_u8(self.kinds[row])
    }
    fn name(&self, row: usize) -> &str {
        self.names.get(self.name_keys[row] as usize).and_then(|n| n.as_deref()).unwrap_or_default()
    }
    fn value(&self, row: usize) -> &str {
        self.values.value(self.value_keys[row] as usize)
    }
}
