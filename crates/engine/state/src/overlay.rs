//! Decisions that are not committed yet, on top of state: what a commit in the making will add.
//!
//! Guarantees: answers as if its additions were applied; state itself is untouched, so dropping it forgets
//! everything (a crash, a refused commit). It is committed whole: what was decided leans on what was decided
//! before (the dedup model shows what happens otherwise).
//! Deliberately not here: the decisions (`processor::decide`).

use crate::dedup::DedupEntry;
use crate::delta::{Delta, DeltaProject, Exception, SubjectActivity};
use crate::fold::ProjectFold;
use crate::state::State;
use crate::stats::ProjectStats;
use crate::subjects::NewSubject;
use hashbrown::HashMap;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use tallymark_identity::{Graph, IdentityOp, OpFilter, UNSEEN};
use tallymark_model::{CommitId, Millis, Position, ProjectId, Seq, SubjectId, SubjectKind};

/// Additions to a state.
pub struct Overlay<'a> {
    state: &'a State,
    rows: FxHashMap<u64, DedupEntry>,
    dedup: Vec<DedupEntry>,
    projects: BTreeMap<ProjectId, ProjectOverlay<'a>>,
    exceptions: Vec<Exception>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(state: &'a State) -> Overlay<'a> {
        Overlay {
            state,
            rows: FxHashMap::default(),
            dedup: Vec::new(),
            projects: BTreeMap::new(),
            exceptions: Vec::new(),
        }
    }

    /// The visible row with this key, seen from a record received on `day` at `own`; none if that row *is* the
    /// record's own (design rule 3).
    pub fn witness(&self, key: u64, day: i32, own: Position) -> Option<Position> {
        let window = u32::from(self.state.dedup().window_days());
        let fresh = self.rows.get(&key).filter(|e| e.day.abs_diff(day) <= window);
        let found = match fresh {
            Some(e) => Position::unpack(e.position),
            None => self.state.dedup().get(key, day),
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
        let projects = self.projects.into_iter().map(|(id, p)| p.finish(id)).filter(|p| {
            !(p.subjects.is_empty() && p.ops.is_empty() && p.activity.is_empty() && p.stats.is_empty())
        });
        let mut exceptions = self.exceptions;
        exceptions.sort_by_key(|e| e.position);
        Delta { commit, projects: projects.collect(), dedup: self.dedup, exceptions }
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

    /// Offers an operation; it is recorded if it tells the graph something.
    pub fn op(&mut self, op: IdentityOp) {
        let graph = self.base.map_or(&self.empty, |b| &b.graph);
        if self.filter.admit(graph, &op) {
            self.ops.push(op);
        }
    }

    /// Counts one event of a subject.
    pub fn active(&mut self, subject: SubjectId, time: Millis) {
        let fresh = SubjectActivity { subject, events: 0, first: time, last: time };
        let held = self.activity.entry(subject).or_insert(fresh);
        held.events += 1;
        held.first = held.first.min(time);
        held.last = held.last.max(time);
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
        let mut activity: Vec<SubjectActivity> = self.activity.into_values().collect();
        activity.sort_unstable_by_key(|a| a.subject);
        DeltaProject { project, subjects: self.subjects, ops: self.ops, activity, stats: self.stats }
    }
}
