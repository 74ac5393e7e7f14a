//! The graph: subjects and operations in any order of arrival, folded in log order.
//!
//! An operation that comes in order costs amortised near-constant time. One that comes late marks its
//! *component* (the subjects connected through operations) for folding again, which happens once, when the
//! next view is taken: a burst of late operations costs one pass over the components it touched.

use crate::config::IdentityConfig;
use crate::filter::{Last, Mark};
use crate::fold::{Fold, Notes};
use crate::op::{Action, IdentityOp, Refusal, UNSEEN};
use crate::view::{Patch, View};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tallymark_model::{Seq, SubjectId, SubjectKind};

/// What applying one operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Some answer of the next view may differ.
    pub changed: bool,
    /// It was refused, or part of it was. Late operations are judged when the next view is taken: see
    /// [`View::refusals`].
    pub refused: Option<Refusal>,
    /// It came after a later one of its component, so that the component will be folded again.
    pub late: bool,
}

/// Everything that rebuilds a [`Graph`] exactly, ordinals included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GraphParts {
    /// The rules.
    pub config: IdentityConfig,
    /// Subjects 1, 2, …: kind and first sight.
    pub subjects: Vec<(SubjectKind, Seq)>,
    /// Person ordinals 1, 2, …: founding subject and life.
    pub nodes: Vec<(u32, u32)>,
    /// Operations in order of arrival.
    pub ops: Vec<IdentityOp>,
    /// Those of them, by place in `ops`, that were taken back.
    #[serde(default)]
    pub gone: Vec<u32>,
}

/// The subjects that operations connect, and those operations.
#[derive(Debug, Clone, Default)]
struct Component {
    members: Vec<u32>,
    ops: Vec<u32>,
    last: Option<Seq>,
    stale: bool,
}

/// The identity graph of one project.
///
/// Person ordinals are dense: each subject reserves one when it is added and each possible fresh start of a
/// device one when its operation is applied. They are never reassigned, so an ordinal means the same founding
/// node in every later view; which of them are still persons of their own is what changes.
#[derive(Debug, Clone)]
pub struct Graph {
    fold: Fold,
    kinds: Arc<Vec<SubjectKind>>,
    /// First sight as recorded by the subject table; an implicit [`Action::Seen`].
    first: Arc<Vec<Seq>>,
    /// Earlier first sights, from operations.
    earlier: FxHashMap<u32, Seq>,
    ops: Vec<IdentityOp>,
    /// Places in `ops` of those that hold.
    applied: FxHashMap<Seq, u32>,
    /// Places in `ops` of those that were taken back, in order of leaving.
    gone: Vec<u32>,
    /// Union-find over subjects.
    touch: Vec<u32>,
    components: FxHashMap<u32, Component>,
    notes: Arc<FxHashMap<u32, Arc<Notes>>>,
    /// What the last operation of a device left it as.
    last: FxHashMap<u32, Last>,
    /// The same of every operation, in log order, for devices that had more than one.
    marks: FxHashMap<u32, Vec<Last>>,
    dirty: FxHashSet<u32>,
    view: Option<Arc<View>>,
    patch: Patch,
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new(IdentityConfig::default())
    }
}

impl Graph {
    /// An empty graph under these rules.
    pub fn new(config: IdentityConfig) -> Graph {
        Graph {
            fold: Fold::new(config),
            kinds: Arc::new(vec![SubjectKind::Device]),
            first: Arc::new(vec![UNSEEN]),
            earlier: FxHashMap::default(),
            ops: Vec::new(),
            applied: FxHashMap::default(),
            gone: Vec::new(),
            touch: vec![0],
            components: FxHashMap::default(),
            notes: Arc::default(),
            last: FxHashMap::default(),
            marks: FxHashMap::default(),
            dirty: FxHashSet::default(),
            view: None,
            patch: Patch::default(),
        }
    }

    /// The rules in force.
    pub fn config(&self) -> &IdentityConfig {
        &self.fold.config
    }

    /// Number of subjects; the next one has this number plus one.
    pub fn subjects(&self) -> u32 {
        (self.first.len() - 1) as u32
    }

