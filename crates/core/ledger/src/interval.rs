//! Half-open ranges of offsets, and sets of them.
//!
//! Guarantees: an [`IntervalSet`] is always normalised (no empty, overlapping or touching ranges), so two sets
//! that hold the same offsets are equal.
//! Deliberately not here: what the books say about a range (`account`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use tallymark_model::{Position, Shard};

/// Offsets `[from, to)` of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The shard.
    pub shard: Shard,
    /// First offset inside.
    pub from: u64,
    /// First offset after.
    pub to: u64,
}

impl Interval {
    /// `[from, to)` of a shard.
    pub fn new(shard: Shard, from: u64, to: u64) -> Interval {
        Interval { shard, from, to }
    }
    /// Number of offsets inside.
    pub fn len(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
    /// True if nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }
    /// True if the position lies inside.
    pub fn contains(&self, position: Position) -> bool {
        position.shard() == self.shard && self.from <= position.offset && position.offset < self.to
    }
    /// True if every offset of `other` lies inside (an empty range lies in every range of its shard).
    pub fn encloses(&self, other: &Interval) -> bool {
        self.shard == other.shard && (other.is_empty() || (self.from <= other.from && other.to <= self.to))
    }
    /// True if some offset lies in both.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.shard == other.shard && self.from.max(other.from) < self.to.min(other.to)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{},{})", self.shard, self.from, self.to)
    }
}

/// A set of offsets per shard, kept as the fewest possible ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntervalSet {
    /// shard -> from -> to
    shards: BTreeMap<Shard, BTreeMap<u64, u64>>,
}

impl IntervalSet {
    /// The empty set.
    pub fn new() -> IntervalSet {
        IntervalSet::default()
    }

    /// Adds a range; ranges it overlaps or touches become one.
    pub fn insert(&mut self, interval: Interval) {
        if interval.is_empty() {
            return;
        }
        let ranges = self.shards.entry(interval.shard).or_default();
        let Interval { mut from, mut to, .. } = interval;
        // Touching counts: a range that ends where this one starts is merged too.
        let absorbed: Vec<(u64, u64)> =
            ranges.range(..=to).rev().map(|(f, t)| (*f, *t)).take_while(|(_, t)| *t >= from).collect();
        for (f, t) in absorbed {
            ranges.remove(&f);
            from = from.min(f);
            to = to.max(t);
        }
        ranges.insert(from, to);
    }

    /// Takes a range out.
    pub fn remove(&mut self, interval: Interval) {
        if interval.is_empty() {
            return;
        }
        let Some(ranges) = self.shards.get_mut(&interval.shard) else { return };
        let hit: Vec<(u64, u64)> = ranges
            .range(..interval.to)
            .rev()
            .map(|(f, t)| (*f, *t))
            .take_while(|(_, t)| *t > interval.from)
            .collect();
        for (f, t) in hit {
            ranges.remove(&f);
            if f < interval.from {
                ranges.insert(f, interval.from);
            }
            if t > interval.to {
                ranges.insert(interval.to, t);
            }
        }
        if ranges.is_empty() {
            self.shards.remove(&interval.shard);
        }
    }

    /// Offsets in either set.
    pub fn union(&self, other: &IntervalSet) -> IntervalSet {
        let mut out = self.clone();
        other.iter().for_each(|i| out.insert(i));
        out
    }

    /// Offsets here that are not in `other`.
    pub fn subtract(&self, other: &IntervalSet) -> IntervalSet {
        let mut out = self.clone();
        other.iter().for_each(|i| out.remove(i));
        out
    }

    /// Offsets in both sets.
    pub fn intersect(&self, other: &IntervalSet) -> IntervalSet {
        self.subtract(&self.subtract(other))
    }

    /// True if the position's offset is inside.
    pub fn contains(&self, position: Position) -> bool {
        self.range_at(position.shard(), position.offset).is_some()
    }

    /// True if every offset of the range is inside.
    pub fn covers(&self, interval: Interval) -> bool {
        interval.is_empty()
            || self.range_at(interval.shard, interval.from).is_some_and(|(_, to)| to >= interval.to)
    }

    /// The parts of `within` that are not inside, in order.
    pub fn gaps(&self, within: Interval) -> Vec<Interval> {
        let mut whole = IntervalSet::new();
        whole.insert(within);
        whole.subtract(self).iter().collect()
    }

