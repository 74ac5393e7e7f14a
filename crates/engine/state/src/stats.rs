//! What a project sends: event names and property names, counted as commits fold in (the `schema` of the API).
//!
//! Guarantees: bounded, however many names clients invent (the rest is counted, not named); examples are the
//! ones with the smallest hashes, so the same set comes out whichever way commits are grouped.
//! Deliberately not here: values for suggestions in filters (a query), exact distinct counts.

use crate::StateError;
use crate::codec::{Reader, Writer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use tallymark_model::{Millis, Value, canonical_text, is_none};

/// Names kept per project and kind; what comes after is counted in `unnamed`.
pub const NAMES_MAX: usize = 10_000;
/// Examples kept per property.
pub const EXAMPLES_MAX: usize = 6;
/// Event names kept per property.
pub const EVENTS_PER_PROPERTY_MAX: usize = 50;
/// Characters kept of an example.
pub const EXAMPLE_CHARS_MAX: usize = 80;

/// Which name space a property is in. The numbers are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PropertyScope {
    /// Properties of events.
    Event = 0,
    /// Properties of persons.
    User = 1,
}

/// The JSON types a property was seen with, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct TypeSet(pub u8);

impl TypeSet {
    const NAMES: [(u8, &'static str); 5] =
        [(1, "string"), (2, "number"), (4, "boolean"), (8, "list"), (16, "object")];

    /// The set that holds the type of one value; empty for null.
    pub fn of(value: &Value) -> TypeSet {
        TypeSet(match value {
            Value::Null => 0,
            Value::String(_) => 1,
            Value::Number(_) => 2,
            Value::Bool(_) => 4,
            Value::Array(_) => 8,
            Value::Object(_) => 16,
        })
    }

    /// Names of the types, as the API shows them.
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect()
    }
}

/// Statistics of one event name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventStats {
    /// How many rows.
    pub count: u64,
    /// Earliest event time, ms UTC.
    pub first: Millis,
    /// Latest event time, ms UTC.
    pub last: Millis,
}

/// Statistics of one property name.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct PropertyStats {
    /// How many times it was sent with a value.
    pub count: u64,
    /// With which JSON types.
    pub types: TypeSet,
    /// Some values: (hash that chose it, canonical text).
    pub examples: BTreeSet<(u64, String)>,
    /// Events it was seen on; empty for person properties.
    pub events: BTreeSet<String>,
}

impl PropertyStats {
    /// Offers a value as an example. Every value is offered: which ones stay must not depend on how rows came.
    pub(crate) fn offer(&mut self, value: &Value) {
        if is_none(value) {
            return;
        }
        let whole = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(canonical_text(other)),
        };
        let text = match whole.char_indices().nth(EXAMPLE_CHARS_MAX) {
            Some((end, _)) => &whole[..end],
            None => &whole,
        };
        let mut hasher = siphasher::sip::SipHasher13::new_with_keys(3, 4);
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        let full = self.examples.len() >= EXAMPLES_MAX;
        // Almost always: nothing is copied then.
        if full && self.examples.last().is_some_and(|(largest, _)| hash > *largest) {
            return;
        }
        self.examples.insert((hash, text.to_owned()));
        while self.examples.len() > EXAMPLES_MAX {
            self.examples.pop_last();
        }
    }

    fn merge(&mut self, other: &PropertyStats) {
        self.count += other.count;
        self.types.0 |= other.types.0;
        self.examples.extend(other.examples.iter().cloned());
        while self.examples.len() > EXAMPLES_MAX {
            self.examples.pop_last();
        }
        for name in &other.events {
            self.carried_by(name);
        }
    }

    /// Notes an event that carries it. Of more than the limit the first by name stay, so that the order of commits
    /// does not show.
    pub(crate) fn carried_by(&mut self, event: &str) {
        let full = self.events.len() >= EVENTS_PER_PROPERTY_MAX;
        if full && self.events.last().is_some_and(|last| event > last.as_str()) || self.events.contains(event)
        {
            return;
        }
        self.events.insert(event.to_owned());
        if full {
            self.events.pop_last();
        }
    }
}

