//! The table of a project's raw ids: device id or user id <-> dense [`SubjectId`].
//!
//! Guarantees: numbers are dense from 1 in commit order and never change; names are shared, so a snapshot of
//! all of them is one small vector of pointers and stays as it was while the table grows.
//! Deliberately not here: who is the same person (`identity`).

use crate::StateError;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;
use tallymark_model::{CommitId, Seq, SubjectId, SubjectKind};

/// Names per chunk: a snapshot that is alive while the table grows costs one copy of the last chunk.
const CHUNK: usize = 1024;

/// A raw id that a commit saw first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubject {
    /// Its number: the next free one of the project.
    pub id: SubjectId,
    /// Name space.
    pub kind: SubjectKind,
    /// As sent, trimmed.
    pub raw: String,
    /// Where in the log it was seen first; `identity::UNSEEN` if it was only mentioned.
    pub first_seq: Seq,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    text: String,
    ends: Vec<u32>,
    kinds: Vec<SubjectKind>,
}

impl Chunk {
    fn get(&self, index: usize) -> Option<(SubjectKind, &str)> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i] as usize);
        Some((*self.kinds.get(index)?, &self.text[start..end]))
    }
}

/// Names by number, as of some moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SubjectNames {
    chunks: Vec<Arc<Chunk>>,
    len: u32,
}

impl SubjectNames {
    /// How many subjects there are; their numbers are `1..=len`.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Kind and raw id of a subject; `None` for [`SubjectId::NONE`] and numbers not yet given.
    pub fn get(&self, id: SubjectId) -> Option<(SubjectKind, &str)> {
        let index = id.0.checked_sub(1)? as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// All subjects in order of number.
    pub fn iter(&self) -> impl Iterator<Item = (SubjectId, SubjectKind, &str)> {
        (1..=self.len).filter_map(|n| self.get(SubjectId(n)).map(|(kind, raw)| (SubjectId(n), kind, raw)))
    }
}

/// The table.
#[derive(Debug, Default)]
pub struct SubjectTable {
    names: SubjectNames,
    first: Vec<Seq>,
    numbers: HashTable<u32>,
    hasher: hashbrown::DefaultHashBuilder,
}

impl SubjectTable {
    /// The number of a raw id.
    pub fn find(&self, kind: SubjectKind, raw: &str) -> Option<SubjectId> {
        let same = |n: &u32| self.names.get(SubjectId(*n)) == Some((kind, raw));
        self.numbers.find(self.hash(kind, raw), same).map(|n| SubjectId(*n))
    }

    /// Where in the log a subject was seen first, as its first commit knew; the identity graph knows of
    /// sights that arrived later but lie earlier.
    pub fn first_seq(&self, id: SubjectId) -> Option<Seq> {
        self.first.get(id.0.checked_sub(1)? as usize).copied()
    }

    /// All names, as of now.
    pub fn names(&self) -> &SubjectNames {
        &self.names
    }

    /// How many subjects there are.
    pub fn len(&self) -> u32 {
        self.names.len
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Checks that these subjects continue the table, without changing it.
    pub(crate) fn check(&self, commit: CommitId, new: &[NewSubject]) -> Result<(), StateError> {
        let mismatch = |detail| Err(StateError::Mismatch { commit, detail });
        for (n, subject) in (u64::from(self.len()) + 1..).zip(new) {
            if u64::from(subject.id.0) != n {
                return mismatch(format!("subject {} where {n} is next", subject.id.0));
            }
            if let Some(held) = self.find(subject.kind, &subject.raw) {
                return mismatch(format!(
                    "{:?} {:?} is already subject {}",
                    subject.kind, subject.raw, held.0
                ));
            }
        }
        Ok(())
    }

    /// Adds the next subject; the caller has checked that it is the next.
    pub(crate) fn add(&mut self, kind: SubjectKind, raw: &str, first_seq: Seq) {
        let hash = self.hash(kind, raw);
        if (self.names.len as usize).is_multiple_of(CHUNK) {
            self.names.chunks.push(Arc::default());
        }
        if let Some(last) = self.names.chunks.last_mut() {
            let chunk = Arc::make_mut(last);
            chunk.text.push_str(raw);
            chunk.ends.push(chunk.text.len() as u32);
            chunk.kinds.push(kind);
        }
        self.names.len += 1;
        self.first.push(first_seq);
        let (names, hasher) = (&self.names, &self.hasher);
        let rehash = |n: &u32| names.get(SubjectId(*n)).map_or(0, |s| hasher.hash_one(s));
        self.numbers.insert_unique(hash, names.len, rehash);
    }

    fn hash(&self, kind: SubjectKind, raw: &str) -> u64 {
        self.hasher.hash_one((kind, raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(n: i64) -> Seq {
        Seq { received_at: n, position: n as u64 }
    }

    #[test]
    fn numbers_are_dense_and_snapshots_stand_still() {
        let mut table = SubjectTable::default();
        let name = |n: usize| format!("id-{}", n / 2);
        let kind = |n: usize| if n.is_multiple_of(2) { SubjectKind::Device } else { SubjectKind::User };
        let mut early = SubjectNames::default();
        for n in 0..3000 {
            table.add(kind(n), &name(n), seq(n as i64));
            if n == 1499 {
                early = table.names().clone();
            }
        }
        assert_eq!((table.len(), early.len()), (3000, 1500));
        for n in 0..3000 {
            let id = SubjectId(n as u32 + 1);
            assert_eq!(table.find(kind(n), &name(n)), Some(id));
            assert_eq!(table.names().get(id), Some((kind(n), name(n).as_str())));
            assert_eq!(early.get(id).is_some(), n < 1500, "{n}");
            assert_eq!(table.first_seq(id), Some(seq(n as i64)));
        }
        assert_eq!(early.iter().count(), 1500);
        assert_eq!(table.find(SubjectKind::User, "nobody"), None);
        assert_eq!(table.names().get(SubjectId::NONE), None);
        assert_eq!(table.names().get(SubjectId(3001)), None);
    }

    #[test]
    fn only_the_next_unknown_ids_fit() {
        let mut table = SubjectTable::default();
        table.add(SubjectKind::Device, "d", seq(1));
        let new = |id, raw: &str| NewSubject {
            id: SubjectId(id),
            kind: SubjectKind::Device,
            raw: raw.into(),
            first_seq: seq(2),
        };
        let commit = CommitId(uuid::Uuid::nil());
        assert!(table.check(commit, &[new(2, "e"), new(3, "f")]).is_ok());
        assert!(table.check(commit, &[new(3, "e")]).is_err());
        assert!(table.check(commit, &[new(2, "d")]).is_err());
    }
}
