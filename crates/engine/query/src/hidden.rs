//! Rows that are in the files and that no query may see: masked positions, and what erased persons left behind.
//!
//! Guarantees: one place decides, for scans, property timelines, lists and the live tail alike; a segment without
//! masks and a row group without erased subjects cost nothing: not even the column of positions is read.
//! Deliberately not here: which positions are masked (`catalog`), who is erased (`state`), removing rows from files
//! (`compactor`).

use std::collections::BTreeMap;
use tallymark_ledger::{Interval, SegmentMeta};
use tallymark_model::{Position, SegmentId, Shard};
use tallymark_store::RowGroup;

/// What a snapshot hides.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    masks: BTreeMap<SegmentId, Vec<PackedRange>>,
    erased: Vec<Erased>,
}

/// Packed positions `[from, to)`.
type PackedRange = (u64, u64);

/// A subject whose rows below an offset of each shard are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Its number.
    pub subject: u32,
    /// First offset that is not hidden, per shard; shards that are not named hide nothing.
    pub upto: BTreeMap<Shard, u64>,
}

impl Hidden {
    /// These masked intervals per segment, and these erased subjects (a subject may occur more than once).
    pub fn new(masked: &BTreeMap<SegmentId, Vec<Interval>>, mut erased: Vec<Erased>) -> Hidden {
        let masks = masked.iter().filter(|(_, list)| !list.is_empty());
        let masks = masks.map(|(id, list)| (*id, packed(list))).collect();
        erased.sort_by_key(|e| e.subject);
        Hidden { masks, erased }
    }

    /// True if every row counts.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty() && self.erased.is_empty()
    }

    /// Subjects of which rows are hidden, ascending.
    pub fn erased_subjects(&self) -> impl Iterator<Item = u32> + '_ {
        self.erased.chunk_by(|a, b| a.subject == b.subject).map(|same| same[0].subject)
    }

    /// What is hidden in a row group; `None` if certainly nothing is.
    pub(crate) fn in_group(&self, segment: &SegmentMeta, group: &RowGroup) -> Option<Screen<'_>> {
        if self.is_empty() {
            return None;
        }
        let masks = self.masks.get(&segment.id).map_or(&[][..], Vec::as_slice);
        let from = self.erased.partition_point(|e| e.subject < group.subject_min);
        let to = self.erased.partition_point(|e| e.subject <= group.subject_max);
        let screen = Screen { masks, erased: &self.erased[from..to.max(from)] };
        (!screen.masks.is_empty() || !screen.erased.is_empty()).then_some(screen)
    }
}

/// What is hidden of the rows of one row group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen<'a> {
    masks: &'a [PackedRange],
    erased: &'a [Erased],
}

impl Screen<'_> {
    /// True if a row does not count.
    pub fn hides(&self, subject: u32, position: u64) -> bool {
        let after = self.masks.partition_point(|(from, _)| *from <= position);
        if after > 0 && position < self.masks[after - 1].1 {
            return true;
        }
        let first = self.erased.partition_point(|e| e.subject < subject);
        let theirs = self.erased[first..].iter().take_while(|e| e.subject == subject);
        theirs.into_iter().any(|e| {
            let at = Position::unpack(position);
            at.is_some_and(|at| e.upto.get(&at.shard()).is_some_and(|upto| at.offset < *upto))
        })
    }

    /// Which rows count.
    pub fn shown(&self, subjects: &[u32], positions: &[u64]) -> Vec<bool> {
        subjects.iter().zip(positions).map(|(subject, position)| !self.hides(*subject, *position)).collect()
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
        fn a_row_is_hidden_iff_a_mask_or_an_erasure_says_so(
            masks in intervals(), erasures in prop::collection::vec((0u32..4, 0u16..4, 0u64..30), 0..5),
        ) {
            let id = SegmentId(uuid::Uuid::nil());
            let erased: Vec<Erased> = erasures.iter().map(|(subject, s, upto)| Erased {
                subject: *subject, upto: BTreeMap::from([(shard(*s), *upto)]),
            }).collect();
            let hidden = Hidden::new(&BTreeMap::from([(id, masks.clone())]), erased.clone());
            let masks_of = hidden.masks.get(&id).cloned().unwrap_or_default();
            let screen = Screen { masks: &masks_of, erased: &hidden.erased };
            for s in 0..4 {
                for offset in 0..40 {
                    for subject in 0..5 {
                        let at = Position { lane: shard(s).lane, partition: shard(s).partition, offset };
                        let masked = masks.iter().any(|m| m.contains(at));
                        let erased = erasures.iter().any(|(who, e, upto)| *who == subject && *e == s && offset < *upto);
                        prop_assert_eq!(screen.hides(subject, at.pack()), masked || erased, "{} {}", subject, at);
                    }
                }
            }
        }
    }
}
