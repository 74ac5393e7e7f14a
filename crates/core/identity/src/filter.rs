//! Which operations are worth recording.
//!
//! Every event has ids, but almost none changes the graph: the same user on the same device, again. Deltas
//! carry only the operations that this filter admits.
//!
//! Limits: a pair is dropped if the device's last recorded operation before it is the same pair. That is exact
//! as long as operations of one device arrive in log order, which routing by device guarantees within a lane.
//! If another user's pair for the device arrives late (from the other lane, or from a skipped interval) and
//! falls between a pair and its dropped repetitions, then *device-only* events after it, up to the device's
//! next recorded operation, go to that other user. Rows that carry a user id are never affected.

use crate::graph::Graph;
use crate::op::{Action, IdentityOp};
use rustc_hash::FxHashMap;
use tallymark_model::{Seq, SubjectId};

/// What an operation left a device as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Seen,
    Freed,
    User(u32),
}

/// The last operation of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub seq: Seq,
    pub mark: Mark,
}

impl Mark {
    /// What `op` left `device` as, if it is the device of its event.
    pub fn of(op: &IdentityOp, device: u32) -> Option<Last> {
        if op.device.0 != device || device == 0 {
            return None;
        }
        let mark = match (op.action, op.user.0) {
            (Action::Reset, _) => Mark::Freed,
            (_, 0) => Mark::Seen,
            (_, user) => Mark::User(user),
        };
        Some(Last { seq: op.seq, mark })
    }
}

/// The operations admitted since the graph was last brought up to date: one commit's worth.
#[derive(Debug, Clone, Default)]
pub struct OpFilter {
    sights: FxHashMap<u32, Seq>,
    marks: FxHashMap<u32, Vec<Last>>,
}

impl OpFilter {
    /// Nothing admitted yet.
    pub fn new() -> OpFilter {
        OpFilter::default()
    }

    /// Says that a new subject, first seen at `seq`, is recorded beside the operations: its first sight needs
    /// no operation of its own.
    pub fn introduce(&mut self, subject: SubjectId, seq: Seq) {
        let sight = self.sights.entry(subject.0).or_insert(seq);
        *sight = seq.min(*sight);
    }

    /// Whether `op` must be recorded, given `graph` and what was admitted before. Admitting it remembers it.
    pub fn admit(&mut self, graph: &Graph, op: &IdentityOp) -> bool {
        let needed = match op.action {
            Action::Alias | Action::Merge => true,
            Action::Pair => {
                self.before(graph, op.device.0, op.seq).map(|l| l.mark) != Some(Mark::User(op.user.0))
            }
            Action::Reset => {
                let freed = self.before(graph, op.device.0, op.seq).map(|l| l.mark) == Some(Mark::Freed);
                (!op.device.is_none() && !freed) || self.earlier_sight(graph, op.user, op.seq)
            }
            Action::Seen => self.sight_is_news(graph, op),
        };
        if needed {
            self.remember(op);
        }
        needed
    }

    fn sight_is_news(&self, graph: &Graph, op: &IdentityOp) -> bool {
        let freed = || self.before(graph, op.device.0, op.seq).map(|l| l.mark) == Some(Mark::Freed);
        self.earlier_sight(graph, op.speaker(), op.seq) || (!op.device.is_none() && freed())
    }

    /// Whether `subject` is seen earlier in the log than anything recorded says.
    fn earlier_sight(&self, graph: &Graph, subject: SubjectId, seq: Seq) -> bool {
        let known = graph.first_sight(subject.0);
        let pending = self.sights.get(&subject.0).copied().unwrap_or(known);
        !subject.is_none() && seq < known.min(pending)
    }

    fn before(&self, graph: &Graph, device: u32, seq: Seq) -> Option<Last> {
        let pending =
            self.marks.get(&device).and_then(|m| m.iter().filter(|l| l.seq < seq).max_by_key(|l| l.seq));
        let recorded = graph.mark_before(device, seq);
        match (pending.copied(), recorded) {
            (Some(p), Some(r)) => Some(if p.seq > r.seq { p } else { r }),
            (p, r) => p.or(r),
        }
    }

    fn remember(&mut self, op: &IdentityOp) {
        for subject in [op.device, op.user].into_iter().filter(|s| !s.is_none()) {
            self.introduce(subject, op.seq);
        }
        if let Some(last) = Mark::of(op, op.device.0) {
            self.marks.entry(op.device.0).or_default().push(last);
        }
    }
}
