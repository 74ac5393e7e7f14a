//! Rows that are in the files and that no query may see: masked positions, and what erased persons left behind.
//!
//! Guarantees: one place decides, for scans, property timelines, lists and the live tail alike; a segment without
//! masks and a row group without erased subjects cost nothing: not even the column of positions is read.
//! Deliberately not here: which positions are masked (`catalog`), who is erased (`state`), removing rows from files
//! (`compactor`).

use rustc_hash::FxHasher;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tallymark_ledger::{Interval, SegmentMeta};
use tallymark_model::{Millis, Position, SegmentId, Seq, Shard, SubjectId};
use tallymark_state::ErasedSubjects;
use tallymark_store::RowGroup;

/// What a snapshot hides.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    masks: BTreeMap<SegmentId, Vec<PackedRange>>,
    erased: Arc<ErasedSubjects>,
    /// Subjects that are erased, ascending.
    subjects: Vec<u32>,
}

/// Packed positions `[from, to)`.
type PackedRange = (u64, u64);

impl Hidden {
    /// These masked intervals per segment, and these erased subjects.
    pub fn new(masked: &BTreeMap<SegmentId, Vec<Interval>>, erased: Arc<ErasedSubjects>) -> Hidden {
        let masks = masked.iter().filter(|(_, list)| !list.is_empty());
        let masks = masks.map(|(id, list)| (*id, packed(list))).collect();
        let mut subjects: Vec<u32> =
            if erased.is_empty() { Vec::new() } else { erased.subjects().map(|s| s.0).collect() };
        subjects.sort_unstable();
        Hidden { masks, erased, subjects }
    }

    /// True if every row counts.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty() && self.subjects.is_empty()
    }

    /// Subjects of which rows are hidden, ascending.
    pub fn erased_subjects(&self) -> &[u32] {
        &self.subjects
    }

    /// A number for what is masked in these segments.
    pub(crate) fn masks_of(&self, segments: impl Iterator<Item = SegmentId>) -> u64 {
        let mut hasher = FxHasher::default();
        for (id, masks) in segments.filter_map(|id| self.masks.get_key_value(&id)) {
            (id, masks).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// What is hidden in a row group; `None` if certainly nothing is.
    pub(crate) fn in_group(&self, segment: &SegmentMeta, group: &RowGroup) -> Option<Screen<'_>> {
        if self.is_empty() {
            return None;
        }
        let masks = self.masks.get(&segment.id).map_or(&[][..], Vec::as_slice);
        let from = self.subjects.partition_point(|s| *s < group.subject_min);
        let touched = self.subjects.get(from).is_some_and(|s| *s <= group.subject_max);
        let screen = Screen { masks, erased: touched.then_some(&*self.erased) };
        (!screen.masks.is_empty() || touched).then_some(screen)
    }
}

/// What is hidden of the rows of one row group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen<'a> {
    masks: &'a [PackedRange],
    erased: Option<&'a ErasedSubjects>,
}

impl Screen<'_> {
    /// True if a row does not count.
    pub fn hides(&self, subject: u32, received_at: Millis, position: u64) -> bool {
        let after = self.masks.partition_point(|(from, _)| *from <= position);
        if after > 0 && position < self.masks[after - 1].1 {
            return true;
        }
        self.erased.is_some_and(|erased| {
            let subject = SubjectId(subject);
            erased.touches(subject) && erased.hides(subject, Seq { received_at, position })
        })
    }

    /// Which rows count.
    pub fn shown(&self, subjects: &[u32], received: &[Millis], positions: &[u64]) -> Vec<bool> {
        let rows = subjects.iter().zip(received).zip(positions);
        rows.map(|((subject, at), position)| !self.hides(*subject, *at, *position)).collect()
    }
}

/// Ordered and without overlap.
fn packed(intervals: &[Interval]) -> Vec<PackedRange> {
    let at = |shard: Shard, offset| Position { lane: shard.lane, partition: shard.partition, offset }.pack();
    let whole: tallymark_ledger::IntervalSet = intervals.iter().copied().collect();
    whole.iter().map(|i| (at(i.shard, i.from), at(i.shard, i.to.min(Position::OFFSET_MAX)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tallymark_model::Lane;

    fn shard(n: u16) -> Shard {
        Shard { lane: Lane::ALL[usize::from(n % 2)], partition: n / 2 }
    }

    fn intervals() -> impl Strategy<Value = Vec<Interval>> {
        let one =
            (0u16..4, 0u64..30, 0u64..9).prop_map(|(s, from, n)| Interval::new(shard(s), from, from + n));
        prop::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn a_row_is_hidden_iff_its_position_is_masked(masks in intervals()) {
            let id = SegmentId(uuid::Uuid::nil());
            let hidden = Hidden::new(&BTreeMap::from([(id, masks.clone())]), Arc::default());
            let masks_of = hidden.masks.get(&id).cloned().unwrap_or_default();
            let screen = Screen { masks: &masks_of, erased: None };
            for s in 0..4 {
                for offset in 0..40 {
                    let at = Position { lane: shard(s).lane, partition: shard(s).partition, offset };
                    let masked = masks.iter().any(|m| m.contains(at));
                    prop_assert_eq!(screen.hides(1, 0, at.pack()), masked, "{}", at);
                }
            }
        }
    }
}
