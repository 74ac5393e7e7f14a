//! What one commit adds to state, and what it says about records that became no row.
//!
//! Guarantees: a delta names its commit, so that it cannot be applied for another.
//! Deliberately not here: its bytes (`delta_codec`), applying it (`fold`, `state`).

use crate::control::BrokenRule;
use crate::dedup::DedupEntry;
use crate::stats::ProjectStats;
use crate::subjects::NewSubject;
use bytes::Bytes;
use tallymark_identity::IdentityOp;
use tallymark_ledger::Interval;
use tallymark_model::{CommitId, Control, Millis, Outcome, Position, ProjectId, Seq, SubjectId, WireFormat};

/// What one commit adds to state.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// The commit it belongs to.
    pub commit: CommitId,
    /// Per project, in order of id.
    pub projects: Vec<DeltaProject>,
    /// Index entries of the commit's visible rows that have an insert id.
    pub dedup: Vec<DedupEntry>,
    /// Records that did not become rows, in order of position.
    pub exceptions: Vec<Exception>,
    /// Control records that the commit passed, in order of position. A delta of skipped records carries rules and
    /// erasures only: those fold in as often as they come, notes that count do not.
    pub controls: Vec<(Position, Control)>,
    /// Versions among them that do nothing because they cannot be evaluated.
    pub broken: Vec<BrokenRule>,
    /// What earlier deltas say about records in here is superseded: a position without an exception in this delta
    /// is visible now.
    pub restated: Vec<Interval>,
    /// Index entries that stop holding, because their row was masked. They leave before [`Delta::dedup`] arrives.
    pub dedup_gone: Vec<DedupEntry>,
}

impl Delta {
    /// A delta that adds nothing.
    pub fn empty(commit: CommitId) -> Delta {
        Delta {
            commit,
            projects: Vec::new(),
            dedup: Vec::new(),
            exceptions: Vec::new(),
            controls: Vec::new(),
            broken: Vec::new(),
            restated: Vec::new(),
            dedup_gone: Vec::new(),
        }
    }

    /// The dead letters of one project.
    pub fn dead(&self, project: ProjectId) -> impl Iterator<Item = &Exception> {
        self.exceptions
            .iter()
            .filter(move |e| e.project == project && matches!(e.outcome, Outcome::Dead { .. }))
    }

    /// The bytes of an object that holds this delta.
    pub fn encode(&self) -> Result<Vec<u8>, crate::StateError> {
        crate::delta_codec::encode(self)
    }

    /// The delta in these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Delta, crate::StateError> {
        crate::delta_codec::decode(bytes)
    }
}

/// One project's part of a delta.
#[derive(Debug, Clone, PartialEq)]
pub struct DeltaProject {
    /// Whose.
    pub project: ProjectId,
    /// Raw ids seen first, numbered on from those before.
    pub subjects: Vec<NewSubject>,
    /// What happened to the identity graph.
    pub ops: Vec<IdentityOp>,
    /// Who was active.
    pub activity: Vec<SubjectActivity>,
    /// Names sent.
    pub stats: ProjectStats,
    /// The last visible record of each device of the commit, so that a record that comes late is known to be late.
    /// `None`: written before this was kept.
    pub sights: Option<Vec<(SubjectId, Seq)>>,
    /// What rows that were masked had added.
    pub retracted: Retracted,
}

impl DeltaProject {
    /// A part that adds nothing.
    pub fn empty(project: ProjectId) -> DeltaProject {
        DeltaProject {
            project,
            subjects: Vec::new(),
            ops: Vec::new(),
            activity: Vec::new(),
            stats: ProjectStats::default(),
            sights: Some(Vec::new()),
            retracted: Retracted::default(),
        }
    }

    /// True if it adds and takes back nothing.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
            && self.ops.is_empty()
            && self.activity.is_empty()
            && self.stats.is_empty()
            && self.sights.as_ref().is_some_and(Vec::is_empty)
            && self.retracted.is_empty()
    }
}

/// What is taken back of a project because rows were masked.
///
/// Counts are exact. First and last times, types, examples and first sights of ids only ever widen: what a row that is
/// gone did to them stays until state is folded anew from the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retracted {
    /// Events per subject.
    pub activity: Vec<SubjectActivity>,
    /// Names.
    pub stats: ProjectStats,
    /// Operations on the identity graph, by place in the log. They leave before new ones arrive.
    pub ops: Vec<Seq>,
}

impl Retracted {
    /// True if nothing is taken back.
    pub fn is_empty(&self) -> bool {
        self.activity.is_empty() && self.stats.is_empty() && self.ops.is_empty()
    }
}

/// Rows of one subject in one commit; operations are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectActivity {
    /// Who.
    pub subject: SubjectId,
    /// How many events.
    pub events: u64,
    /// Earliest event time, ms UTC.
    pub first: Millis,
    /// Latest event time, ms UTC.
    pub last: Millis,
}

/// A record that did not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Which.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// Whose; [`ProjectId::UNKNOWN`] if no project owns its token.
    pub project: ProjectId,
    /// What became of it: duplicate, filtered or dead.
    pub outcome: Outcome,
    /// For duplicates: the key under which the index found the witness, so that it can be decided again if the
    /// witness goes away (design rule 4). Otherwise 0.
    pub key: u64,
    /// For dead letters: how to read `body`.
    pub wire: Option<WireFormat>,
    /// For dead letters: the client's bytes, whole. Otherwise empty.
    pub body: Bytes,
}
