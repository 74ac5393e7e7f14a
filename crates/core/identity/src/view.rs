//! Who is who, frozen: what queries read.
//!
//! The hot path is one array load per row: [`View::dense`] gives the person of a subject that had one person
//! for ever; devices that changed hands hold [`View::VARYING`] there and have a timeline.

use crate::fold::{Fold, Node, Notes};
use crate::op::{Merge, Refusal, UNSEEN};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};
use tallymark_model::{Seq, SubjectId, SubjectKind};

type Timelines = FxHashMap<u32, Arc<[(Seq, u32)]>>;

/// Who founded a person: what its external id ([`crate::person_key`]) is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Founder {
    /// The founding subject.
    pub subject: SubjectId,
    /// Its kind.
    pub kind: SubjectKind,
    /// For a person that a device started after a reset: when.
    pub life: Option<Seq>,
}

/// An immutable answer to "who was this subject, then?".
#[derive(Debug)]
pub struct View {
    dense: Arc<Vec<u32>>,
    timelines: Arc<Timelines>,
    roots: Arc<Vec<u32>>,
    nodes: Arc<Vec<Node>>,
    kinds: Arc<Vec<SubjectKind>>,
    first: Arc<Vec<Seq>>,
    notes: Arc<FxHashMap<u32, Arc<Notes>>>,
    people: OnceLock<People>,
}

impl View {
    /// What [`View::dense`] holds for a device that had several owners.
    pub const VARYING: u32 = u32::MAX;

    /// Per subject number: person ordinal, or [`View::VARYING`]. Entry 0 is 0: nobody.
    pub fn dense(&self) -> &[u32] {
        &self.dense
    }

    /// Every person ordinal is below this.
    pub fn bound(&self) -> u32 {
        self.roots.len() as u32
    }

    /// Person of a row with this subject at this place of the log; 0 = nobody, or a subject newer than the view.
    pub fn person_of(&self, subject: SubjectId, seq: Seq) -> u32 {
        match self.dense.get(subject.0 as usize) {
            Some(&Self::VARYING) => self.varying_person(subject, seq),
            Some(&person) => person,
            None => 0,
        }
    }

    /// True if the person of this device depends on the place in the log.
    pub fn is_varying(&self, subject: SubjectId) -> bool {
        self.dense.get(subject.0 as usize) == Some(&Self::VARYING)
    }

    /// Number of devices that changed hands.
    pub fn varying(&self) -> usize {
        self.timelines.len()
    }

    /// The owners of a device over time: from when, who. Empty unless it is varying. Events before the first
    /// entry belong to the first owner.
    pub fn timeline(&self, subject: SubjectId) -> &[(Seq, u32)] {
        self.timelines.get(&subject.0).map_or(&[], |t| t)
    }

    /// The person that a person ordinal of an earlier view is now.
    pub fn survivor(&self, person: u32) -> u32 {
        self.roots.get(person as usize).copied().unwrap_or(0)
    }

    /// Subjects of a person, ascending: its user ids, and devices it owns or owned at some time.
    pub fn members(&self, person: u32) -> Vec<SubjectId> {
        self.people().members_of(person).iter().map(|(_, s)| SubjectId(*s)).collect()
    }

    /// True if the person has a user id.
    pub fn identified(&self, person: u32) -> bool {
        let users = |s: &SubjectId| self.kinds.get(s.0 as usize) == Some(&SubjectKind::User);
        self.members(person).iter().any(users)
    }

    /// When the person was first seen; [`UNSEEN`] if it never was.
    pub fn first_seq(&self, person: u32) -> Seq {
        match self.nodes.get(person as usize) {
            // Subjects that no operation names are never folded; the table's first sight is all there is.
            Some(n) if n.oldest == UNSEEN && n.life == 0 => self.first.get(n.subject as usize).copied(),
            node => node.map(|n| n.oldest),
        }
        .unwrap_or(UNSEEN)
    }

    /// Whose raw id names the person.
    pub fn founder(&self, person: u32) -> Option<Founder> {
        let node = self.nodes.get(person as usize).filter(|n| n.subject != 0)?;
        Some(Founder {
            subject: SubjectId(node.subject),
            kind: self.kinds.get(node.subject as usize).copied()?,
            life: (node.life > 0).then_some(node.born),
        })
    }

    /// What happened to a person, in log order.
    pub fn merges(&self, person: u32) -> &[Merge] {
        self.people().merges.get(&person).map_or(&[], Vec::as_slice)
    }

