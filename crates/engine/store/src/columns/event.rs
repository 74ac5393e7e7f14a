//! Event rows to columns, in one pass.
//!
//! Guarantees: nothing of a row is lost. A property goes to the sub-column of its JSON type while the file has room
//! (at most [`MAX_PROPERTY_COLUMNS`]), else to `_overflow`; a group likewise. Names are looked up by guess first:
//! consecutive events of one kind carry the same properties in the same order, so most look-ups are one comparison.

use crate::EventRow;
use crate::columns::values::{Sealed, Values};
use crate::columns::{Column, EVENT_COLUMNS, PropertyType, dictionary};
use crate::values::{Stored, stored};
use arrow::array::{ArrayRef, Int64Array, UInt32Array, UInt64Array};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use model::{Properties, Value};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;
use tallymark_model as model;

/// Most property columns of one file.
pub const MAX_PROPERTY_COLUMNS: usize = 2_000;
/// Most group types with a column of their own in one file.
pub const MAX_GROUP_TYPES: usize = 100;

/// Where the values of one property and type go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unknown,
    At(u32),
    Overflow,
}

#[derive(Debug)]
struct Slot {
    name: Arc<str>,
    places: [Place; 4],
}

/// Columns of an events segment under construction.
#[derive(Debug)]
pub(crate) struct EventColumns {
    pub event_words: Vec<String>,
    pub event_keys: Vec<u32>,
    pub subjects: Vec<u32>,
    pub times: Vec<i64>,
    received: Vec<i64>,
    positions: Vec<u64>,
    fixed: Vec<(Column, Values)>,
    slots: Slots,
    properties: Vec<(Column, Values)>,
    groups: HashMap<String, (Values, Values)>,
    group_overflow: Values,
    overflow: Values,
    overflow_names: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Slots {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    list: Vec<Slot>,
    guess: Vec<u32>,
}

impl Slots {
    /// The slot of the `nth` property of a row.
    fn find(&mut self, nth: usize, name: &str) -> usize {
        if let Some(&slot) = self.guess.get(nth)
            && &*self.list[slot as usize].name == name
        {
            return slot as usize;
        }
        let slot = self.look_up(name);
        match self.guess.get_mut(nth) {
            Some(place) => *place = slot,
            None => self.guess.push(slot),
        }
        slot as usize
    }

    fn look_up(&mut self, name: &str) -> u32 {
        let Slots { hasher, table, list, .. } = self;
        let hash = hasher.hash_one(name);
        let same = |&i: &u32| &*list[i as usize].name == name;
        if let Some(&slot) = table.find(hash, same) {
            return slot;
        }
        let slot = list.len() as u32;
        list.push(Slot { name: name.into(), places: [Place::Unknown; 4] });
        table.insert_unique(hash, slot, |&i| hasher.hash_one(&*list[i as usize].name));
        slot
    }
}

impl EventColumns {
    /// Columns of these rows.
    pub fn build(rows: &[EventRow]) -> EventColumns {
        let mut columns = EventColumns::with_capacity(rows.len());
        let mut events = crate::columns::text::Interner::default();
        for (at, row) in rows.iter().enumerate() {
            columns.event_keys.push(events.intern(&row.event));
            columns.push(at as u32, row);
        }
        columns.event_words = events.words();
        columns
    }

    fn with_capacity(rows: usize) -> EventColumns {
        let fixed = EVENT_COLUMNS[5..].iter().map(|column| match column {
            Column::InsertId => (column.clone(), Values::plain()),
            _ => (column.clone(), Values::text()),
        });
        EventColumns {
            event_words: Vec::new(),
            event_keys: Vec::with_capacity(rows),
            subjects: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            received: Vec::with_capacity(rows),
            positions: Vec::with_capacity(rows),
            fixed: fixed.collect(),
            slots: Slots::default(),
            properties: Vec::new(),
            groups: HashMap::new(),
            group_overflow: Values::plain(),
            overflow: Values::plain(),
            overflow_names: BTreeSet::new(),
        }
    }

    fn push(&mut self, at: u32, row: &EventRow) {
        self.subjects.push(row.subject.0);
        self.times.push(row.time);
        self.received.push(row.received_at);
        self.positions.push(row.position.pack());
        let annotations = (!row.annotations.is_empty()).then(|| json_text(&row.annotations));
        let ids = [
            row.user_id.as_deref(),
            row.device_id.as_deref(),
            row.session_id.as_deref(),
            row.insert_id.as_deref(),
            annotations.as_deref(),
        ];
        for ((_, values), id) in self.fixed.iter_mut().zip(ids) {
            if let Some(text) = id {
                values.push_text(at, text);
            }
        }
        self.push_groups(at, &row.groups);
        self.push_properties(at, &row.properties);
    }

    fn push_properties(&mut self, at: u32, properties: &Properties) {
        let mut rest = Properties::new();
        for (nth, (name, value)) in properties.iter().enumerate() {
            let value_stored = stored(value);
            let slot = self.slots.find(nth, name);
            match self.place(slot, value_stored.kind()) {
                Some(column) => value_stored.push(at, &mut self.properties[column].1),
                None => {
                    rest.insert(name.clone(), value.clone());
                }
            }
        }
        if !rest.is_empty() {
            self.overflow.push_text(at, &Value::Object(rest.clone()).to_string());
            for (name, _) in rest {
                self.overflow_names.insert(name);
            }
        }
    }

