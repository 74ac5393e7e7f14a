//! The only way to be allowed to forget a part of the log (I9).
//!
//! Guarantees: a [`TrimPermit`] cannot be built outside this module, so whoever holds one proves that every
//! offset below it is accounted, covered by a state checkpoint and, if archiving is on, archived.
//! Deliberately not here: deleting anything.

use crate::{Interval, IntervalSet};
use tallymark_model::{Position, Shard};

/// Leave to drop the offsets of one shard below [`TrimPermit::upto`].
///
/// ```compile_fail
/// // Fields are private: only `permit` makes one.
/// let forged = tallymark_ledger::TrimPermit { shard: unimplemented!(), upto: 7 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimPermit {
    shard: Shard,
    upto: u64,
}

impl TrimPermit {
    /// The shard it is for.
    pub fn shard(&self) -> Shard {
        self.shard
    }
    /// First offset that must stay.
    pub fn upto(&self) -> u64 {
        self.upto
    }
}

/// Why a part of the log may not be trimmed yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrimRefusal {
    /// The books have no outcome for these offsets.
    #[error("I9 trim: {missing} is not accounted; it is pending or skipped and would be lost")]
    NotAccounted {
        /// The first such range.
        missing: Interval,
    },
    /// No state checkpoint covers these offsets.
    #[error("I9 trim: {shard} is checkpointed to offset {checkpointed_to} only, wanted {upto}")]
    NotCheckpointed {
        /// The shard.
        shard: Shard,
        /// How far the newest checkpoint reaches.
        checkpointed_to: u64,
        /// What was asked.
        upto: u64,
    },
    /// Archiving is on and has not come so far.
    #[error("I9 trim: {shard} is archived to offset {archived_to} only, wanted {upto}")]
    NotArchived {
        /// The shard.
        shard: Shard,
        /// How far the archive reaches.
        archived_to: u64,
        /// What was asked.
        upto: u64,
    },
}

/// Leave to trim the shard of `upto` below its offset.
///
/// `accounted` holds the offsets with a final account (accounted or lost, never skipped), from offset 0 on:
/// the books are kept for ever, also for what was trimmed before. `archived_to` is `None` if archiving is off.
pub fn permit(
    accounted: &IntervalSet,
    checkpointed_to: u64,
    archived_to: Option<u64>,
    upto: Position,
) -> Result<TrimPermit, TrimRefusal> {
    let shard = upto.shard();
    let upto = upto.offset;
    if let Some(missing) = accounted.gaps(Interval::new(shard, 0, upto)).first() {
        return Err(TrimRefusal::NotAccounted { missing: *missing });
    }
    if checkpointed_to < upto {
        return Err(TrimRefusal::NotCheckpointed { shard, checkpointed_to, upto });
    }
    match archived_to {
        Some(archived_to) if archived_to < upto => Err(TrimRefusal::NotArchived { shard, archived_to, upto }),
        _ => Ok(TrimPermit { shard, upto }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tallymark_model::Lane;

    const SHARD: Shard = Shard { lane: Lane::Live, partition: 3 };

    fn at(offset: u64) -> Position {
        Position { lane: SHARD.lane, partition: SHARD.partition, offset }
    }

    fn accounted(ranges: &[(u64, u64)]) -> IntervalSet {
        ranges.iter().map(|(from, to)| Interval::new(SHARD, *from, *to)).collect()
    }

    #[test]
    fn every_condition_can_refuse() {
        let whole = accounted(&[(0, 100)]);
        assert_eq!(permit(&whole, 100, Some(100), at(100)).unwrap().upto(), 100);
        assert_eq!(permit(&whole, 100, None, at(60)).unwrap().shard(), SHARD);
        assert_eq!(
            permit(&accounted(&[(0, 40), (50, 100)]), 100, None, at(60)),
            Err(TrimRefusal::NotAccounted { missing: Interval::new(SHARD, 40, 50) })
        );
        assert!(matches!(permit(&whole, 59, None, at(60)), Err(TrimRefusal::NotCheckpointed { .. })));
        assert!(matches!(permit(&whole, 60, Some(59), at(60)), Err(TrimRefusal::NotArchived { .. })));
    }

    proptest! {
        #[test]
        fn nothing_unaccounted_is_ever_permitted(
            ranges in proptest::collection::vec((0u64..50, 1u64..20), 0..6), upto in 0u64..60,
        ) {
            let set = accounted(&ranges.iter().map(|(f, l)| (*f, f + l)).collect::<Vec<_>>());
            let all_inside = (0..upto).all(|o| set.contains(at(o)));
            prop_assert_eq!(permit(&set, u64::MAX, None, at(upto)).is_ok(), all_inside);
        }
    }
}