    /// Adds the next subject, first seen at `first_seq` ([`UNSEEN`] if it was only mentioned as another's
    /// alias). To be added before the operations that name it. Numbers are dense: a gap is filled with unseen
    /// devices. Adding one again changes nothing.
    pub fn add_subject(&mut self, id: SubjectId, kind: SubjectKind, first_seq: Seq) {
        if (id.0 as usize) < self.first.len() {
            return;
        }
        self.view = None;
        while self.first.len() <= id.0 as usize {
            let n = self.first.len() as u32;
            let (kind, first) = if n == id.0 { (kind, first_seq) } else { (SubjectKind::Device, UNSEEN) };
            Arc::make_mut(&mut self.kinds).push(kind);
            Arc::make_mut(&mut self.first).push(first);
            self.touch.push(n);
            self.fold.add_subject(n);
        }
    }

    /// Applies one operation, whenever it arrives. One that was applied before (same `seq`) changes nothing.
    /// Subjects it names that were never added count as unseen.
    pub fn apply(&mut self, op: IdentityOp) -> Applied {
        if self.applied.contains_key(&op.seq) {
            return Applied::default();
        }
        self.view = None;
        self.add_missing(&op);
        if !op.device.is_none() && op.user.is_none() && op.action != Action::Reset {
            self.fold.add_life(op.device.0);
        }
        self.remember(&op);
        let Some((root, late)) = self.connect(&op) else { return Applied::default() };
        let index = self.ops.len() as u32;
        self.ops.push(op);
        self.applied.insert(op.seq, index);
        self.dirty.insert(root);
        // `connect` always leaves a component under the root it returns.
        let Some(component) = self.components.get_mut(&root) else { return Applied::default() };
        component.ops.push(index);
        component.last = component.last.max(Some(op.seq));
        component.stale |= late;
        if component.stale {
            return Applied { changed: true, refused: None, late };
        }
        let notes = Arc::make_mut(Arc::make_mut(&mut self.notes).entry(root).or_default());
        let before = notes.refusals.len();
        let changed = self.fold.step(&op, notes);
        Applied { changed, refused: notes.refusals.get(before).copied(), late: false }
    }

    /// Takes the operation at this place of the log back: its record is not visible any more. False if there is none.
    /// First sights that subjects were added with stay.
    pub fn retract(&mut self, seq: Seq) -> bool {
        let Some(index) = self.applied.remove(&seq) else { return false };
        self.gone.push(index);
        self.view = None;
        let op = self.ops[index as usize];
        if let Some(subject) = op.subjects().next() {
            let root = self.root(subject.0);
            self.dirty.insert(root);
            if let Some(component) = self.components.get_mut(&root) {
                component.ops.retain(|i| *i != index);
                component.stale = true;
            }
        }
        self.forget_mark(op.device.0, seq);
        for subject in [op.device, op.user].into_iter().filter(|s| !s.is_none()) {
            self.find_earlier(subject.0);
        }
        true
    }

    /// The operation at this place of the log.
    pub fn op_at(&self, seq: Seq) -> Option<&IdentityOp> {
        self.applied.get(&seq).and_then(|i| self.ops.get(*i as usize))
    }

    /// The graph as folded so far. Cheap if nothing changed since the last view.
    pub fn view(&mut self) -> Arc<View> {
        if let Some(view) = &self.view {
            return view.clone();
        }
        let mut dirty: Vec<u32> = std::mem::take(&mut self.dirty).into_iter().map(|s| self.root(s)).collect();
        dirty.sort_unstable();
        dirty.dedup();
        for &root in &dirty {
            if self.components.get(&root).is_some_and(|c| c.stale) {
                self.refold(root);
            }
        }
        let components = &self.components;
        let members = dirty.iter().filter_map(|root| Some((root, &components.get(root)?.members)));
        let members = members.flat_map(|(root, members)| members.iter().map(|m| (*m, *root)));
        self.patch.update(&mut self.fold, &self.kinds, members);
        let view =
            Arc::new(self.patch.view(&self.fold, self.kinds.clone(), self.first.clone(), self.notes.clone()));
        self.view = Some(view.clone());
        view
    }

    /// What rebuilds this graph.
    pub fn to_parts(&self) -> GraphParts {
        GraphParts {
            config: self.fold.config,
            subjects: self.kinds.iter().copied().zip(self.first.iter().copied()).skip(1).collect(),
            nodes: self.fold.nodes.iter().skip(1).map(|n| (n.subject, n.life)).collect(),
            ops: self.ops.clone(),
            gone: self.gone.clone(),
        }
    }

