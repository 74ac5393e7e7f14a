//! An event in the making: the rules that all protocols share about names, ids, times and remarks.

use crate::ids::{self, Id};
use crate::json::{Doc, Fault, Field, Object};
use crate::{limits, time};
use serde_json::map::Entry;
use tallymark_model::{Annotation, Envelope, Event, Millis};

/// How a client time came out.
pub(crate) enum ClientTime {
    /// None was sent: the receive time is the right answer.
    Absent,
    /// Sent, and not a time.
    Unusable,
    /// As sent.
    At(Millis),
}

/// Collects one event and the remarks about it.
pub(crate) struct Draft<'a> {
    pub event: Event,
    pub envelope: &'a Envelope,
}

impl<'a> Draft<'a> {
    pub fn new(envelope: &'a Envelope, doc: &Doc) -> Draft<'a> {
        let mut draft = Draft { event: Event { time: envelope.received_at, ..Event::default() }, envelope };
        if doc.replaced() {
            draft.note(Annotation::CharacterReplaced);
        }
        draft
    }

    /// Adds a remark once.
    pub fn note(&mut self, annotation: Annotation) {
        if !self.event.annotations.contains(&annotation) {
            self.event.annotations.push(annotation);
        }
    }

    /// Sets the event's name; cut to its limit.
    pub fn name(&mut self, name: String) {
        self.event.name = self.cut(name, limits::NAME_CHARS);
    }

    /// The text cut to `chars` characters, with a remark if it had more.
    pub fn cut(&mut self, mut text: String, chars: usize) -> String {
        if text.len() > chars
            && let Some((end, _)) = text.char_indices().nth(chars)
        {
            text.truncate(end);
            self.note(Annotation::Truncated);
        }
        text
    }

    /// The id if it is usable; remarks on garbage.
    pub fn id(&mut self, raw: Option<&str>, min_length: usize) -> Option<String> {
        match ids::usable(raw, min_length) {
            Id::Absent => None,
            Id::Usable(id) => Some(id),
            Id::Garbage => {
                self.note(Annotation::IdDropped);
                None
            }
        }
    }

    /// Sets the event's time from the client's, corrected for its clock.
    pub fn time(&mut self, client: ClientTime, sent_at: Option<Millis>) {
        let received_at = self.envelope.received_at;
        match client {
            ClientTime::Absent => {}
            ClientTime::Unusable => self.note(Annotation::TimeReplaced),
            ClientTime::At(at) => {
                self.event.client_time = Some(at);
                match time::corrected(at, sent_at, received_at) {
                    Some(time) => self.event.time = time,
                    None => self.note(Annotation::TimeReplaced),
                }
            }
        }
    }

    /// Sets the dedup id. It is never cut: two events could become one.
    pub fn insert_id(&mut self, field: &str, raw: Option<String>) -> Result<(), Fault> {
        let raw = raw.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        if let Some(id) = &raw
            && id.len() > limits::ID_BYTES
        {
            return Err(too_long(field, limits::ID_BYTES));
        }
        self.event.insert_id = raw;
        Ok(())
    }

    /// Sets the session id; one that is too long is ignored.
    pub fn session_id(&mut self, raw: Option<String>) {
        self.event.session_id = raw.filter(|id| !id.is_empty() && id.len() <= limits::ID_BYTES);
    }

    /// Adds every member of `object` to the properties.
    pub fn properties(&mut self, object: &Object<'_>) {
        if self.event.properties.is_empty() {
            self.event.properties = tallymark_model::Properties::with_capacity(object.len() + 4);
        }
        for (key, value) in object.iter() {
            self.property(key, value);
        }
    }

    /// Adds one property.
    pub fn property(&mut self, key: &str, value: Field<'_>) {
        self.event.properties.insert(value.clean_key(key), value.to_value());
    }

    /// Adds one property unless the client sent one of this name.
    pub fn context_property(&mut self, key: &str, value: Field<'_>) {
        if !value.is_null()
            && let Entry::Vacant(entry) = self.event.properties.entry(value.clean_key(key))
        {
            entry.insert(value.to_value());
        }
    }
}

/// The fault of a value that is longer than it may be.
pub(crate) fn too_long(field: &str, limit: usize) -> Fault {
    Fault::field("invalid_field", field, format!("field '{field}' is longer than {limit} bytes"))
}

/// The fault of a value of the wrong type.
pub(crate) fn wrong_type(field: &str, expected: &str, found: Field<'_>) -> Fault {
    Fault::field(
        "invalid_field",
        field,
        format!("field '{field}' must be {expected}, not {}", found.type_name()),
    )
}

/// The fault of a value that is missing.
pub(crate) fn missing(field: &str) -> Fault {
    Fault::field("missing_field", field, format!("field '{field}' is missing"))
}

/// The object in `field`, if there is one; anything else but null is a fault.
pub(crate) fn object_in<'a>(outer: &Object<'a>, field: &str) -> Result<Option<Object<'a>>, Fault> {
    match outer.get(field) {
        None => Ok(None),
        Some(value) => value.as_object().map(Some).ok_or_else(|| wrong_type(field, "an object", value)),
    }
}

/// The id in `field` as text: a string or a number; anything else but null is a fault.
pub(crate) fn id_in(outer: &Object<'_>, field: &str) -> Result<Option<String>, Fault> {
    match outer.get(field) {
        None => Ok(None),
        Some(value) => value.to_text().map(Some).ok_or_else(|| wrong_type(field, "a string", value)),
    }
}
