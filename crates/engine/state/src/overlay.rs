//! Decisions that are not committed yet, on top of state: what a commit in the making will add.
//!
//! Guarantees: answers as if its additions were applied; state itself is untouched, so dropping it forgets
//! everything (a crash, a refused commit). It is committed whole: what was decided leans on what was decided
//! before (the dedup model shows what happens otherwise).
//! Deliberately not here: the decisions (`processor::decide`).

use crate::control::BrokenRule;
use crate::dedup::DedupEntry;
use crate::delta::{Delta, DeltaProject, Exception, Retracted, SubjectActivity};
use crate::fold::ProjectFold;
use crate::state::State;
use crate::stats::ProjectStats;
use crate::subjects::NewSubject;
use hashbrown::HashMap;
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tallymark_identity::{Graph, IdentityOp, OpFilter, Sight, UNSEEN};
use tallymark_ledger::Interval;
use tallymark_model::{CommitId, Control, Millis, Position, ProjectId, Seq, SubjectId, SubjectKind};

/// Additions to a state.
pub struct Overlay<'a> {
    state: &'a State,
    rows: FxHashMap<u64, DedupEntry>,
    dedup: Vec<DedupEntry>,
    projects: BTreeMap<ProjectId, ProjectOverlay<'a>>,
    exceptions: Vec<Exception>,
    controls: Vec<(Position, Control)>,
    broken: Vec<BrokenRule>,
    restated: Vec<Interval>,
    gone: Vec<DedupEntry>,
    gone_at: FxHashSet<(u64, Position)>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(state: &'a State) -> Overlay<'a> {
        Overlay {
            state,
            rows: FxHashMap::default(),
            dedup: Vec::new(),
            projects: BTreeMap::new(),
            exceptions: Vec::new(),
            controls: Vec::new(),
            broken: Vec::new(),
            restated: Vec::new(),
            gone: Vec::new(),
            gone_at: FxHashSet::default(),
        }
    }

    /// The visible row with this key, seen from a record received on `day` at `own`; none if that row *is* the
    /// record's own (design rule 3).
    pub fn witness(&self, key: u64, day: i32, own: Position) -> Option<Position> {
        let window = u32::from(self.state.dedup().window_days());
        let fresh = self.rows.get(&key).filter(|e| e.day.abs_diff(day) <= window);
        let found = match fresh {
            Some(e) => Position::unpack(e.position),
            None if self.gone.is_empty() => self.state.dedup().get(key, day),
            None => self.state.dedup().get_without(key, day, |p| self.gone_at.contains(&(key, p))),
        };
        found.filter(|p| *p != own)
    }

    /// Notes the visible row of a key.
    pub fn row(&mut self, entry: DedupEntry) {
        let held = self.rows.entry(entry.key).or_insert(entry);
        if held.day <= entry.day {
            *held = entry;
        }
        self.dedup.push(entry);
    }

    /// Notes that the row of an entry is masked, before anything leans on it.
    pub fn gone(&mut self, entry: DedupEntry) {
        if let Some(position) = Position::unpack(entry.position)
            && self.gone_at.insert((entry.key, position))
        {
            self.gone.push(entry);
        }
    }

    /// Notes a control record that the commit passes.
    pub fn control(&mut self, position: Position, control: Control) {
        self.controls.push((position, control));
    }

    /// Notes that a version of a rule does nothing.
    pub fn broken(&mut self, broken: BrokenRule) {
        self.broken.push(broken);
    }

    /// Notes that what earlier deltas say about these records is superseded.
    pub fn restate(&mut self, intervals: Vec<Interval>) {
        self.restated.extend(intervals);
    }

    /// Notes a record that becomes no row.
    pub fn exception(&mut self, exception: Exception) {
        self.exceptions.push(exception);
    }

    /// The additions of one project.
    pub fn project(&mut self, project: ProjectId) -> &mut ProjectOverlay<'a> {
        let state = self.state;
        self.projects.entry(project).or_insert_with(|| ProjectOverlay::new(state.project(project)))
    }

    /// The delta of all this.
    pub fn finish(self, commit: CommitId) -> Delta {
        let projects = self.projects.into_iter().map(|(id, p)| p.finish(id)).filter(|p| !p.is_empty());
        let (mut exceptions, mut controls) = (self.exceptions, self.controls);
        exceptions.sort_by_key(|e| e.position);
        controls.sort_by_key(|(position, _)| *position);
        let back: FxHashSet<(u64, u64)> = self.dedup.iter().map(|e| (e.key, e.position)).collect();
        Delta {
            commit,
            projects: projects.collect(),
            // An entry that leaves and comes back, unchanged, need not travel.
            dedup_gone: self.gone.into_iter().filter(|e| !back.contains(&(e.key, e.position))).collect(),
            dedup: self.dedup,
            exceptions,
            controls,
            broken: self.broken,
            restated: self.restated,
        }
    }
}

/// Additions to one project.
pub struct ProjectOverlay<'a> {
    base: Option<&'a ProjectFold>,
    empty: Graph,
    numbers: [HashMap<String, SubjectId>; 2],
    subjects: Vec<NewSubject>,
    filter: OpFilter,
    ops: Vec<IdentityOp>,
    activity: FxHashMap<SubjectId, SubjectActivity>,
    stats: ProjectStats,
    sights: FxHashMap<SubjectId, Seq>,
    gone: FxHashMap<SubjectId, SubjectActivity>,
    retracted: Retracted,
}