/// Statistics of one project, or of one commit's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ProjectStats {
    /// By event name, operations included.
    pub events: BTreeMap<String, EventStats>,
    /// By scope and property name.
    pub properties: BTreeMap<(PropertyScope, String), PropertyStats>,
    /// Rows and values whose name came after [`NAMES_MAX`] others.
    pub unnamed: u64,
}

impl ProjectStats {
    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.properties.is_empty() && self.unnamed == 0
    }

    /// Adds what another part counted.
    pub fn merge(&mut self, other: &ProjectStats) {
        self.unnamed += other.unnamed;
        let (events, properties) = (self.events.len(), self.properties.len());
        let mut room = (NAMES_MAX.saturating_sub(events), NAMES_MAX.saturating_sub(properties));
        for (name, new) in &other.events {
            match self.events.get_mut(name) {
                Some(held) => {
                    held.count += new.count;
                    held.first = held.first.min(new.first);
                    held.last = held.last.max(new.last);
                }
                None if room.0 > 0 => {
                    room.0 -= 1;
                    self.events.insert(name.clone(), *new);
                }
                None => self.unnamed += new.count,
            }
        }
        for (key, new) in &other.properties {
            match self.properties.get_mut(key) {
                Some(held) => held.merge(new),
                None if room.1 > 0 => {
                    room.1 -= 1;
                    self.properties.insert(key.clone(), new.clone());
                }
                None => self.unnamed += new.count,
            }
        }
    }

    /// Takes back what another part counted. Counts are exact; a name whose count comes to nothing goes; of one that
    /// stays, times, types, examples and events stay as they are.
    pub fn subtract(&mut self, other: &ProjectStats) {
        self.unnamed = self.unnamed.saturating_sub(other.unnamed);
        for (name, gone) in &other.events {
            match self.events.get_mut(name) {
                Some(held) => held.count = held.count.saturating_sub(gone.count),
                None => self.unnamed = self.unnamed.saturating_sub(gone.count),
            }
        }
        for (key, gone) in &other.properties {
            match self.properties.get_mut(key) {
                Some(held) => held.count = held.count.saturating_sub(gone.count),
                None => self.unnamed = self.unnamed.saturating_sub(gone.count),
            }
        }
        if !other.is_empty() {
            self.events.retain(|_, e| e.count > 0);
            self.properties.retain(|_, p| p.count > 0);
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.unnamed);
        w.list(self.events.iter(), |w, (name, e)| {
            w.str(name);
            w.u64(e.count);
            w.i64(e.first);
            w.i64(e.last);
        });
        w.list(self.properties.iter(), |w, ((scope, name), p)| {
            w.u8(*scope as u8);
            w.str(name);
            w.u64(p.count);
            w.u8(p.types.0);
            w.list(p.examples.iter(), |w, (hash, text)| {
                w.raw64(*hash);
                w.str(text);
            });
            w.list(p.events.iter(), |w, name| w.str(name));
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<ProjectStats, StateError> {
        let unnamed = r.u64()?;
        let events = r.list(|r| {
            Ok((r.str()?.to_owned(), EventStats { count: r.u64()?, first: r.i64()?, last: r.i64()? }))
        })?;
        let properties = r.list(|r| {
            let scope = match r.u8()? {
                0 => PropertyScope::Event,
                1 => PropertyScope::User,
                n => return Err(r.damaged(format!("property scope {n}"))),
            };
            let name = r.str()?.to_owned();
            let stats = PropertyStats {
                count: r.u64()?,
                types: TypeSet(r.u8()?),
                examples: r.list(|r| Ok((r.raw64()?, r.str()?.to_owned())))?.into_iter().collect(),
                events: r.list(|r| r.str().map(str::to_owned))?.into_iter().collect(),
            };
            Ok(((scope, name), stats))
        })?;
        Ok(ProjectStats {
            events: events.into_iter().collect(),
            properties: properties.into_iter().collect(),
            unnamed,
        })
    }
}
