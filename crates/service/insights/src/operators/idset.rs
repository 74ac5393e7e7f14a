//! An exact set of dense numbers (persons, devices, values) that merges.
//!
//! Guarantees: exact; the same set whatever the order of insertions. Costs one push per row while small (runs of
//! one person, as sorted segments have them, cost nothing), a bitmap once it holds a fair share of the numbers.

/// A set of `u32`.
#[derive(Debug, Clone)]
pub(crate) enum IdSet {
    /// Numbers, of which the first `sorted` are sorted and distinct.
    List { ids: Vec<u32>, sorted: usize },
    /// One bit per number.
    Bits { words: Vec<u64> },
}

/// Below this many pending numbers, sorting is put off.
const PENDING_MIN: usize = 256;
/// A list that holds a 128th of the numbers below its bound becomes a bitmap: at most four times its size, and
/// no more sorting.
const DENSE_SHARE: usize = 128;

impl Default for IdSet {
    fn default() -> IdSet {
        IdSet::List { ids: Vec::new(), sorted: 0 }
    }
}

impl IdSet {
    /// Adds a number.
    #[inline]
    pub fn insert(&mut self, id: u32) {
        match self {
            IdSet::List { ids, sorted } => {
                if ids.last() == Some(&id) {
                    return;
                }
                ids.push(id);
                if ids.len() - *sorted > (*sorted).max(PENDING_MIN) {
                    self.compact();
                }
            }
            IdSet::Bits { words } => set(words, id),
        }
    }

    /// Adds several numbers.
    pub fn extend(&mut self, mut ids: impl Iterator<Item = u32>) {
        while matches!(self, IdSet::List { .. }) {
            let Some(id) = ids.next() else { return };
            self.insert(id);
        }
        let IdSet::Bits { words } = self else { return };
        ids.for_each(|id| set(words, id));
    }

    /// How many distinct numbers.
    pub fn len(&mut self) -> usize {
        self.compact();
        match self {
            IdSet::List { ids, .. } => ids.len(),
            IdSet::Bits { words } => words.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// The distinct numbers, ascending.
    pub fn ids(&mut self) -> Vec<u32> {
        self.compact();
        match self {
            IdSet::List { ids, .. } => ids.clone(),
            IdSet::Bits { words } => {
                let bits = |(at, word): (usize, &u64)| {
                    let word = *word;
                    (0..64u32).filter(move |b| word >> b & 1 == 1).map(move |b| at as u32 * 64 + b)
                };
                words.iter().enumerate().flat_map(bits).collect()
            }
        }
    }

    /// Adds all numbers of another set.
    pub fn merge(&mut self, other: &IdSet) {
        if let (IdSet::List { .. }, IdSet::Bits { .. }) = (&*self, other) {
            let mine = std::mem::replace(self, other.clone());
            return self.merge(&mine);
        }
        match (&mut *self, other) {
            (IdSet::Bits { words }, IdSet::Bits { words: theirs }) => {
                if words.len() < theirs.len() {
                    words.resize(theirs.len(), 0);
                }
                words.iter_mut().zip(theirs).for_each(|(w, t)| *w |= t);
            }
            (_, IdSet::List { ids, .. }) => ids.iter().for_each(|id| self.insert(*id)),
            (IdSet::List { .. }, IdSet::Bits { .. }) => {}
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        match self {
            IdSet::List { ids, .. } => ids.capacity() * 4,
            IdSet::Bits { words } => words.capacity() * 8,
        }
    }

    fn compact(&mut self) {
        let IdSet::List { ids, sorted } = self else { return };
        if *sorted == ids.len() {
            return;
        }
        // Stable because that one merges runs, and sorted segments come as runs.
        ids.sort();
        ids.dedup();
        *sorted = ids.len();
        let bound = ids.last().map_or(0, |m| *m as usize + 1);
        if ids.len() > PENDING_MIN && ids.len() * DENSE_SHARE > bound {
            let mut words = vec![0u64; bound.div_ceil(64)];
            ids.iter().for_each(|id| words[*id as usize >> 6] |= 1 << (id & 63));
            *self = IdSet::Bits { words };
        }
    }
}

/// Sets a bit. How many are set is counted when somebody asks: to know it at every step would cost more than the rest.
#[inline]
fn set(words: &mut Vec<u64>, id: u32) {
    let at = id as usize >> 6;
    if at >= words.len() {
        words.resize((at + 1).max(words.len() * 5 / 4), 0);
    }
    words[at] |= 1 << (id & 63);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        #[test]
        fn it_is_a_set(parts in proptest::collection::vec((1u32..100_000, proptest::collection::vec(0u32..100_000, 0..3000)), 1..5)) {
            let mut all = IdSet::default();
            let mut expected = BTreeSet::new();
            for (bound, ids) in &parts {
                let mut part = IdSet::default();
                let (single, rest) = ids.split_at(ids.len() / 3);
                single.iter().for_each(|id| part.insert(id % bound));
                part.extend(rest.iter().map(|id| id % bound));
                expected.extend(ids.iter().map(|id| id % bound));
                let distinct: BTreeSet<u32> = ids.iter().map(|i| i % bound).collect();
                proptest::prop_assert_eq!(part.len(), distinct.len());
                all.merge(&part);
            }
            proptest::prop_assert_eq!(all.len(), expected.len());
            proptest::prop_assert_eq!(all.ids(), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
