//! Lists and pages: events, persons, timelines, names. Shapes are those of the API.

mod events;
mod people;
mod persons;
mod schema;

pub(crate) use events::{list, tail, timeline};
pub(crate) use people::{People, key_of};
pub(crate) use persons::{page, search};
pub(crate) use schema::schema;
