//! What happens to the graph and what it answers: operations, merges, refusals.

use serde::{Deserialize, Serialize};
use tallymark_model::{Seq, SubjectId};

/// First sight of a subject that has only been *mentioned* (as the other id of an alias or a merge) and was
/// never carried by an event of its own. Later than every real position.
pub const UNSEEN: Seq = Seq { received_at: i64::MAX, position: u64::MAX };

/// What an event asks of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Action {
    /// One id was seen. Only needed where [`crate::OpFilter`] says so: after a reset, or earlier in the log
    /// than the subject's recorded first sight.
    Seen = 0,
    /// An event carried a device and a user.
    Pair = 1,
    /// Logout: the device is freed. The user id such an event may carry is not paired with it.
    Reset = 2,
    /// `other` becomes one more id of the user; if the event also carries a device, the pair rule follows.
    Alias = 3,
    /// Like alias, but two identified persons merge too, the event's user surviving.
    Merge = 4,
}

impl Action {
    /// The action with this persisted number.
    pub fn from_u8(n: u8) -> Option<Action> {
        use Action::*;
        [Seen, Pair, Reset, Alias, Merge].into_iter().find(|a| *a as u8 == n)
    }
}

/// One transition, at its place in the log. At most one per log record, so `seq` identifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityOp {
    /// Place in the log.
    pub seq: Seq,
    /// What is asked.
    pub action: Action,
    /// The event's device, or none.
    pub device: SubjectId,
    /// The event's user, or none. An alias or merge without a user speaks for the device's person.
    pub user: SubjectId,
    /// Alias and merge: the other id read as a user id. The caller numbers a usable other id in *both* name
    /// spaces (first sight [`UNSEEN`] if no event carried it), so that which of the two was known at `seq`
    /// stays decidable when events arrive late. Both none = the other id was garbage.
    pub other_user: SubjectId,
    /// Alias and merge: the other id read as a device id.
    pub other_device: SubjectId,
}

impl IdentityOp {
    /// What an ordinary event with these ids asks: a pair if it has both, else that the one was seen.
    pub fn of_event(seq: Seq, device: SubjectId, user: SubjectId) -> IdentityOp {
        let both = !device.is_none() && !user.is_none();
        let action = if both { Action::Pair } else { Action::Seen };
        IdentityOp { seq, action, device, user, other_user: SubjectId::NONE, other_device: SubjectId::NONE }
    }

    /// A logout on `device`.
    pub fn reset(seq: Seq, device: SubjectId, user: SubjectId) -> IdentityOp {
        IdentityOp { action: Action::Reset, ..IdentityOp::of_event(seq, device, user) }
    }

    /// An alias of `other` (in both readings) to the event's user.
    pub fn alias(
        seq: Seq,
        (device, user): (SubjectId, SubjectId),
        (other_user, other_device): (SubjectId, SubjectId),
    ) -> IdentityOp {
        IdentityOp { seq, action: Action::Alias, device, user, other_user, other_device }
    }

    /// A merge of `other` (in both readings) into the event's user.
    pub fn merge(seq: Seq, ids: (SubjectId, SubjectId), other: (SubjectId, SubjectId)) -> IdentityOp {
        IdentityOp { action: Action::Merge, ..IdentityOp::alias(seq, ids, other) }
    }

    /// The subjects it names.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectId> + use<> {
        [self.device, self.user, self.other_user, self.other_device].into_iter().filter(|s| !s.is_none())
    }

    /// The person speaking: the user, or the device of an event without one.
    pub fn speaker(&self) -> SubjectId {
        if self.user.is_none() { self.device } else { self.user }
    }
}

/// How something joined a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeKind {
    /// An unknown user id was attached to the device's anonymous person.
    Adopt,
    /// The device's anonymous person went into the known user's.
    Identify,
    /// By `$alias`.
    Alias,
    /// By `$merge`.
    Merge,
}

/// One accepted change of a person: an id attached, or another person absorbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Merge {
    /// When in the log.
    pub seq: Seq,
    /// How.
    pub kind: MergeKind,
    /// Ordinal of the person it happened to, at that time (it may have been absorbed since).
    pub person: u32,
    /// Ordinal of the person that was absorbed; none if only an id was attached.
    pub absorbed: Option<u32>,
    /// The id through which it joined.
    pub subject: SubjectId,
}

/// Why an operation changed nothing although it asked for a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// `merge_refused`: an alias between two identified persons.
    BothIdentified,
    /// An id aliased to itself.
    SameId,
    /// The other id was garbage, or the event had no usable id.
    NoUsableId,
    /// The device was used by more than `max_users_per_device` users.
    SharedDevice,
    /// The person would get more than `max_ids_per_person` ids.
    TooManyIds,
}

impl RefusalReason {
    /// Stable code for ledgers and APIs.
    pub fn code(self) -> &'static str {
        match self {
            RefusalReason::BothIdentified => "merge_refused",
            RefusalReason::SameId => "same_id",
            RefusalReason::NoUsableId => "no_usable_id",
            RefusalReason::SharedDevice => "shared_device",
            RefusalReason::TooManyIds => "too_many_ids",
        }
    }
}

/// A refused operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// When in the log.
    pub seq: Seq,
    /// Why.
    pub reason: RefusalReason,
    /// Who asked.
    pub subject: SubjectId,
    /// The other id, or the device.
    pub other: SubjectId,
}
