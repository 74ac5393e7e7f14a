//! Who is who, frozen: what queries read.
//!
//! The hot path is one array load per row: [`View::dense`] gives the person of a subject that had one person
//! for ever; devices that changed hands hold [`View::VARYING`] there and have a timeline.

use crate::fold::{Fold, Node, Notes};
use crate::op::{Merge, Refusal, UNSEEN};
use rustc_hash::FxHashMap;
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
    components: Arc<Vec<u32>>,
    notes: Arc<FxHashMap<u32, Arc<Notes>>>,
    /// Per subject: the person it founds.
    own: Arc<Vec<u32>>,
    /// Per subject: its first person, as it was then.
    initial: Arc<Vec<u32>>,
    /// Per subject that changed hands: its later persons, as they were then.
    moves: Arc<Timelines>,
    members: OnceLock<Members>,
    absorbed: OnceLock<FxHashMap<u32, (Seq, u32)>>,
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

    /// The person a row was assigned to when it was processed: nothing that came later in the log counts. 0 = nobody.
    pub fn person_at_ingest(&self, subject: SubjectId, seq: Seq) -> u32 {
        let Some(&initial) = self.initial.get(subject.0 as usize) else { return 0 };
        let moves = self.moves.get(&subject.0).map_or(&[][..], |t| t);
        let after = moves.partition_point(|(from, _)| *from <= seq);
        let mut person = if after == 0 { initial } else { moves[after - 1].1 };
        let absorbed = self.absorbed.get_or_init(|| {
            self.absorptions().into_iter().map(|(at, gone, into)| (gone, (at, into))).collect()
        });
        while let Some((_, into)) = absorbed.get(&person).filter(|(at, _)| *at <= seq) {
            person = *into;
        }
        person
    }

    /// Who was absorbed by whom: place in the log, the person that is gone, and its survivor at that place.
    pub fn absorptions(&self) -> Vec<(Seq, u32, u32)> {
        let merges = self.notes.values().flat_map(|notes| &notes.merges);
        merges.filter_map(|m| Some((m.seq, m.absorbed?, m.person))).collect()
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

    /// The person that the one whom a subject founded (not after a reset) is now; 0 = no such subject.
    pub fn founded_by(&self, subject: SubjectId) -> u32 {
        self.own.get(subject.0 as usize).map_or(0, |own| self.survivor(*own))
    }

    /// Subjects of a person, ascending: its user ids, and devices it owns or owned at some time.
    pub fn members(&self, person: u32) -> Vec<SubjectId> {
        let members = self.members.get_or_init(|| Members::gather(self));
        members.of(person).iter().map(|s| SubjectId(*s)).collect()
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
    pub fn merges(&self, person: u32) -> Vec<Merge> {
        // The founder took part in everything that happened to the person.
        let founder = self.nodes.get(person as usize).map_or(0, |n| n.subject as usize);
        let notes = self.components.get(founder).and_then(|component| self.notes.get(component));
        let all = notes.map_or(&[][..], |n| &n.merges);
        let mut merges: Vec<Merge> =
            all.iter().filter(|m| self.survivor(m.person) == person).copied().collect();
        merges.sort_unstable_by_key(|m| m.seq);
        merges
    }

    /// Every refused operation, in log order.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut all: Vec<Refusal> = self.notes.values().flat_map(|n| &n.refusals).copied().collect();
        all.sort_unstable();
        all
    }

    /// Calls `visit` with every (person, subject), subjects ascending, each pair once.
    fn each_membership(&self, mut visit: impl FnMut(u32, u32)) {
        let mut owners = Vec::new();
        for (subject, &person) in self.dense.iter().enumerate().skip(1) {
            let subject = subject as u32;
            if person != View::VARYING {
                visit(person, subject);
                continue;
            }
            owners.clear();
            owners.extend(self.timeline(SubjectId(subject)).iter().map(|(_, p)| *p));
            owners.sort_unstable();
            owners.dedup();
            owners.iter().for_each(|p| visit(*p, subject));
        }
    }

    fn varying_person(&self, subject: SubjectId, seq: Seq) -> u32 {
        let timeline = self.timeline(subject);
        let after = timeline.partition_point(|(from, _)| *from <= seq);
        timeline.get(after.saturating_sub(1)).map_or(0, |e| e.1)
    }
}

/// The view turned round, made on first use: only pages about single persons need it.
#[derive(Debug)]
struct Members {
    /// Per person ordinal: where its subjects begin in `subjects`; one more at the end.
    begin: Vec<u32>,
    subjects: Vec<u32>,
}

impl Members {
    fn gather(view: &View) -> Members {
        let mut begin = vec![0u32; view.roots.len() + 2];
        view.each_membership(|person, _| begin[person as usize + 2] += 1);
        for i in 2..begin.len() {
            begin[i] += begin[i - 1];
        }
        // Filling moves each beginning to its end, which is the next one's beginning.
        let mut subjects = vec![0; begin[begin.len() - 1] as usize];
        view.each_membership(|person, subject| {
            let at = &mut begin[person as usize + 1];
            subjects[*at as usize] = subject;
            *at += 1;
        });
        Members { begin, subjects }
    }

    fn of(&self, person: u32) -> &[u32] {
        match (self.begin.get(person as usize), self.begin.get(person as usize + 1)) {
            (Some(from), Some(to)) => &self.subjects[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

/// The arrays of the next view, kept up to date by what changed; shared with live views until written to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    dense: Arc<Vec<u32>>,
    roots: Arc<Vec<u32>>,
    timelines: Arc<Timelines>,
    own: Arc<Vec<u32>>,
    initial: Arc<Vec<u32>>,
    moves: Arc<Timelines>,
    /// Per subject: the key of its component's notes; 0 = no operation names it.
    components: Arc<Vec<u32>>,
}

impl Patch {
    /// Brings the arrays up to date: new subjects and nodes, and the `changed` subjects with
    /// their components.
    pub fn update(
        &mut self,
        fold: &mut Fold,
        kinds: &[SubjectKind],
        changed: impl Iterator<Item = (u32, u32)>,
    ) {
        let (known, known_nodes) = (self.dense.len() as u32, self.roots.len() as u32);
        let dense = Arc::make_mut(&mut self.dense);
        dense.extend_from_slice(&fold.own[known as usize..]);
        Arc::make_mut(&mut self.own).extend_from_slice(&fold.own[known as usize..]);
        let initial = Arc::make_mut(&mut self.initial);
        initial.extend_from_slice(&fold.own[known as usize..]);
        let roots = Arc::make_mut(&mut self.roots);
        roots.extend(known_nodes..fold.nodes.len() as u32);
        let components = Arc::make_mut(&mut self.components);
        components.resize(dense.len(), 0);
        let mut changed = changed.peekable();
        if changed.peek().is_none() {
            return;
        }
        let timelines = Arc::make_mut(&mut self.timelines);
        let moves = Arc::make_mut(&mut self.moves);
        for (subject, component) in changed {
            components[subject as usize] = component;
            let founded: Vec<u32> = fold.nodes_of(subject).collect();
            for node in founded {
                roots[node as usize] = fold.find(node);
            }
            let first = fold.initial[subject as usize];
            initial[subject as usize] = if first == 0 { fold.own[subject as usize] } else { first };
            match fold.timelines.get(&subject) {
                Some(later) => drop(moves.insert(subject, later.as_slice().into())),
                None => drop(moves.remove(&subject)),
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
            components: self.components.clone(),
            notes,
            own: self.own.clone(),
            initial: self.initial.clone(),
            moves: self.moves.clone(),
            members: OnceLock::new(),
            absorbed: OnceLock::new(),
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
