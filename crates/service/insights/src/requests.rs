//! Parameters of the list services.

use tallymark_model::Millis;

/// What `events` lists: newest first by (time, log order).
#[derive(Debug, Clone, Default)]
pub struct EventsRequest {
    /// At most this many; capped at [`EventsRequest::LIMIT_MAX`]; 0 means 100.
    pub limit: usize,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Only these event names.
    pub events: Vec<String>,
    /// Only this person: a person id, a raw user id or a raw device id.
    pub person: Option<String>,
    /// Only at or after this instant, ms UTC.
    pub from: Option<Millis>,
    /// Only before this instant, ms UTC.
    pub to: Option<Millis>,
}

impl EventsRequest {
    /// Largest page.
    pub const LIMIT_MAX: usize = 1000;
}

/// What `persons` lists: newest first seen last.
#[derive(Debug, Clone, Default)]
pub struct PersonsRequest {
    /// Part of a user id, a device id, or of an email or name property; ignoring case.
    pub search: Option<String>,
    /// At most this many; capped at [`EventsRequest::LIMIT_MAX`]; 0 means 100.
    pub limit: usize,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// A page of one person's events.
#[derive(Debug, Clone, Default)]
pub struct TimelineRequest {
    /// At most this many; capped at [`EventsRequest::LIMIT_MAX`]; 0 means 100.
    pub limit: usize,
    /// `next` of the page before.
    pub cursor: Option<String>,
}
