//! Wishes to forget a person, and which rows that hides.
//!
//! Guarantees: a pure function of the set of erasure records folded in and of the table of raw ids, so it covers ids
//! that are numbered later (by a replay, say); a wish that was taken back hides nothing, from any shard on.
//! Deliberately not here: removing rows from files (`compactor`), dead letters' bytes.

use super::{From, from, json, read_from, read_json};
use crate::StateError;
use crate::codec::{Reader, Writer};
use crate::subjects::SubjectTable;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use tallymark_model::{Erasure, Millis, Position, ProjectId, Seq, SubjectId, SubjectKind};

/// One wish, with its reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureInForce {
    /// The wish as the log has it; `undone` if any record said so.
    pub erasure: Erasure,
    /// The offset of its record in each shard that has passed it; it hides what comes before.
    pub from: From,
}

impl ErasureInForce {
    /// True if a row of one of its subjects at this place of the log is hidden.
    pub fn reaches(&self, seq: Seq) -> bool {
        if self.erasure.undone {
            return false;
        }
        let Some(position) = Position::unpack(seq.position) else { return false };
        match self.from.get(&position.shard()) {
            Some(from) => position.offset < *from,
            // The shard has not passed the record, or never had it (it is younger): go by the clock.
            None => seq.received_at <= self.erasure.made_at,
        }
    }
}

/// Every wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasures {
    wishes: BTreeMap<u32, ErasureInForce>,
}

impl Erasures {
    /// True if there never was one.
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// Every wish of a project, by number.
    pub fn of(&self, project: ProjectId) -> impl Iterator<Item = &ErasureInForce> {
        self.wishes.values().filter(move |w| w.erasure.project == project)
    }

    /// Projects that have any.
    pub fn projects(&self) -> impl Iterator<Item = ProjectId> {
        let projects: std::collections::BTreeSet<ProjectId> =
            self.wishes.values().map(|w| w.erasure.project).collect();
        projects.into_iter()
    }

    /// Folds an erasure record in.
    pub fn add(&mut self, position: Position, erasure: &Erasure) {
        let fresh = || ErasureInForce { erasure: erasure.clone(), from: From::new() };
        let held = self.wishes.entry(erasure.id).or_insert_with(fresh);
        held.erasure.undone |= erasure.undone;
        if !erasure.undone {
            let from = held.from.entry(position.shard()).or_insert(position.offset);
            *from = position.offset.min(*from);
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.list(self.wishes.values(), |w, wish| {
            json(w, &wish.erasure);
            from(w, &wish.from);
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Erasures, StateError> {
        let wishes = r.list(|r| {
            let (erasure, from): (Erasure, From) = (read_json(r)?, read_from(r)?);
            Ok((erasure.id, ErasureInForce { erasure, from }))
        })?;
        Ok(Erasures { wishes: wishes.into_iter().collect() })
    }
}

/// Which rows of a project are hidden because their person is to be forgotten. Empty for almost every project.
#[derive(Debug, Default)]
pub struct ErasedSubjects {
    wishes: Vec<ErasureInForce>,
    /// Per subject: indexes into `wishes`.
    subjects: FxHashMap<u32, Vec<u32>>,
    /// Raw ids: indexes into `wishes`.
    raw: FxHashMap<(SubjectKind, String), Vec<u32>>,
}

impl ErasedSubjects {
    /// Resolves the wishes of one project.
    pub(crate) fn resolve<'a>(
        wishes: impl Iterator<Item = &'a ErasureInForce>,
        table: &SubjectTable,
    ) -> ErasedSubjects {
        let mut erased = ErasedSubjects::default();
        for wish in wishes.filter(|w| !w.erasure.undone) {
            let index = erased.wishes.len() as u32;
            let mut named: FxHashSet<&(SubjectKind, String)> = FxHashSet::default();
            for id in wish.erasure.subjects.iter().filter(|id| named.insert(id)) {
                erased.raw.entry(id.clone()).or_default().push(index);
                if let Some(subject) = table.find(id.0, &id.1) {
                    erased.subjects.entry(subject.0).or_default().push(index);
                }
            }
            erased.wishes.push(wish.clone());
        }
        erased
    }

    /// True if nothing is hidden: then nobody need ask row by row.
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// True if some row of this subject may be hidden.
    pub fn touches(&self, subject: SubjectId) -> bool {
        self.subjects.contains_key(&subject.0)
    }

    /// Subjects of which some rows may be hidden.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        self.subjects.keys().copied().map(SubjectId)
    }

    /// True if the row of this subject (as stored) at this place of the log is hidden.
    pub fn hides(&self, subject: SubjectId, seq: Seq) -> bool {
        !self.subjects.is_empty() && self.wishes_for(self.subjects.get(&subject.0)).any(|w| w.reaches(seq))
    }

    /// Like [`ErasedSubjects::hides`], counting only wishes that can no longer be taken back: such rows may be
    /// removed from files.
    pub fn removes(&self, subject: SubjectId, seq: Seq, now: Millis) -> bool {
        self.wishes_for(self.subjects.get(&subject.0)).any(|w| w.erasure.undo_until <= now && w.reaches(seq))
    }

    /// True if a record of this raw id at this place of the log must not become a row.
    pub fn hides_raw(&self, kind: SubjectKind, raw: &str, seq: Seq) -> bool {
        !self.raw.is_empty() && self.wishes_for(self.raw.get(&(kind, raw.to_owned()))).any(|w| w.reaches(seq))
    }

    /// True if the wishes name this raw id.
    pub(crate) fn names(&self, kind: SubjectKind, raw: &str) -> bool {
        !self.raw.is_empty() && self.raw.contains_key(&(kind, raw.to_owned()))
    }

    fn wishes_for<'a>(&'a self, indexes: Option<&'a Vec<u32>>) -> impl Iterator<Item = &'a ErasureInForce> {
        indexes.into_iter().flatten().filter_map(|i| self.wishes.get(*i as usize))
    }
}
