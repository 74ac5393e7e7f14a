//! Who is in a cohort, as bytes that outlive the process.
//!
//! Members are kept by their founders: a raw id never changes its number, so a person is found again however many
//! merges later, and members that became one person are one.
//!
//! ```text
//! version 1: 0x01 | count of reborn (u32 LE) | person ids (16 bytes each) | roaring bitmap of founding subjects
//! ```
//! Reborn persons are those that a device began after a reset: its subject alone would not tell its lives apart.

use crate::Error;
use crate::services::{People, key_of};
use roaring::RoaringBitmap;
use tallymark_model::SubjectId;
use tallymark_query::{QueryError, Snapshot, Source};
use uuid::Uuid;

const VERSION: u8 = 1;

/// Members as bytes.
pub(crate) fn encode(snapshot: &Snapshot, members: &[u32]) -> Result<Vec<u8>, Error> {
    let mut founders = RoaringBitmap::new();
    let mut reborn: Vec<Uuid> = Vec::new();
    for person in members {
        match snapshot.identity.founder(*person) {
            Some(founder) if founder.life.is_none() => {
                founders.insert(founder.subject.0);
            }
            _ => reborn.extend(key_of(snapshot, *person)),
        }
    }
    reborn.sort_unstable();
    let mut bytes = vec![VERSION];
    bytes.extend((reborn.len() as u32).to_le_bytes());
    reborn.iter().for_each(|key| bytes.extend(key.as_bytes()));
    founders.serialize_into(&mut bytes).map_err(|e| damaged(&e.to_string()))?;
    Ok(bytes)
}

/// The persons these members are now, ascending.
pub(crate) fn decode(
    source: &dyn Source,
    people: &People,
    snapshot: &Snapshot,
    bytes: &[u8],
) -> Result<Vec<u32>, Error> {
    let (version, rest) = bytes.split_first().ok_or_else(|| damaged("it is empty"))?;
    if *version != VERSION {
        return Err(damaged(&format!("its version {version} is not known")));
    }
    let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut off"))?;
    let length = u32::from_le_bytes(*count) as usize * 16;
    let (keys, bitmap) = rest.split_at_checked(length).ok_or_else(|| damaged("it is cut off"))?;
    let founders = RoaringBitmap::deserialize_from(bitmap).map_err(|e| damaged(&e.to_string()))?;
    let mut persons: Vec<u32> =
        founders.iter().map(|subject| snapshot.identity.founded_by(SubjectId(subject))).collect();
    for key in keys.chunks_exact(16) {
        let key = Uuid::from_slice(key).map_err(|e| damaged(&e.to_string()))?;
        match people.find(source, snapshot, &key.to_string()) {
            Ok(person) => persons.push(person),
            Err(Error::NoPerson(_)) => {}
            Err(error) => return Err(error),
        }
    }
    persons.retain(|person| *person != 0);
    persons.sort_unstable();
    persons.dedup();
    Ok(persons)
}

fn damaged(why: &str) -> Error {
    Error::Query(QueryError::damaged("a stored membership", why))
}
