//! The processor's state: fold and dedup index, opened from a checkpoint, moved by deltas.
//!
//! Guarantees: I8 (never ahead of what it was given, refuses gaps, applying again changes nothing).
//! Deliberately not here: fetching deltas.

use crate::StateError;
use crate::checkpoint;
use crate::codec::Writer;
use crate::control::Controls;
use crate::dedup::DedupIndex;
use crate::delta::Delta;
use crate::fold::{Fold, Next, ProjectFold, Tip};
use crate::overlay::Overlay;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::fmt;
use std::hash::Hasher;
use std::path::Path;
use tallymark_model::{CommitId, CommitSeq, ProjectId};

/// Settings of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateConfig {
    /// Days of receipt for which an insert id is remembered.
    pub dedup_days: u16,
}

impl Default for StateConfig {
    fn default() -> Self {
        StateConfig { dedup_days: 30 }
    }
}

/// Digest of a whole state: equal iff the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What offering a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// State moved by one commit.
    Moved,
    /// It had been applied before; nothing changed.
    Already,
}

/// Fold and dedup index.
#[derive(Debug)]
pub struct State {
    pub(crate) fold: Fold,
    pub(crate) dedup: DedupIndex,
}

impl State {
    /// State before the first commit.
    pub fn empty(config: StateConfig) -> State {
        State { fold: Fold::default(), dedup: DedupIndex::new(config.dedup_days) }
    }

    /// State from the newest checkpoint of `dir` that is whole, else empty. Damaged ones are logged and passed by.
    pub fn open(dir: &Path, config: StateConfig) -> Result<State, StateError> {
        for path in checkpoint::list(dir)? {
            match checkpoint::read(&path, Some(config.dedup_days)) {
                Ok((fold, Some(dedup))) => return Ok(State { fold, dedup }),
                Ok((_, None)) => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "checkpoint ignored; an older one or none is used");
                }
            }
        }
        Ok(State::empty(config))
    }

    /// The last commit in the fold; 0 = none.
    pub fn applied(&self) -> CommitSeq {
        self.fold.applied()
    }

    /// The last commit and its id, to compare with the catalog before trusting a checkpoint.
    pub fn tip(&self) -> Option<(CommitSeq, CommitId)> {
        self.fold.tip.map(|t| (t.seq, t.commit))
    }

    /// Applies the delta of the next commit. Whole or not at all.
    pub fn apply(&mut self, seq: CommitSeq, delta: &Delta) -> Result<Applied, StateError> {
        if self.fold.next(seq, delta.commit)? == Next::Known {
            return Ok(Applied::Already);
        }
        self.fold.check(delta)?;
        self.fold.add(seq, delta);
        delta.dedup_gone.iter().for_each(|e| self.dedup.remove(*e));
        delta.dedup.iter().for_each(|e| self.dedup.insert(*e));
        Ok(Applied::Moved)
    }

    /// Passes a commit that has no delta (a compaction).
    pub fn pass(&mut self, seq: CommitSeq, commit: CommitId) -> Result<Applied, StateError> {
        if self.fold.next(seq, commit)? == Next::Known {
            return Ok(Applied::Already);
        }
        self.fold.tip = Some(Tip { seq, commit });
        Ok(Applied::Moved)
    }

    /// Decisions on top of this state that are not committed yet.
    pub fn overlay(&self) -> Overlay<'_> {
        Overlay::new(self)
    }

    /// Writes a checkpoint of now into `dir`.
    pub fn checkpoint(&self, dir: &Path) -> Result<CommitSeq, StateError> {
        checkpoint::write(dir, &self.fold, &self.dedup)
    }

    /// Digest of everything, for comparing two ways of arriving at the same commit.
    pub fn digest(&self) -> Digest {
        let mut body = Writer::default();
        self.fold.write(&mut body);
        let mut hasher = SipHasher13::new_with_keys(5, 6);
        hasher.write(&body.0);
        Digest(hasher.finish128().as_u128().wrapping_add(self.dedup.digest()))
    }

    /// The dedup index.
    pub fn dedup(&self) -> &DedupIndex {
        &self.dedup
    }

    /// What control records have said so far.
    pub fn controls(&self) -> &Controls {
        &self.fold.controls
    }

    /// One project's part, if it has any.
    pub fn project(&self, project: ProjectId) -> Option<&ProjectFold> {
        self.fold.projects.get(&project)
    }
}
