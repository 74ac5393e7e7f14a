//! k-means++ over rows of numbers, the same clusters for the same rows and seed, to the last bit.
//!
//! Every sum runs over rows and columns in their order; ties go to the cluster with the lower number; random
//! numbers are SplitMix64's. Deliberately not here: what the rows mean, and their order.

use tallymark_query::{Cancel, QueryError};

/// Most rounds of moving centres.
const ROUNDS: usize = 100;

/// SplitMix64.
struct Random(u64);

impl Random {
    /// Uniform in `[0, 1)`.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The cluster of each row, below `clusters`; `rows` holds `width` numbers for each.
pub(crate) fn cluster(
    rows: &[f64],
    width: usize,
    clusters: usize,
    seed: u64,
    cancel: &Cancel,
) -> Result<Vec<usize>, QueryError> {
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let count = if width == 0 { 0 } else { rows.len() / width };
    let mut centres = centres(rows, width, clusters.min(count), seed, cancel)?;
    let mut assigned: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        cancel.check()?;
        let nearest = |i: usize| {
            let mut best = (f64::INFINITY, 0);
            for (c, centre) in centres.iter().enumerate() {
                let distance = squared(row(i), centre);
                if distance < best.0 {
                    best = (distance, c);
                }
            }
            best.1
        };
        let next: Vec<usize> = (0..count).map(nearest).collect();
        if next == assigned {
            break;
        }
        assigned = next;
        let mut sums = vec![vec![0.0; width]; centres.len()];
        let mut sizes = vec![0usize; centres.len()];
        for (i, c) in assigned.iter().enumerate() {
            sizes[*c] += 1;
            sums[*c].iter_mut().zip(row(i)).for_each(|(sum, x)| *sum += x);
        }
        // A cluster that lost its last row stays where it is.
        for (c, sum) in sums.into_iter().enumerate().filter(|(c, _)| sizes[*c] > 0) {
            centres[c] = sum.into_iter().map(|s| s / sizes[c] as f64).collect();
        }
    }
    Ok(assigned)
}

/// Far from each other: each next one with a chance by its squared distance to the nearest so far.
fn centres(
    rows: &[f64],
    width: usize,
    clusters: usize,
    seed: u64,
    cancel: &Cancel,
) -> Result<Vec<Vec<f64>>, QueryError> {
    if clusters == 0 {
        return Ok(Vec::new());
    }
    let count = rows.len() / width;
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let mut random = Random(seed);
    let first = ((random.next() * count as f64) as usize).min(count - 1);
    let mut centres = vec![row(first).to_vec()];
    let mut distances: Vec<f64> = (0..count).map(|i| squared(row(i), row(first))).collect();
    while centres.len() < clusters {
        cancel.check()?;
        let total: f64 = distances.iter().sum();
        if total <= 0.0 {
            break;
        }
        let wanted = random.next() * total;
        let mut so_far = 0.0;
        let mut chosen = None;
        for (i, distance) in distances.iter().enumerate().filter(|(_, d)| **d > 0.0) {
            so_far += distance;
            chosen = Some(i);
            if so_far > wanted {
                break;
            }
        }
        let Some(chosen) = chosen else { break };
        centres.push(row(chosen).to_vec());
        for (i, distance) in distances.iter_mut().enumerate() {
            *distance = distance.min(squared(row(i), row(chosen)));
        }
    }
    Ok(centres)
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_groups_are_found_from_any_seed() {
        let rows = [0.0, 0.1, 0.2, 10.0, 10.1, 10.2];
        for seed in 0..50 {
            let found = cluster(&rows, 1, 2, seed, &Cancel::default()).unwrap();
            assert_eq!((found[0], found[3]), (found[1], found[4]), "seed {seed}");
            assert_eq!((found[0], found[3]), (found[2], found[5]), "seed {seed}");
            assert_ne!(found[0], found[3]);
        }
    }

    #[test]
    fn equal_rows_make_one_cluster_and_no_rows_none() {
        assert_eq!(cluster(&[1.0; 4], 2, 2, 7, &Cancel::default()).unwrap(), [0, 0]);
        assert!(cluster(&[], 2, 2, 7, &Cancel::default()).unwrap().is_empty());
    }
}
