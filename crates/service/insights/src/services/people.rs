//! Persons by the ids that people see.

use crate::Error;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use tallymark_model::{ProjectId, SubjectKind};
use tallymark_query::{Snapshot, Source, UNSEEN, View, person_key};
use uuid::Uuid;

/// External ids of persons, and back. The way back is built as it is needed and kept.
#[derive(Debug, Default)]
pub(crate) struct People {
    known: Mutex<HashMap<ProjectId, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Ordinals below this are in the table.
    upto: u32,
    ordinals: HashMap<Uuid, u32>,
}

/// The external id of a person.
pub(crate) fn key_of(snapshot: &Snapshot, person: u32) -> Option<Uuid> {
    let founder = snapshot.identity.founder(person)?;
    let (_, raw) = snapshot.names.get(founder.subject)?;
    Some(person_key(snapshot.project.id, founder.kind, raw, founder.life))
}

impl People {
    /// The person meant by a person id, a raw user id or a raw device id, in this order.
    pub fn find(&self, source: &dyn Source, snapshot: &Snapshot, text: &str) -> Result<u32, Error> {
        if let Some(person) = Uuid::try_parse(text).ok().and_then(|key| self.by_key(snapshot, key)) {
            return Ok(person);
        }
        let owner = |kind| {
            let subject = source.find(snapshot.project.id, kind, text)?;
            Some(last_owner(&snapshot.identity, subject.0)).filter(|p| *p != 0)
        };
        let both = [owner(SubjectKind::User), owner(SubjectKind::Device)];
        // An id that a refused operation names is a number without anybody behind it.
        let seen = |person: &u32| snapshot.identity.first_seq(*person) != UNSEEN;
        let found = both.iter().flatten().copied().find(seen).or(both[0]).or(both[1]);
        found.ok_or_else(|| Error::NoPerson(text.to_owned()))
    }

    fn by_key(&self, snapshot: &Snapshot, key: Uuid) -> Option<u32> {
        let mut all = self.lock();
        let known = all.entry(snapshot.project.id).or_default();
        let right = |ordinal: &u32| key_of(snapshot, *ordinal) == Some(key);
        let mut found = known.ordinals.get(&key).copied();
        if !found.as_ref().is_some_and(right) {
            // New persons, or an identity that was folded again: numbers may mean others now.
            if found.is_some() || known.upto > snapshot.identity.bound() {
                *known = Known::default();
            }
            for ordinal in known.upto.max(1)..snapshot.identity.bound() {
                if let Some(key) = key_of(snapshot, ordinal) {
                    known.ordinals.insert(key, ordinal);
                }
            }
            known.upto = snapshot.identity.bound();
            found = known.ordinals.get(&key).copied().filter(right);
        }
        found.map(|ordinal| snapshot.identity.survivor(ordinal)).filter(|p| *p != 0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, Known>> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The person a subject belongs to now.
pub(crate) fn last_owner(view: &View, subject: u32) -> u32 {
    match view.dense().get(subject as usize) {
        Some(&View::VARYING) => {
            view.timeline(tallymark_model::SubjectId(subject)).last().map_or(0, |(_, person)| *person)
        }
        Some(&person) => person,
        None => 0,
    }
}
