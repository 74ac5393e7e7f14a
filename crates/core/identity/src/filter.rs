//! Which operations are worth recording.
//!
//! Every event has ids, but almost none changes the graph: the same user on the same device, again. Deltas
//! carry only the operations that this filter admits.
//!
//! A pair is dropped if the device's last recorded operation before it is the same pair, a logout if the device is
//! free already, a sight of a known device always. So what is dropped leans on the recorded operation before it. One
//! that arrives late, from the other lane or from a skipped interval, or one that is taken back, moves that support:
//! [`OpFilter::settle`] then looks at the records between it and the device's next recorded operation, and records
//! the first that are repetitions no longer. With it, any order of arrival ends in the same persons.
//! Deliberately not here: finding those records (they are rows; the processor reads them).

use crate::graph::Graph;
use crate::op::{Action, IdentityOp};
use rustc_hash::{FxHashMap, FxHashSet};
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

/// A visible record of some device, whether it was recorded as an operation or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sight {
    /// Place in the log.
    pub seq: Seq,
    /// The user it carries, or none.
    pub user: SubjectId,
    /// True if it is a logout.
    pub reset: bool,
}

impl Sight {
    /// The operation that this record of `device` asks for.
    pub fn op(&self, device: SubjectId) -> IdentityOp {
        let action =
            if self.reset { Action::Reset } else { IdentityOp::of_event(self.seq, device, self.user).action };
        IdentityOp { action, ..IdentityOp::of_event(self.seq, device, self.user) }
    }
}

/// The operations admitted since the graph was last brought up to date: one commit's worth.
#[derive(Debug, Clone, Default)]
pub struct OpFilter {
    sights: FxHashMap<u32, Seq>,
    marks: FxHashMap<u32, Vec<Last>>,
    gone: FxHashSet<Seq>,
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

    /// Says that the recorded operation at `seq` is taken back. [`OpFilter::settle`] its device afterwards.
    pub fn retract(&mut self, seq: Seq) {
        self.gone.insert(seq);
    }

    /// True if `op` would be recorded on top of `graph` alone.
    pub fn is_news(graph: &Graph, op: &IdentityOp) -> bool {
        OpFilter::new().admit(graph, op)
    }

    /// Which of the device's records have to be recorded after all, now that the operation at `after` was admitted or
    /// taken back. `sights`: every committed visible record of the device after it, in log order.
    pub fn settle(
        &mut self,
        graph: &Graph,
        device: SubjectId,
        after: Seq,
        sights: &[Sight],
    ) -> Vec<IdentityOp> {
        let pending = self.marks.get(&device.0).into_iter().flatten().map(|m| m.seq).filter(|s| *s > after);
        let until = graph.mark_after(device.0, after, &self.gone).into_iter().chain(pending).min();
        let from = sights.partition_point(|s| s.seq <= after);
        let between = sights[from..].iter().take_while(|s| until.is_none_or(|until| s.seq < until));
        let ops: Vec<IdentityOp> = between.map(|s| s.op(device)).collect();
        ops.into_iter().filter(|op| self.admit(graph, op)).collect()
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
        let recorded = graph.mark_before(device, seq, &self.gone);
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