    /// Every refused operation, in log order.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut all: Vec<Refusal> = self.notes.values().flat_map(|n| &n.refusals).copied().collect();
        all.sort_unstable();
        all
    }

    fn varying_person(&self, subject: SubjectId, seq: Seq) -> u32 {
        let timeline = self.timeline(subject);
        let after = timeline.partition_point(|(from, _)| *from <= seq);
        timeline.get(after.saturating_sub(1)).map_or(0, |e| e.1)
    }

    fn people(&self) -> &People {
        self.people.get_or_init(|| People::gather(self))
    }
}

/// The view turned round, made on first use: only pages about single persons need it.
#[derive(Debug)]
struct People {
    members: Vec<(u32, u32)>,
    merges: FxHashMap<u32, Vec<Merge>>,
}

impl People {
    fn gather(view: &View) -> People {
        let mut members: Vec<(u32, u32)> = Vec::with_capacity(view.dense.len());
        for (subject, &person) in view.dense.iter().enumerate().skip(1) {
            if person != View::VARYING {
                members.push((person, subject as u32));
            }
        }
        for (device, timeline) in view.timelines.iter() {
            members.extend(timeline.iter().map(|(_, person)| (*person, *device)));
        }
        members.sort_unstable();
        members.dedup();
        let mut merges: FxHashMap<u32, Vec<Merge>> = FxHashMap::default();
        for merge in view.notes.values().flat_map(|n| &n.merges) {
            merges.entry(view.survivor(merge.person)).or_default().push(*merge);
        }
        merges.values_mut().for_each(|m| m.sort_unstable_by_key(|m| m.seq));
        People { members, merges }
    }

    fn members_of(&self, person: u32) -> &[(u32, u32)] {
        let from = self.members.partition_point(|(p, _)| *p < person);
        let to = self.members.partition_point(|(p, _)| *p <= person);
        &self.members[from..to]
    }
}

/// The arrays of the next view, kept up to date by what changed; shared with live views until written to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    dense: Arc<Vec<u32>>,
    roots: Arc<Vec<u32>>,
    timelines: Arc<Timelines>,
}

impl Patch {
    /// Brings the arrays up to date: new subjects and nodes, and the `changed` subjects.
    pub fn update(&mut self, fold: &mut Fold, kinds: &[SubjectKind], changed: impl Iterator<Item = u32>) {
        let (known, known_nodes) = (self.dense.len() as u32, self.roots.len() as u32);
        let dense = Arc::make_mut(&mut self.dense);
        dense.extend_from_slice(&fold.own[known as usize..]);
        let roots = Arc::make_mut(&mut self.roots);
        roots.extend(known_nodes..fold.nodes.len() as u32);
        let changed: FxHashSet<u32> = changed.collect();
        if changed.is_empty() {
            return;
        }
        let timelines = Arc::make_mut(&mut self.timelines);
        for subject in changed {
            let founded: Vec<u32> = fold.nodes_of(subject).collect();
            for node in founded {
                roots[node as usize] = fold.find(node);
            }
            let owners = owners(fold, subject);
            timelines.remove(&subject);
            dense[subject as usize] = match (owners.as_slice(), kinds[subject as usize]) {
                ([], _) => fold.own[subject as usize],
                ([(_, only)], _) => *only,
                (_, SubjectKind::Device) => {
                    timelines.insert(subject, owners.into());
                    View::VARYING
                }
                // A user is assigned once; only its person is absorbed by others.
                ([.., (_, last)], SubjectKind::User) => *last,
            };
        }
    }

    /// A view over the current arrays.
    pub fn view(
        &self,
        fold: &Fold,
        kinds: Arc<Vec<SubjectKind>>,
        first: Arc<Vec<Seq>>,
        notes: Arc<FxHashMap<u32, Arc<Notes>>>,
    ) -> View {
        View {
            dense: self.dense.clone(),
            timelines: self.timelines.clone(),
            roots: self.roots.clone(),
            nodes: fold.nodes.clone(),
            kinds,
            first,
            notes,
            people: OnceLock::new(),
        }
    }
}

/// The persons a subject was assigned to over time, neighbours that have become the same person as one.
fn owners(fold: &mut Fold, subject: u32) -> Vec<(Seq, u32)> {
    let mut owners: Vec<(Seq, u32)> = Vec::new();
    let initial = fold.initial[subject as usize];
    if initial == 0 {
        return owners;
    }
    owners.push((Seq::MIN, fold.find(initial)));
    for (seq, node) in fold.timelines.get(&subject).cloned().unwrap_or_default() {
        let person = fold.find(node);
        if owners.last().is_some_and(|l| l.1 != person) {
            owners.push((seq, person));
        }
    }
    owners
}
