//! Who is behind one number (chapter 1.10): a point of an answer, and the actors that made it.
//!
//! Guarantees: the list has exactly as many actors as the number says, in an order that depends on nothing but
//! them. Deliberately not here: which actors (each analysis says), cohorts made of them (the API).

use super::actors::Actors;
use crate::Error;
use crate::plan::Bound;
use crate::query::Reader;
use crate::services::key_of;
use serde_json::{Map, Value, json};
use tallymark_model::{SubjectId, SubjectKind};
use tallymark_query::{Prepared, Snapshot};

/// Actors on a page, unless the asker says otherwise.
const PAGE: i64 = 100;
/// Most actors on a page.
const PAGE_MAX: i64 = 10_000;

/// One number of an answer, as the key `microscope` names it: `{series?, bucket?, breakdown?, step?, …}` with
/// `limit` and `after` for pages.
pub(crate) struct Point<'a> {
    pub reader: Reader<'a>,
    limit: usize,
    after: Option<String>,
}

impl<'a> Point<'a> {
    /// Reads the value of `microscope`.
    pub fn new(value: &'a Value) -> Result<Point<'a>, Error> {
        let reader = Reader::new(value, "microscope")?;
        let limit = reader.integer("limit", 1, PAGE_MAX)?.unwrap_or(PAGE) as usize;
        let after = reader.text("after")?.map(str::to_owned);
        Ok(Point { reader, limit, after })
    }

    /// The bucket it names, among these labels; `None` if it names none.
    pub fn bucket(&self, labels: &[String]) -> Result<Option<usize>, Error> {
        let Some(label) = self.reader.text("bucket")? else { return Ok(None) };
        match labels.iter().position(|l| l == label) {
            Some(at) => Ok(Some(at)),
            None => Err(self.reader.wrong("bucket", format!("{label:?} is no bucket of this answer"), "")),
        }
    }

    /// Ends reading: a key nobody asked for is an error.
    pub fn finish(&self) -> Result<(), Error> {
        self.reader.check()
    }

    /// The answer of analyses whose numbers count no actors.
    pub fn unsupported(&self) -> Error {
        Error::malformed("microscope", "the numbers of this query count no actors", "leave it out")
    }
}

/// Actors behind a number.
#[derive(Debug, Clone)]
pub(crate) enum Crowd {
    /// Person ordinals, each once.
    Persons(Vec<u32>),
    /// Devices, groups or values by name, each once.
    Named(Vec<String>),
}

impl Crowd {
    /// From the numbers that the rows of `prepared` have for their actors.
    pub fn of(actors: &Actors, prepared: &Prepared<'_>, numbers: impl IntoIterator<Item = u32>) -> Crowd {
        let texts = match actors {
            Actors::Resolved if prepared.counts_persons() => {
                let mut persons: Vec<u32> = numbers.into_iter().collect();
                persons.sort_unstable();
                persons.dedup();
                return Crowd::Persons(persons);
            }
            Actors::Resolved => prepared.actor_names(),
            Actors::ByText(texts) => texts.texts(),
        };
        let mut named: Vec<String> =
            numbers.into_iter().filter_map(|n| texts.get(n as usize).cloned()).collect();
        named.sort_unstable();
        named.dedup();
        Crowd::Named(named)
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Crowd::Persons(persons) => persons.len(),
            Crowd::Named(names) => names.len(),
        }
    }

    /// `{size, actors:[…], next}`, a page in order of names.
    pub fn page(&self, point: &Point<'_>, bound: &Bound<'_>) -> Result<Map<String, Value>, Error> {
        let _held = bound.context.budget.reserve(self.len() as u64 * 64)?;
        let mut all: Vec<(String, u32)> = match self {
            Crowd::Named(names) => names.iter().map(|n| (n.clone(), 0)).collect(),
            Crowd::Persons(persons) => persons.iter().map(|p| (name_of(bound.snapshot, *p), *p)).collect(),
        };
        all.sort_unstable();
        let from = match &point.after {
            Some(after) => all.partition_point(|(name, _)| name <= after),
            None => 0,
        };
        let to = all.len().min(from + point.limit);
        let actor = |(name, person): &(String, u32)| match self {
            Crowd::Named(_) => json!({"name": name}),
            Crowd::Persons(_) => json!({"person": key_of(bound.snapshot, *person), "name": name}),
        };
        let actors = all[from..to].iter().map(actor).collect();
        let mut page = Map::new();
        page.insert("size".to_owned(), json!(all.len()));
        page.insert("next".to_owned(), json!((to < all.len()).then(|| &all[to - 1].0)));
        page.insert("actors".to_owned(), Value::Array(actors));
        Ok(page)
    }
}

/// What a person goes by in lists: the smallest user id, or without one the smallest device id.
pub(crate) fn name_of(snapshot: &Snapshot, person: u32) -> String {
    let members = snapshot.identity.members(person);
    let id = |s: &SubjectId| snapshot.names.get(*s);
    let smallest = |wanted: SubjectKind| {
        members.iter().filter_map(id).filter(|(kind, _)| *kind == wanted).map(|(_, raw)| raw).min()
    };
    smallest(SubjectKind::User).or_else(|| smallest(SubjectKind::Device)).unwrap_or_default().to_owned()
}
