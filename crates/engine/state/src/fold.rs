//! The part of state that readers need too: raw ids, identity, activity, names; per project.
//!
//! Guarantees: changes only by whole deltas in commit order; a delta that does not fit changes nothing.
//! Deliberately not here: dedup (only the processor decides), files.

use crate::StateError;
use crate::codec::{Reader, Writer};
use crate::control::{Controls, ErasedSubjects};
use crate::delta::{Delta, DeltaProject, SubjectActivity};
use crate::delta_codec::{op, read_kind, read_op, uuid_of};
use crate::stats::ProjectStats;
use crate::subjects::SubjectTable;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tallymark_identity::{Graph, GraphParts, UNSEEN};
use tallymark_model::{CommitId, CommitSeq, Millis, ProjectId, Seq, SubjectId};

/// How much a subject did; operations are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Number of events; 0 = none, and then the times mean nothing.
    pub events: u64,
    /// Earliest event time, ms UTC.
    pub first: Millis,
    /// Latest event time, ms UTC.
    pub last: Millis,
}

impl Activity {
    /// Nothing done.
    pub const NONE: Activity = Activity { events: 0, first: Millis::MAX, last: Millis::MIN };

    /// Both together.
    pub fn merge(self, other: Activity) -> Activity {
        Activity {
            events: self.events + other.events,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// One project's part of the fold.
#[derive(Debug, Default)]
pub struct ProjectFold {
    /// Raw ids.
    pub subjects: SubjectTable,
    /// Who is who.
    pub graph: Graph,
    /// Names sent.
    pub stats: ProjectStats,
    /// Per subject, from number 1.
    activity: Vec<Activity>,
    /// Per device, from number 1: its last visible record. Never moves back.
    latest: Vec<Seq>,
    /// Subjects up to this number come from deltas that did not say when they were seen last.
    unsaid: u32,
    /// Which rows are hidden.
    erased: Arc<ErasedSubjects>,
}

impl ProjectFold {
    /// What a subject did.
    pub fn activity(&self, subject: SubjectId) -> Activity {
        let index = (subject.0 as usize).wrapping_sub(1);
        self.activity.get(index).copied().unwrap_or(Activity::NONE)
    }

    /// The last visible record that carried a device; [`UNSEEN`] if that is not known, so that anything is late.
    /// A record that was masked since still counts.
    pub fn latest(&self, device: SubjectId) -> Seq {
        if device.0 <= self.unsaid {
            return UNSEEN;
        }
        let index = (device.0 as usize).wrapping_sub(1);
        self.latest.get(index).copied().unwrap_or(Seq::MIN)
    }

    /// Which rows are hidden because their person is to be forgotten.
    pub fn erased(&self) -> &Arc<ErasedSubjects> {
        &self.erased
    }

    fn apply(&mut self, delta: &DeltaProject) {
        for s in &delta.subjects {
            self.subjects.add(s.kind, &s.raw, s.first_seq);
            self.graph.add_subject(s.id, s.kind, s.first_seq);
        }
        for seq in &delta.retracted.ops {
            self.graph.retract(*seq);
        }
        for op in &delta.ops {
            self.graph.apply(*op);
        }
        self.activity.resize(self.subjects.len() as usize, Activity::NONE);
        for SubjectActivity { subject, events, first, last } in delta.activity.iter().copied() {
            if let Some(held) = (subject.0 as usize).checked_sub(1).and_then(|i| self.activity.get_mut(i)) {
                *held = held.merge(Activity { events, first, last });
            }
        }
        for SubjectActivity { subject, events, .. } in &delta.retracted.activity {
            if let Some(held) = (subject.0 as usize).checked_sub(1).and_then(|i| self.activity.get_mut(i)) {
                held.events = held.events.saturating_sub(*events);
                if held.events == 0 {
                    *held = Activity::NONE;
                }
            }
        }
        // What arrives first, so that a name that only changed rows keeps its history.
        self.stats.merge(&delta.stats);
        self.stats.subtract(&delta.retracted.stats);
        self.latest.resize(self.subjects.len() as usize, Seq::MIN);
        match &delta.sights {
            None => self.unsaid = self.subjects.len(),
            Some(sights) => {
                for (device, seq) in sights {
                    let held = (device.0 as usize).checked_sub(1).and_then(|i| self.latest.get_mut(i));
                    if let Some(held) = held {
                        *held = (*held).max(*seq);
                    }
                }
            }
        }
    }

    fn check(&self, commit: CommitId, delta: &DeltaProject) -> Result<(), StateError> {
        self.subjects.check(commit, &delta.subjects)?;
        let known = u64::from(self.subjects.len()) + delta.subjects.len() as u64;
        let named =
            delta.ops.iter().flat_map(|op| op.subjects()).chain(delta.activity.iter().map(|a| a.subject));
        let named = named.chain(delta.sights.iter().flatten().map(|(device, _)| *device));
        match named.map(|s| u64::from(s.0)).max().filter(|n| *n > known) {
            Some(n) => Err(StateError::Mismatch {
                commit,
                detail: format!("it names subject {n} of project {}, which has {known}", delta.project),
            }),
            None => Ok(()),
        }
    }

    fn write(&self, w: &mut Writer) {
        let parts = self.graph.to_parts();
        w.list(parts.subjects.iter().enumerate(), |w, (i, (kind, first))| {
            w.u8(*kind as u8);
            w.seq(*first);
            w.str(self.subjects.names().get(SubjectId(i as u32 + 1)).map_or("", |(_, raw)| raw));
        });
        w.list(parts.nodes.iter(), |w, (subject, life)| {
            w.u64(u64::from(*subject));
            w.u64(u64::from(*life));
        });
        w.list(parts.ops.iter(), op);
        w.list(parts.gone.iter(), |w, index| w.u64(u64::from(*index)));
        w.u64(u64::from(self.unsaid));
        w.list(self.latest.iter(), |w, seq| {
            // Users have no last sight; a bit saves them eleven bytes each.
            w.u8(u8::from(*seq != Seq::MIN));
            if *seq != Seq::MIN {
                w.seq(*seq);
            }
        });
        w.list(self.activity.iter(), |w, a| {
            w.u64(a.events);
            if a.events > 0 {
                w.i64(a.first);
                w.i64(a.last);
            }
        });
        self.stats.write(w);
    }

    fn read(r: &mut Reader<'_>, version: u8) -> Result<ProjectFold, StateError> {
        let mut subjects = SubjectTable::default();
        let known = r.list(|r| {
            let (kind, first, raw) = (read_kind(r)?, r.seq()?, r.str()?);
            subjects.add(kind, raw, first);
            Ok((kind, first))
        })?;
        let nodes = r.list(|r| Ok((r.u32()?, r.u32()?)))?;
        let ops = r.list(read_op)?;
        let (gone, unsaid, latest) = if version >= 2 {
            let latest = |r: &mut Reader<'_>| if r.u8()? == 0 { Ok(Seq::MIN) } else { r.seq() };
            (r.list(|r| r.u32())?, r.u32()?, r.list(latest)?)
        } else {
            (Vec::new(), subjects.len(), vec![Seq::MIN; subjects.len() as usize])
        };
        let activity = r.list(|r| {
            let events = r.u64()?;
            Ok(if events == 0 {
                Activity::NONE
            } else {
                Activity { events, first: r.i64()?, last: r.i64()? }
            })
        })?;
        let parts = GraphParts { subjects: known, nodes, ops, gone, ..GraphParts::default() };
        let graph = Graph::from_parts(&parts);
        let stats = ProjectStats::read(r)?;
        Ok(ProjectFold { subjects, graph, stats, activity, latest, unsaid, erased: Arc::default() })
    }
}

/// Where a fold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) seq: CommitSeq,
    pub(crate) commit: CommitId,
}

/// What is to be done with an offered commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is the next one.
    Apply,
    /// It is in the fold already.
    Known,
}

/// Everything but dedup.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) tip: Option<Tip>,
    pub(crate) projects: BTreeMap<ProjectId, ProjectFold>,
    pub(crate) controls: Controls,
}