impl<'a> ProjectOverlay<'a> {
    fn new(base: Option<&'a ProjectFold>) -> Self {
        ProjectOverlay {
            base,
            empty: Graph::default(),
            numbers: Default::default(),
            subjects: Vec::new(),
            filter: OpFilter::new(),
            ops: Vec::new(),
            activity: FxHashMap::default(),
            stats: ProjectStats::default(),
            sights: FxHashMap::default(),
            gone: FxHashMap::default(),
            retracted: Retracted::default(),
        }
    }

    /// The number of a raw id carried by the record at `seq`, given now if it has none.
    pub fn subject(&mut self, kind: SubjectKind, raw: &str, seq: Seq) -> SubjectId {
        self.number(kind, raw, seq)
    }

    /// The number of a raw id that a record only mentions as another's alias.
    pub fn mention(&mut self, kind: SubjectKind, raw: &str) -> SubjectId {
        self.number(kind, raw, UNSEEN)
    }

    /// Offers an operation of which nothing is late.
    pub fn op(&mut self, op: IdentityOp) {
        self.op_among(op, || Cow::Borrowed(&[]));
    }

    /// Offers an operation; it is recorded if it tells the graph something. Operations are offered in log order.
    /// `sights` gives the committed visible records of its device after it, and is asked for only if it is late.
    pub fn op_among<'s>(&mut self, op: IdentityOp, sights: impl FnOnce() -> Cow<'s, [Sight]>) {
        if !op.device.is_none() {
            let last = self.sights.entry(op.device).or_insert(op.seq);
            *last = op.seq.max(*last);
        }
        let graph = self.base.map_or(&self.empty, |b| &b.graph);
        if !self.filter.admit(graph, &op) {
            return;
        }
        self.ops.push(op);
        let late = !op.device.is_none() && self.base.is_some_and(|b| op.seq < b.latest(op.device));
        if late {
            self.ops.extend(self.filter.settle(graph, op.device, op.seq, &sights()));
        }
    }

    /// The operation that state has of this record.
    pub fn recorded(&self, seq: Seq) -> Option<IdentityOp> {
        self.base.and_then(|b| b.graph.op_at(seq)).copied()
    }

    /// Takes the recorded operation of a masked row back, in log order with the operations offered.
    pub fn retract_op(&mut self, op: IdentityOp, sights: &[Sight]) {
        let graph = self.base.map_or(&self.empty, |b| &b.graph);
        self.filter.retract(op.seq);
        self.retracted.ops.push(op.seq);
        if !op.device.is_none() {
            self.ops.extend(self.filter.settle(graph, op.device, op.seq, sights));
        }
    }

    /// Counts one event of a subject.
    pub fn active(&mut self, subject: SubjectId, time: Millis) {
        count(&mut self.activity, subject, time);
    }

    /// Takes one event of a subject back.
    pub fn retract_active(&mut self, subject: SubjectId, time: Millis) {
        count(&mut self.gone, subject, time);
    }

    /// Takes statistics of names back.
    pub fn retract_stats(&mut self, stats: &ProjectStats) {
        self.retracted.stats.merge(stats);
    }

    /// Adds statistics of names.
    pub fn stats(&mut self, stats: &ProjectStats) {
        self.stats.merge(stats);
    }

    fn number(&mut self, kind: SubjectKind, raw: &str, seq: Seq) -> SubjectId {
        if let Some(known) = self.base.and_then(|b| b.subjects.find(kind, raw)) {
            return known;
        }
        if let Some(known) = self.numbers[kind as usize].get(raw) {
            return *known;
        }
        let held = self.base.map_or(0, |b| b.subjects.len());
        let id = SubjectId(held + self.subjects.len() as u32 + 1);
        self.numbers[kind as usize].insert(raw.to_owned(), id);
        self.subjects.push(NewSubject { id, kind, raw: raw.to_owned(), first_seq: seq });
        if seq != UNSEEN {
            self.filter.introduce(id, seq);
        }
        id
    }

    fn finish(self, project: ProjectId) -> DeltaProject {
        let sorted = |counts: FxHashMap<SubjectId, SubjectActivity>| {
            let mut activity: Vec<SubjectActivity> = counts.into_values().collect();
            activity.sort_unstable_by_key(|a| a.subject);
            activity
        };
        let mut sights: Vec<(SubjectId, Seq)> = self.sights.into_iter().collect();
        sights.sort_unstable();
        DeltaProject {
            project,
            subjects: self.subjects,
            ops: self.ops,
            activity: sorted(self.activity),
            stats: self.stats,
            sights: Some(sights),
            retracted: Retracted { activity: sorted(self.gone), ..self.retracted },
        }
    }
}

fn count(counts: &mut FxHashMap<SubjectId, SubjectActivity>, subject: SubjectId, time: Millis) {
    let fresh = SubjectActivity { subject, events: 0, first: time, last: time };
    let held = counts.entry(subject).or_insert(fresh);
    held.events += 1;
    held.first = held.first.min(time);
    held.last = held.last.max(time);
}
