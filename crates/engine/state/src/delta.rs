//! What one commit adds to state, and what it says about records that became no row.
//!
//! Guarantees: a delta names its commit, so that it cannot be applied for another.
//! Deliberately not here: its bytes (`delta_codec`), applying it (`fold`, `state`).

use crate::dedup::DedupEntry;
use crate::stats::ProjectStats;
use crate::subjects::NewSubject;
use bytes::Bytes;
use tallymark_identity::IdentityOp;
use tallymark_model::{CommitId, Millis, Outcome, Position, ProjectId, SubjectId, WireFormat};

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
}

impl Delta {
    /// A delta that adds nothing.
    pub fn empty(commit: CommitId) -> Delta {
        Delta { commit, projects: Vec::new(), dedup: Vec::new(), exceptions: Vec::new() }
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
    /// What happened to the identity graph, in log order.
    pub ops: Vec<IdentityOp>,
    /// Who was active.
    pub activity: Vec<SubjectActivity>,
    /// Names sent.
    pub stats: ProjectStats,
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
