//! What Amplitude refuses, per event: the rules behind `events_with_invalid_fields` and its sisters.

use crate::answer::EventLists;
use crate::json::{Doc, Fault, Object};
use crate::{Sender, limits};
use std::collections::BTreeSet;

/// Ids shorter than this are ignored unless the request's options say otherwise.
pub(super) const MIN_ID_LENGTH: u32 = 5;

const INVALID: &str = "events_with_invalid_fields";
const MISSING: &str = "events_with_missing_fields";
const LENGTHS: &str = "events_with_invalid_id_lengths";

/// What kind of item is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Event,
    Identification,
    GroupIdentification,
    Mapping,
}

/// Collects the faults of one request's events.
#[derive(Default)]
pub(super) struct Checks {
    pub lists: EventLists,
}

impl Checks {
    fn add(&mut self, list: &'static str, field: &str, index: usize) {
        let indexes = self.lists.entry(list).or_default().entry(field.to_owned()).or_default();
        if indexes.last() != Some(&index) {
            indexes.push(index);
        }
    }

    /// How many events have a fault.
    pub fn faulty(&self) -> usize {
        self.lists.values().flat_map(|fields| fields.values().flatten()).collect::<BTreeSet<_>>().len()
    }

    /// Notes an event that is not JSON.
    pub fn unreadable(&mut self, index: usize, fault: &Fault) {
        let field = fault.field.split(['.', '[']).next().filter(|f| !f.is_empty()).unwrap_or("event");
        self.add(INVALID, field, index);
    }

    /// Checks one item; returns who sent it.
    pub fn item(&mut self, index: usize, doc: &Doc, item: Item, min_id_length: u32) -> Sender {
        let event = match doc.object() {
            Ok(event) => event,
            Err(fault) => {
                self.unreadable(index, &fault);
                return Sender::nobody(index);
            }
        };
        for field in ["event_properties", "user_properties", "groups", "group_properties"] {
            // Segment and others send an empty list for "nothing".
            if event
                .get(field)
                .is_some_and(|v| v.as_object().is_none() && v.as_array().is_none_or(|a| !a.is_empty()))
            {
                self.add(INVALID, field, index);
            }
        }
        let insert_id = event.get("insert_id");
        if insert_id.is_some_and(|v| v.to_text().is_none_or(|id| id.trim().len() > limits::ID_BYTES)) {
            self.add(INVALID, "insert_id", index);
        }
        if let Some(time) = event.get("time")
            && time.as_millis().and_then(crate::time::in_range).is_none_or(|t| t < 0)
        {
            self.add(INVALID, "time", index);
        }
        match item {
            Item::GroupIdentification => {
                for field in ["group_type", "group_value"] {
                    match event.get(field).map(|v| v.to_text()) {
                        None => self.add(MISSING, field, index),
                        Some(text) if text.as_deref().is_none_or(str::is_empty) => {
                            self.add(INVALID, field, index)
                        }
                        Some(_) => {}
                    }
                }
                return Sender::nobody(index);
            }
            Item::Mapping => return self.mapping(index, &event),
            Item::Event => self.event_type(index, &event),
            Item::Identification => {}
        }
        self.ids(index, &event, min_id_length)
    }

    /// A mapping joins two user ids for good; what would take it back cannot be done.
    fn mapping(&mut self, index: usize, item: &Object<'_>) -> Sender {
        if item.get("unmap").is_some_and(|v| v.as_bool() != Some(false)) {
            self.add(INVALID, "unmap", index);
        }
        let mut found = [None, None];
        for (slot, field) in ["user_id", "global_user_id"].into_iter().enumerate() {
            match item.get(field).map(|v| v.to_text()) {
                None => self.add(MISSING, field, index),
                Some(Some(id)) if !is_forbidden(&id) && id.trim().len() <= limits::ID_BYTES => {
                    found[slot] = Some(id);
                }
                Some(_) => self.add(INVALID, field, index),
            }
        }
        Sender::of(index, None, found[1].as_deref(), 1)
    }

    fn event_type(&mut self, index: usize, event: &Object<'_>) {
        match event.get("event_type").map(|v| v.as_str()) {
            None => self.add(MISSING, "event_type", index),
            Some(Some(name)) if !name.trim().is_empty() => {}
            Some(_) => self.add(INVALID, "event_type", index),
        }
    }

    fn ids(&mut self, index: usize, event: &Object<'_>, min_id_length: u32) -> Sender {
        let (mut present, mut short, mut found) = (false, Vec::new(), [None, None]);
        for (slot, field) in ["device_id", "user_id"].into_iter().enumerate() {
            let Some(value) = event.get(field) else { continue };
            present = true;
            match value.to_text() {
                None => self.add(INVALID, field, index),
                Some(id) if is_forbidden(&id) => self.add(INVALID, field, index),
                Some(id) if id.trim().chars().count() < min_id_length as usize => short.push(field),
                Some(id) => found[slot] = Some(id),
            }
        }
        if !present {
            self.add(MISSING, "user_id", index);
            self.add(MISSING, "device_id", index);
        } else if found.iter().all(Option::is_none) {
            for field in short {
                self.add(LENGTHS, field, index);
            }
        }
        Sender::of(index, found[0].as_deref(), found[1].as_deref(), min_id_length as usize)
    }
}

/// Amplitude's list of ids that name nobody and that it answers with 400.
fn is_forbidden(id: &str) -> bool {
    const LIST: [&str; 12] =
        ["anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "{}", "lmy47d", "0", "-1"];
    let id = id.trim();
    id.bytes().all(|b| matches!(b, b'0' | b'-')) || LIST.iter().any(|bad| id.eq_ignore_ascii_case(bad))
}