impl Fold {
    pub(crate) fn applied(&self) -> CommitSeq {
        self.tip.map_or(CommitSeq(0), |t| t.seq)
    }

    /// Judges an offered commit by its number and id.
    pub(crate) fn next(&self, seq: CommitSeq, commit: CommitId) -> Result<Next, StateError> {
        let applied = self.applied();
        match self.tip {
            Some(tip) if tip.seq == seq && tip.commit != commit => {
                Err(StateError::Foreign { seq, held: tip.commit, offered: commit })
            }
            _ if seq <= applied => Ok(Next::Known),
            _ if seq.0 == applied.0 + 1 => Ok(Next::Apply),
            _ => Err(StateError::Gap { applied, offered: seq }),
        }
    }

    pub(crate) fn check(&self, delta: &Delta) -> Result<(), StateError> {
        let fresh = ProjectFold::default();
        let one = |p: &DeltaProject| self.projects.get(&p.project).unwrap_or(&fresh).check(delta.commit, p);
        delta.projects.iter().try_for_each(one)
    }

    /// Adds a delta that was checked.
    pub(crate) fn add(&mut self, seq: CommitSeq, delta: &Delta) {
        let mut unresolved = BTreeSet::new();
        for p in &delta.projects {
            let project = self.projects.entry(p.project).or_default();
            project.apply(p);
            if p.subjects.iter().any(|s| project.erased.names(s.kind, &s.raw)) {
                unresolved.insert(p.project);
            }
        }
        for (position, control) in &delta.controls {
            self.controls.add(*position, control);
            unresolved.extend(Controls::erases(control));
        }
        delta.broken.iter().for_each(|b| self.controls.rules.mark_broken(b));
        unresolved.into_iter().for_each(|project| self.resolve_erased(project));
        self.tip = Some(Tip { seq, commit: delta.commit });
    }

    fn resolve_erased(&mut self, project: ProjectId) {
        let wishes = self.controls.erasures.of(project);
        // Also for a project without a single subject yet: a replay may bring one.
        let held = self.projects.entry(project).or_default();
        held.erased = Arc::new(ErasedSubjects::resolve(wishes, &held.subjects));
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.applied().0);
        w.0.extend_from_slice(self.tip.map_or(uuid::Uuid::nil(), |t| t.commit.0).as_bytes());
        w.list(self.projects.iter(), |w, (id, p)| {
            w.u64(u64::from(id.0));
            p.write(w);
        });
        self.controls.write(w);
    }

    /// Reads what [`Fold::write`] of this or an earlier version wrote.
    pub(crate) fn read(r: &mut Reader<'_>, version: u8) -> Result<Fold, StateError> {
        let seq = CommitSeq(r.u64()?);
        let mut id = [0; 16];
        id.copy_from_slice(r.take(16)?);
        let tip = (seq.0 > 0).then(|| Tip { seq, commit: CommitId(uuid_of(id)) });
        let projects = r.list(|r| Ok((ProjectId(r.u32()?), ProjectFold::read(r, version)?)))?;
        let controls = if version >= 2 { Controls::read(r)? } else { Controls::default() };
        r.end()?;
        let mut fold = Fold { tip, projects: projects.into_iter().collect(), controls };
        let erased: Vec<ProjectId> = fold.controls.erasures.projects().collect();
        erased.into_iter().for_each(|project| fold.resolve_erased(project));
        Ok(fold)
    }
}
