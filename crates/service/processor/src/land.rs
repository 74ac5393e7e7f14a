//! A decided group on its way to being visible: segments, delta, commit, state. Live groups and jobs share it.
//!
//! Guarantees: in this order, and nothing of it is visible before the catalog says so; a crash at any place leaves
//! either nothing, or all of it after the next start.
//! Deliberately not here: what is decided.

use crate::committer::{Committer, aside, no_state, now_ms};
use crate::error::ProcessorError;
use crate::failpoint::{Place, Verb, pass};
use crate::steps::decide::ProjectRows;
use crate::telemetry;
use crate::write::{Unstorable, encode_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use tallymark_catalog::{Advance, Commit, CommitAnswer, Origin};
use tallymark_ledger::{Interval, Restatement, SegmentMeta};
use tallymark_model::{CommitId, CommitSeq, Position, ProjectId};
use tallymark_state::{Delta, State};
use tallymark_store::SegmentSpec;

/// What one commit will say.
pub(crate) struct Work {
    pub id: CommitId,
    pub origin: Origin,
    /// Whose steps the failpoints name; none = live processing.
    pub verb: Option<Verb>,
    pub rows: BTreeMap<ProjectId, ProjectRows>,
    /// Intervals that the rows may come from: the accounted advances and what is restated.
    pub sources: Vec<Interval>,
    pub advances: Vec<Advance>,
    pub restate: Vec<Restatement>,
    pub masks: Vec<Interval>,
    pub delta: Delta,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Landed {
    /// It is committed, and state has moved. With the rows that were written.
    Committed(CommitSeq, Commit),
    /// Rows at these positions cannot be written: nothing happened, decide again with them as dead letters.
    Unstorable(Vec<Position>),
    /// The catalog refused it: nothing happened, its view is another.
    Refused(CommitAnswer),
    /// Asked to stop; it may have happened or not.
    Stopped,
}

impl Committer {
    /// Takes decided work all the way.
    pub(crate) async fn land(
        &mut self,
        work: Work,
        laps: &mut telemetry::Laps,
    ) -> Result<Landed, ProcessorError> {
        let failpoint = Arc::clone(&self.deps.failpoint);
        let Work { id, origin, verb, rows, sources, advances, restate, masks, delta } = work;
        let at = |place: Place| pass(failpoint.as_ref(), place.of(verb));
        at(Place::BeforeSegment)?;
        let add = match self.write_rows(id, rows, sources).await? {
            Written::Segments(segments) => segments,
            Written::Unstorable(positions) => return Ok(Landed::Unstorable(positions)),
            Written::Stopped => return Ok(Landed::Stopped),
        };
        laps.lap("segments");
        at(Place::AfterSegment)?;
        let key = delta_key(id);
        let bytes = bytes::Bytes::from(delta.encode()?);
        if self.put(&key, bytes).await?.is_none() {
            return Ok(Landed::Stopped);
        }
        laps.lap("delta");
        at(Place::AfterDelta)?;
        let commit = Commit {
            advances,
            add,
            delta: Some(key),
            origin,
            restate,
            masks,
            ..Commit::new(id, self.epoch, now_ms())
        };
        let answer = self.send(&commit).await?;
        laps.lap("commit");
        at(Place::AfterCommit)?;
        let seq = match answer {
            None => return Ok(Landed::Stopped),
            Some(CommitAnswer::Applied(seq) | CommitAnswer::Already(seq)) => seq,
            Some(CommitAnswer::Fenced { epoch }) => return Err(ProcessorError::Fenced { epoch }),
            Some(answer) => return Ok(Landed::Refused(answer)),
        };
        self.moved(&commit.advances);
        at(Place::BeforeApply)?;
        self.apply(Some(&delta)).await?;
        telemetry::numbered(&delta);
        laps.lap("apply");
        at(Place::AfterApply)?;
        Ok(Landed::Committed(seq, commit))
    }

    async fn write_rows(
        &mut self,
        id: CommitId,
        rows: BTreeMap<ProjectId, ProjectRows>,
        sources: Vec<Interval>,
    ) -> Result<Written, ProcessorError> {
        if rows.is_empty() {
            return Ok(Written::Segments(Vec::new()));
        }
        let parent = self.state()?.tip().map(|(_, id)| id);
        let spec = SegmentSpec {
            parent,
            sources,
            ..SegmentSpec::new(ProjectId::UNKNOWN, self.deps.log.id(), id, self.epoch)
        };
        let encoded = match aside("encode", move || encode_all(rows, &spec)).await? {
            Ok(encoded) => encoded,
            Err(Unstorable(positions)) => return Ok(Written::Unstorable(positions)),
        };
        let mut segments: Vec<SegmentMeta> = Vec::with_capacity(encoded.len());
        for file in encoded {
            if self.put(&file.meta.key, file.bytes).await?.is_none() {
                return Ok(Written::Stopped);
            }
            segments.push(file.meta);
        }
        Ok(Written::Segments(segments))
    }

    /// State as it is; an error if a step that panicked took it away.
    pub(crate) fn state(&self) -> Result<&State, ProcessorError> {
        self.state.as_ref().ok_or_else(no_state)
    }
}

enum Written {
    Segments(Vec<SegmentMeta>),
    Unstorable(Vec<Position>),
    Stopped,
}

/// Where the delta of a commit is.
pub(crate) fn delta_key(id: CommitId) -> String {
    format!("deltas/{}.delta", id.0)
}