    /// The graph that `parts` were taken from.
    pub fn from_parts(parts: &GraphParts) -> Graph {
        let mut graph = Graph::new(parts.config);
        let gone: FxHashSet<u32> = parts.gone.iter().copied().collect();
        let mut ops = (0u32..).zip(&parts.ops);
        let arrive = |graph: &mut Graph, (index, op): (u32, &IdentityOp)| {
            graph.apply(*op);
            // It reserved its nodes; that is all it is still good for.
            if gone.contains(&index) {
                graph.retract(op.seq);
            }
        };
        // Nodes were reserved in an order that mixes subjects and operations; going through them in that
        // order gives every one its old number.
        for &(subject, life) in &parts.nodes {
            if life == 0 {
                if let Some(&(kind, first)) =
                    (subject as usize).checked_sub(1).and_then(|i| parts.subjects.get(i))
                {
                    graph.add_subject(SubjectId(subject), kind, first);
                }
                continue;
            }
            while graph.fold.lives.get(&subject).map_or(0, Vec::len) < life as usize {
                let Some(op) = ops.next() else { break };
                arrive(&mut graph, op);
            }
        }
        ops.for_each(|op| arrive(&mut graph, op));
        graph.gone.clone_from(&parts.gone);
        graph
    }

    /// First sight of a subject, operations included.
    pub(crate) fn first_sight(&self, subject: u32) -> Seq {
        let recorded = self.first.get(subject as usize).copied().unwrap_or(UNSEEN);
        self.earlier.get(&subject).copied().unwrap_or(UNSEEN).min(recorded)
    }

    /// What the last operation of `device` before `seq` was, leaving out those in `without`.
    pub(crate) fn mark_before(&self, device: u32, seq: Seq, without: &FxHashSet<Seq>) -> Option<Last> {
        let marks = self.marks_of(device);
        let before = marks.partition_point(|m| m.seq < seq);
        marks[..before].iter().rev().find(|m| !without.contains(&m.seq)).copied()
    }

    /// Where the next operation of `device` after `seq` is, leaving out those in `without`.
    pub(crate) fn mark_after(&self, device: u32, seq: Seq, without: &FxHashSet<Seq>) -> Option<Seq> {
        let marks = self.marks_of(device);
        let from = marks.partition_point(|m| m.seq <= seq);
        marks[from..].iter().map(|m| m.seq).find(|s| !without.contains(s))
    }

    fn marks_of(&self, device: u32) -> &[Last] {
        match self.marks.get(&device) {
            Some(all) => all,
            None => self.last.get(&device).map_or(&[], std::slice::from_ref),
        }
    }

    fn add_mark(&mut self, device: u32, mark: Last) {
        let Some(last) = self.last.get_mut(&device) else {
            self.last.insert(device, mark);
            return;
        };
        let all = self.marks.entry(device).or_insert_with(|| vec![*last]);
        let at = all.partition_point(|m| m.seq < mark.seq);
        all.insert(at, mark);
        if mark.seq > last.seq {
            *last = mark;
        }
    }

    fn forget_mark(&mut self, device: u32, seq: Seq) {
        if let Some(all) = self.marks.get_mut(&device) {
            all.retain(|m| m.seq != seq);
        }
        if self.last.get(&device).is_some_and(|l| l.seq == seq) {
            match self.marks.get(&device).and_then(|all| all.last()) {
                Some(before) => self.last.insert(device, *before),
                None => self.last.remove(&device),
            };
        }
        if self.marks.get(&device).is_some_and(|all| all.len() < 2) {
            self.marks.remove(&device);
        }
    }

    /// Finds out anew what the earliest operation that carries a subject is.
    fn find_earlier(&mut self, subject: u32) {
        self.earlier.remove(&subject);
        let Some(component) = self.components.get(&self.root_of(subject)) else { return };
        let ops = component.ops.iter().filter_map(|i| self.ops.get(*i as usize));
        let carries = |op: &&IdentityOp| op.device.0 == subject || op.user.0 == subject;
        if let Some(seq) = ops.filter(carries).map(|op| op.seq).min()
            && seq < self.first_sight(subject)
        {
            self.earlier.insert(subject, seq);
        }
    }

    fn add_missing(&mut self, op: &IdentityOp) {
        let users = [op.user, op.other_user];
        let devices = [op.device, op.other_device];
        let missing = |s: &SubjectId| s.0 as usize >= self.first.len();
        let mut new: Vec<(SubjectId, SubjectKind)> = users
            .into_iter()
            .filter(missing)
            .map(|s| (s, SubjectKind::User))
            .chain(devices.into_iter().filter(missing).map(|s| (s, SubjectKind::Device)))
            .collect();
        new.sort_unstable_by_key(|(s, _)| *s);
        new.into_iter().for_each(|(s, kind)| self.add_subject(s, kind, UNSEEN));
    }

