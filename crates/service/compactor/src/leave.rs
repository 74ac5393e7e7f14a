//! Which rows of the inputs of a merge do not come into its output.
//!
//! Two reasons, kept apart because the books treat them differently: rows at masked positions are in the books no
//! more; rows of an erased person are, and leave them in the same commit.
//! Guarantees: a row that is masked and erased counts as masked.
//! Deliberately not here: who is erased (`erase`), which positions are masked (the catalog).

use model::{Millis, Position, SegmentId, Seq, SubjectId};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model as model;
use tallymark_state::ErasedSubjects;

/// Rows to leave out.
#[derive(Debug, Clone, Default)]
pub struct LeaveOut {
    masks: FxHashMap<SegmentId, IntervalSet>,
    erased: ErasedRows,
}

/// Rows of persons who are to be forgotten for good.
#[derive(Debug, Clone, Default)]
pub enum ErasedRows {
    /// Nobody's.
    #[default]
    None,
    /// Of these subjects, as far as their wishes can no longer be taken back at this time.
    Of(Arc<ErasedSubjects>, Millis),
    /// All: the project is gone.
    All,
}

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Masked,
    Erased,
}

/// A row that leaves the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedRow {
    /// Where it stood.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
}

impl LeaveOut {
    /// Masked positions per segment, and erased rows.
    pub fn new(masked: impl IntoIterator<Item = (SegmentId, Vec<Interval>)>, erased: ErasedRows) -> LeaveOut {
        let masks = masked.into_iter().map(|(id, list)| (id, list.into_iter().collect::<IntervalSet>()));
        LeaveOut { masks: masks.filter(|(_, set)| !set.is_empty()).collect(), erased }
    }

    /// True if every row of this segment comes along, as far as masks go, and nobody is erased.
    pub(crate) fn spares(&self, segment: SegmentId) -> bool {
        matches!(self.erased, ErasedRows::None) && !self.masks.contains_key(&segment)
    }

    pub(crate) fn reason(&self, segment: SegmentId, subject: u32, seq: Seq) -> Option<Reason> {
        let masked = |set: &IntervalSet| Position::unpack(seq.position).is_some_and(|p| set.contains(p));
        if self.masks.get(&segment).is_some_and(masked) {
            return Some(Reason::Masked);
        }
        self.erased.contains(subject, seq).then_some(Reason::Erased)
    }
}

impl ErasedRows {
    /// True if this row is to go.
    pub fn contains(&self, subject: u32, seq: Seq) -> bool {
        match self {
            ErasedRows::None => false,
            ErasedRows::All => true,
            ErasedRows::Of(erased, now) => erased.removes(SubjectId(subject), seq, *now),
        }
    }

    /// True if a row group with subjects between these two may hold such a row.
    pub(crate) fn may_touch(&self, subject_min: u32, subject_max: u32) -> bool {
        match self {
            ErasedRows::None => false,
            ErasedRows::All => true,
            ErasedRows::Of(erased, _) => {
                erased.subjects().any(|s| (subject_min..=subject_max).contains(&s.0))
            }
        }
    }
}
