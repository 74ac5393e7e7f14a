//! Count-min sketch with decay: finds the few ids worth exact counting among any number of others.
//!
//! Guarantees: constant memory; an estimate is never below the truth (of what has not decayed), so no heavy sender
//! goes unseen; that it may be above costs a row of the table, never a refusal. Hashes are keyed by the caller.
//! Deliberately not here: what happens to whom it finds.

/// Cells per row; 4 rows of 65,536 cells are 1 MiB.
const WIDTH: usize = 1 << 16;
const ROWS: usize = 4;
/// Counts halve after this time: a steady sender of x a second is seen with 10 to 20 x.
pub(crate) const HALVE_EVERY_MS: u64 = 10_000;

/// Approximate counts of the last seconds.
pub(crate) struct Sketch {
    cells: Vec<u32>,
    halved_at_ms: u64,
}

impl Sketch {
    pub fn new() -> Sketch {
        Sketch { cells: vec![0; WIDTH * ROWS], halved_at_ms: 0 }
    }

    /// Counts `n` more for this hash; returns the estimate.
    pub fn add(&mut self, hash: u64, n: u64) -> u64 {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let estimate = places(hash).map(|at| self.cells[at]).into_iter().min().unwrap_or(0).saturating_add(n);
        for at in places(hash) {
            // Raising cells only as far as the estimate keeps collisions small.
            self.cells[at] = self.cells[at].max(estimate);
        }
        u64::from(estimate)
    }

    /// Lets old counts fade.
    pub fn decay(&mut self, now_ms: u64) {
        let halvings = now_ms.saturating_sub(self.halved_at_ms) / HALVE_EVERY_MS;
        if halvings == 0 {
            return;
        }
        self.halved_at_ms += halvings * HALVE_EVERY_MS;
        if halvings >= 32 {
            self.cells.fill(0);
        } else {
            self.cells.iter_mut().for_each(|cell| *cell >>= halvings);
        }
    }
}

/// One cell per row.
fn places(hash: u64) -> [usize; ROWS] {
    let (first, step) = (hash, (hash >> 32) | 1);
    std::array::from_fn(|row| {
        let mixed = first.wrapping_add(step.wrapping_mul(row as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        row * WIDTH + (mixed >> 48) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    proptest! {
        #[test]
        fn never_estimates_below_the_truth(adds in prop::collection::vec((0u32..500, 1u64..50), 1..2000)) {
            let (mut sketch, random, mut truth) = (Sketch::new(), RandomState::new(), HashMap::new());
            for (id, n) in adds {
                *truth.entry(id).or_insert(0) += n;
                let estimate = sketch.add(random.hash_one(id), n);
                prop_assert!(estimate >= truth[&id]);
            }
        }
    }

    #[test]
    fn a_crowd_does_not_look_like_a_heavy_sender() {
        let (mut sketch, random) = (Sketch::new(), RandomState::new());
        for id in 0..100_000u32 {
            sketch.add(random.hash_one(id), 10);
        }
        let worst = (0..100_000u32).map(|id| sketch.add(random.hash_one(id), 0)).max().unwrap();
        assert!(worst < 200, "{worst}");
    }

    #[test]
    fn old_counts_fade() {
        let mut sketch = Sketch::new();
        sketch.add(7, 1000);
        sketch.decay(HALVE_EVERY_MS - 1);
        assert_eq!(sketch.add(7, 0), 1000);
        sketch.decay(HALVE_EVERY_MS * 2);
        assert_eq!(sketch.add(7, 0), 250);
        sketch.decay(HALVE_EVERY_MS * 100);
        assert_eq!(sketch.add(7, 0), 0);
    }
}