    /// Where the unbroken run of offsets starting at `from` ends (`from` itself if it is not inside).
    pub fn run_from(&self, shard: Shard, from: u64) -> u64 {
        self.range_at(shard, from).map_or(from, |(_, to)| to)
    }

    /// The ranges, by shard and offset.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.shards.iter().flat_map(|(shard, ranges)| {
            ranges.iter().map(|(from, to)| Interval { shard: *shard, from: *from, to: *to })
        })
    }

    /// Number of offsets inside, over all shards.
    pub fn len(&self) -> u64 {
        self.iter().map(|i| i.len()).sum()
    }

    /// True if no offset is inside.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    fn range_at(&self, shard: Shard, offset: u64) -> Option<(u64, u64)> {
        let (from, to) = self.shards.get(&shard)?.range(..=offset).next_back()?;
        (offset < *to).then_some((*from, *to))
    }
}

impl FromIterator<Interval> for IntervalSet {
    fn from_iter<T: IntoIterator<Item = Interval>>(iter: T) -> Self {
        let mut set = IntervalSet::new();
        iter.into_iter().for_each(|i| set.insert(i));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use tallymark_model::Lane;

    type Naive = BTreeSet<(Shard, u64)>;

    fn shard(n: u16) -> Shard {
        Shard { lane: Lane::ALL[usize::from(n % 2)], partition: n / 2 }
    }

    fn naive(intervals: &[Interval]) -> Naive {
        intervals.iter().flat_map(|i| (i.from..i.to).map(move |o| (i.shard, o))).collect()
    }

    fn offsets(set: &IntervalSet) -> Naive {
        naive(&set.iter().collect::<Vec<_>>())
    }

    fn intervals() -> impl Strategy<Value = Vec<Interval>> {
        let one = (0u16..4, 0u64..40, 0u64..12).prop_map(|(s, from, len)| Interval {
            shard: shard(s),
            from,
            to: from + len,
        });
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets_of_offsets(a in intervals(), b in intervals(), probe in (0u16..4, 0u64..60, 0u64..20)) {
            let (na, nb) = (naive(&a), naive(&b));
            let (sa, sb): (IntervalSet, IntervalSet) = (a.into_iter().collect(), b.into_iter().collect());
            prop_assert_eq!(offsets(&sa), na.clone());
            prop_assert_eq!(sa.len() as usize, na.len());
            prop_assert_eq!(offsets(&sa.union(&sb)), na.union(&nb).copied().collect::<Naive>());
            prop_assert_eq!(offsets(&sa.subtract(&sb)), na.difference(&nb).copied().collect::<Naive>());
            prop_assert_eq!(offsets(&sa.intersect(&sb)), na.intersection(&nb).copied().collect::<Naive>());

            let (s, from, len) = probe;
            let within = Interval { shard: shard(s), from, to: from + len };
            let missing: Naive = naive(&[within]).difference(&na).copied().collect();
            prop_assert_eq!(naive(&sa.gaps(within)), missing.clone());
            prop_assert_eq!(sa.covers(within), missing.is_empty());
            let position = Position { lane: shard(s).lane, partition: shard(s).partition, offset: from };
            prop_assert_eq!(sa.contains(position), na.contains(&(shard(s), from)));
            let run = (from..).find(|o| !na.contains(&(shard(s), *o))).unwrap();
            prop_assert_eq!(sa.run_from(shard(s), from), run);
        }

        #[test]
        fn sets_are_normalised(a in intervals()) {
            let set: IntervalSet = a.iter().copied().collect();
            let again: IntervalSet = a.into_iter().rev().collect();
            prop_assert_eq!(&set, &again);
            let all: Vec<_> = set.iter().collect();
            for pair in all.windows(2) {
                prop_assert!(pair[0].shard < pair[1].shard || pair[0].to < pair[1].from);
            }
            prop_assert!(all.iter().all(|i| !i.is_empty()));
        }
    }

    #[test]
    fn intervals_compare_by_offsets() {
        let i = Interval::new(shard(0), 3, 7);
        assert!(i.encloses(&Interval::new(shard(0), 3, 7)) && !i.encloses(&Interval::new(shard(0), 3, 8)));
        assert!(!i.encloses(&Interval::new(shard(1), 3, 7)));
        assert!(i.overlaps(&Interval::new(shard(0), 6, 9)) && !i.overlaps(&Interval::new(shard(0), 7, 9)));
        assert_eq!(i.to_string(), "live/0[3,7)");
    }
}
