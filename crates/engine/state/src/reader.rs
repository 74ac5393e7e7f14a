//! The fold without dedup, for processes that only read: queries, pages about persons, the compactor.
//!
//! Guarantees: a snapshot stands still and belongs to exactly one commit sequence; take it first and ask the
//! catalog for *its* sequence, then segments and identity fit together (I7).
//! Deliberately not here: fetching deltas (feed the reader from the catalog's feed and the object store).

use crate::StateError;
use crate::checkpoint;
use crate::control::{ErasedSubjects, ErasureInForce, RefusalHour, RuleInForce};
use crate::delta::Delta;
use crate::fold::{Activity, Fold, Next, ProjectFold, Tip};
use crate::state::Applied;
use crate::stats::ProjectStats;
use crate::subjects::SubjectNames;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use tallymark_identity::{Graph, GraphParts, IdentityConfig, View};
use tallymark_model::{CommitId, CommitSeq, ProjectId, SubjectId, SubjectKind};

/// One project as of one commit. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProjectSnapshot {
    /// As of this commit.
    pub seq: CommitSeq,
    /// Raw ids by number.
    pub names: SubjectNames,
    /// Who is who.
    pub identity: Arc<View>,
    /// Which rows are hidden because their person is to be forgotten; empty for almost every project.
    pub erased: Arc<ErasedSubjects>,
}

/// A fold that many threads read and one feeds.
#[derive(Debug, Default)]
pub struct StateReader {
    fold: Mutex<Fold>,
}

impl StateReader {
    /// From the newest whole checkpoint of `dir` (the processor's), else empty.
    pub fn open(dir: &Path) -> Result<StateReader, StateError> {
        for path in checkpoint::list(dir)? {
            match checkpoint::read(&path, None) {
                Ok((fold, _)) => return Ok(StateReader { fold: Mutex::new(fold) }),
                Err(error) => tracing::warn!(path = %path.display(), %error, "checkpoint ignored by reader"),
            }
        }
        Ok(StateReader::default())
    }

    /// The last commit in the fold; 0 = none.
    pub fn applied(&self) -> CommitSeq {
        self.lock().applied()
    }

    /// The last commit and its id, to compare with the catalog before trusting a checkpoint.
    pub fn tip(&self) -> Option<(CommitSeq, CommitId)> {
        self.lock().tip.map(|t| (t.seq, t.commit))
    }

    /// Applies the delta of the next commit. Whole or not at all; again changes nothing.
    pub fn apply(&self, seq: CommitSeq, delta: &Delta) -> Result<Applied, StateError> {
        let mut fold = self.lock();
        if fold.next(seq, delta.commit)? == Next::Known {
            return Ok(Applied::Already);
        }
        fold.check(delta)?;
        fold.add(seq, delta);
        Ok(Applied::Moved)
    }

    /// Passes a commit that has no delta (a compaction).
    pub fn pass(&self, seq: CommitSeq, commit: CommitId) -> Result<Applied, StateError> {
        let mut fold = self.lock();
        if fold.next(seq, commit)? == Next::Known {
            return Ok(Applied::Already);
        }
        fold.tip = Some(Tip { seq, commit });
        Ok(Applied::Moved)
    }

    /// Names and identity of a project, as of the last commit applied.
    pub fn snapshot(&self, project: ProjectId) -> ProjectSnapshot {
        let mut fold = self.lock();
        let seq = fold.applied();
        match fold.projects.get_mut(&project) {
            Some(p) => ProjectSnapshot {
                seq,
                names: p.subjects.names().clone(),
                identity: p.graph.view(),
                erased: Arc::clone(p.erased()),
            },
            None => ProjectSnapshot {
                seq,
                names: SubjectNames::default(),
                identity: Graph::default().view(),
                erased: Arc::default(),
            },
        }
    }

    /// How this project decides who is who; its identity is folded again if that changed. The setting belongs to
    /// the project, not to the log, so whoever asks questions brings it.
    pub fn decide_identity_by(&self, project: ProjectId, config: IdentityConfig) {
        let mut fold = self.lock();
        if let Some(p) = fold.projects.get_mut(&project)
            && *p.graph.config() != config
        {
            p.graph = Graph::from_parts(&GraphParts { config, ..p.graph.to_parts() });
        }
    }

    /// The number of a raw id. May be newer than a snapshot taken before.
    pub fn find(&self, project: ProjectId, kind: SubjectKind, raw: &str) -> Option<SubjectId> {
        self.lock().projects.get(&project)?.subjects.find(kind, raw)
    }

    /// What these subjects did, together.
    pub fn activity(&self, project: ProjectId, subjects: &[SubjectId]) -> Activity {
        let fold = self.lock();
        let Some(p) = fold.projects.get(&project) else { return Activity::NONE };
        subjects.iter().map(|s| p.activity(*s)).fold(Activity::NONE, Activity::merge)
    }

    /// What every subject did, from number 1.
    pub fn activities(&self, project: ProjectId) -> Vec<Activity> {
        let fold = self.lock();
        let of = |p: &ProjectFold| (1..=p.subjects.len()).map(|n| p.activity(SubjectId(n))).collect();
        fold.projects.get(&project).map(of).unwrap_or_default()
    }

    /// Names sent to a project.
    pub fn stats(&self, project: ProjectId) -> ProjectStats {
        self.lock().projects.get(&project).map(|p| p.stats.clone()).unwrap_or_default()
    }

    /// Every version of every rule of a project, with the offsets from which it is in force, by number and version.
    pub fn rules(&self, project: ProjectId) -> Vec<RuleInForce> {
        self.lock().controls.rules.history(project).cloned().collect()
    }

    /// Every wish to forget a person of a project, by number.
    pub fn erasures(&self, project: ProjectId) -> Vec<ErasureInForce> {
        self.lock().controls.erasures.of(project).cloned().collect()
    }

    /// Events of these tokens (hex) that never reached the log, by token and hour.
    pub fn refusals(&self, tokens: &[String]) -> Vec<RefusalHour> {
        self.lock().controls.refusals.of(tokens)
    }

    fn lock(&self) -> MutexGuard<'_, Fold> {
        // Had an applier panicked half-way, the next delta would not fit and say so; readers go on meanwhile.
        self.fold.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