    fn remember(&mut self, op: &IdentityOp) {
        for subject in [op.device, op.user].into_iter().filter(|s| !s.is_none()) {
            if op.seq < self.first_sight(subject.0) {
                self.earlier.insert(subject.0, op.seq);
            }
        }
        if let Some(mark) = Mark::of(op, op.device.0) {
            self.add_mark(op.device.0, mark);
        }
    }

    /// Joins the components of the subjects of `op`; the root, and whether `op` comes out of order there.
    fn connect(&mut self, op: &IdentityOp) -> Option<(u32, bool)> {
        let mut late = false;
        let mut joined: Option<u32> = None;
        for subject in op.subjects() {
            let root = self.root(subject.0);
            if !self.components.contains_key(&root) {
                late |= self.settle_first_sight(subject.0, op.seq);
                // A first sight is folded like an operation, so what comes before it is late.
                let last = Some(self.first[subject.0 as usize]).filter(|first| *first != UNSEEN);
                let component = Component { members: vec![subject.0], last, ..Component::default() };
                self.components.insert(root, component);
            }
            late |= self.components.get(&root).is_some_and(|c| c.last > Some(op.seq));
            joined = Some(match joined {
                Some(other) if other != root => self.unite(other, root),
                _ => root,
            });
        }
        joined.map(|root| (root, late))
    }

    /// A subject enters a component: what its recorded first sight did, if that came before. True if it
    /// comes after `seq`, so that the component must be folded in order.
    fn settle_first_sight(&mut self, subject: u32, seq: Seq) -> bool {
        let first = self.first[subject as usize];
        if first < seq {
            self.fold.seen(subject, self.kinds[subject as usize], first);
        }
        first != UNSEEN && first > seq
    }

    fn unite(&mut self, a: u32, b: u32) -> u32 {
        let size = |r: &u32| self.components.get(r).map_or(0, |c| c.members.len() + c.ops.len());
        let (into, from) = if size(&a) >= size(&b) { (a, b) } else { (b, a) };
        self.touch[from as usize] = into;
        if let (Some(moved), Some(target)) = (self.components.remove(&from), self.components.get_mut(&into)) {
            target.members.extend(moved.members);
            target.ops.extend(moved.ops);
            target.last = target.last.max(moved.last);
            target.stale |= moved.stale;
        }
        let notes = Arc::make_mut(&mut self.notes);
        if let Some(moved) = notes.remove(&from) {
            let target = Arc::make_mut(notes.entry(into).or_default());
            target.merges.extend_from_slice(&moved.merges);
            target.refusals.extend_from_slice(&moved.refusals);
        }
        into
    }

    fn refold(&mut self, root: u32) {
        let Some(component) = self.components.get_mut(&root) else { return };
        component.stale = false;
        component.ops.sort_unstable_by_key(|&i| self.ops[i as usize].seq);
        // Events in log order. An operation comes before a first sight at the same place: it *is* that event.
        let mut events: Vec<(Seq, bool, u32)> = Vec::with_capacity(component.ops.len());
        events.extend(component.ops.iter().map(|&i| (self.ops[i as usize].seq, false, i)));
        for &member in &component.members {
            self.fold.forget(member);
            let first = self.first[member as usize];
            if first != UNSEEN && !self.applied.contains_key(&first) {
                events.push((first, true, member));
            }
        }
        events.sort_unstable();
        let mut notes = Notes::default();
        for (seq, sight, index) in events {
            if sight {
                self.fold.seen(index, self.kinds[index as usize], seq);
            } else {
                self.fold.step(&self.ops[index as usize], &mut notes);
            }
        }
        Arc::make_mut(&mut self.notes).insert(root, Arc::new(notes));
    }

    fn root(&mut self, mut subject: u32) -> u32 {
        while self.touch[subject as usize] != subject {
            let up = self.touch[self.touch[subject as usize] as usize];
            self.touch[subject as usize] = up;
            subject = up;
        }
        subject
    }

    fn root_of(&self, mut subject: u32) -> u32 {
        while self.touch.get(subject as usize).is_some_and(|up| *up != subject) {
            subject = self.touch[subject as usize];
        }
        subject
    }
}