    /// The column of a slot and type, made on first use; `None` once the file is full.
    fn place(&mut self, slot: usize, kind: PropertyType) -> Option<usize> {
        let full = self.properties.len() >= MAX_PROPERTY_COLUMNS;
        let slot = &mut self.slots.list[slot];
        let place = &mut slot.places[kind as usize];
        if *place == Place::Unknown {
            *place = if full {
                Place::Overflow
            } else {
                self.properties.push((Column::Property(Arc::clone(&slot.name), kind), values_for(kind)));
                Place::At(self.properties.len() as u32 - 1)
            };
        }
        match *place {
            Place::At(column) => Some(column as usize),
            Place::Unknown | Place::Overflow => None,
        }
    }

    fn push_groups(&mut self, at: u32, groups: &[(String, String)]) {
        let mut rest: Vec<(&str, &str)> = Vec::new();
        for (i, (group_type, name)) in groups.iter().enumerate() {
            if groups[..i].iter().any(|(t, _)| t == group_type) {
                continue; // all names of a type are written where the type occurs first
            }
            let names: Vec<&str> =
                groups[i..].iter().filter(|(t, _)| t == group_type).map(|(_, n)| n.as_str()).collect();
            let Some((single, list)) = self.group_columns(group_type) else {
                rest.extend(names.iter().map(|n| (group_type.as_str(), *n)));
                continue;
            };
            match names.len() {
                1 => single.push_text(at, name),
                _ => list.push_text(at, &json_text(&names)),
            }
        }
        if !rest.is_empty() {
            self.group_overflow.push_text(at, &json_text(&rest));
        }
    }

    fn group_columns(&mut self, group_type: &str) -> Option<&mut (Values, Values)> {
        if self.groups.len() >= MAX_GROUP_TYPES && !self.groups.contains_key(group_type) {
            return None;
        }
        Some(self.groups.entry_ref(group_type).or_insert_with(|| (Values::text(), Values::text())))
    }

    /// Every column that has a value, in file order, and the names of the properties in `_overflow`.
    pub fn finish(self) -> (Finished, BTreeSet<String>) {
        let EventColumns { fixed, mut properties, groups, group_overflow, overflow, .. } = self;
        let mut columns = fixed;
        let mut types: Vec<_> = groups.into_iter().collect();
        types.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, (single, list)) in types {
            let name: Arc<str> = name.into();
            columns.push((Column::Group(Arc::clone(&name)), single));
            columns.push((Column::GroupList(name), list));
        }
        columns.push((Column::GroupOverflow, group_overflow));
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        columns.extend(properties);
        columns.push((Column::Overflow, overflow));
        let optional = |c: &Column| {
            matches!(c, Column::Group(_) | Column::GroupList(_) | Column::GroupOverflow | Column::Overflow)
        };
        columns.retain(|(column, values)| !optional(column) || !values.is_empty());
        let finished = Finished {
            event_words: self.event_words,
            event_keys: self.event_keys,
            subjects: self.subjects,
            times: self.times,
            received: self.received,
            positions: self.positions,
            columns,
        };
        (finished, self.overflow_names)
    }
}

/// Columns of an events segment, complete.
#[derive(Debug)]
pub(crate) struct Finished {
    pub event_words: Vec<String>,
    pub event_keys: Vec<u32>,
    pub subjects: Vec<u32>,
    pub times: Vec<i64>,
    received: Vec<i64>,
    positions: Vec<u64>,
    columns: Vec<(Column, Values)>,
}

impl Finished {
    /// All columns in file order.
    pub fn layout(&self) -> Vec<Column> {
        EVENT_COLUMNS[..5].iter().cloned().chain(self.columns.iter().map(|(c, _)| c.clone())).collect()
    }

    /// The `nth` column of the layout, ready to be cut into arrays.
    pub fn column(&self, nth: usize) -> Result<Ready<'_>, String> {
        Ok(match nth {
            0 => Ready::Events(&self.event_keys, &self.event_words),
            1 => Ready::U32(&self.subjects),
            2 => Ready::I64(&self.times),
            3 => Ready::I64(&self.received),
            4 => Ready::U64(&self.positions),
            other => Ready::Sparse(self.columns[other - 5].1.seal()?),
        })
    }
}

/// A complete column.
#[derive(Debug)]
pub(crate) enum Ready<'a> {
    Events(&'a [u32], &'a [String]),
    U32(&'a [u32]),
    I64(&'a [i64]),
    U64(&'a [u64]),
    Sparse(Sealed<'a>),
}

impl Ready<'_> {
    /// The array of a range of rows.
    pub fn array(&self, range: Range<usize>) -> Result<ArrayRef, String> {
        Ok(match self {
            Ready::Events(keys, words) => dictionary(keys[range].iter().map(|&k| k as i32).collect(), words)?,
            Ready::U32(values) => Arc::new(UInt32Array::from(values[range].to_vec())),
            Ready::I64(values) => Arc::new(Int64Array::from(values[range].to_vec())),
            Ready::U64(values) => Arc::new(UInt64Array::from(values[range].to_vec())),
            Ready::Sparse(sealed) => sealed.array(range)?,
        })
    }
}

fn values_for(kind: PropertyType) -> Values {
    match kind {
        PropertyType::Text | PropertyType::Json => Values::text(),
        PropertyType::Number => Values::number(),
        PropertyType::Bool => Values::boolean(),
    }
}

/// JSON of something that is made of strings only and hence always serialises.
fn json_text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Stored<'_> {
    fn push(self, at: u32, values: &mut Values) {
        match self {
            Stored::Text(text) => values.push_text(at, text),
            Stored::Number(number) => values.push_number(at, number),
            Stored::Bool(value) => values.push_bool(at, value),
            Stored::Json(text) => values.push_text(at, &text),
        }
    }
}
