//! Percentiles of numbers that lie in one or several lists.
//!
//! Guarantees: exact, by linear interpolation at rank (n-1)·p/100; lists are neither joined nor moved about. Costs
//! three passes over the numbers: their range, how many fall into each of its bins, and those of the bin that is
//! wanted.

/// So few numbers are joined.
const FEW: usize = 2048;
const BIN_BITS: u32 = 12;

/// Percentile `p` (0 to 100) of the numbers of all lists; `None` of none.
pub(crate) fn percentile(lists: &[&[f64]], p: f64) -> Option<f64> {
    let count: usize = lists.iter().map(|list| list.len()).sum();
    let rank = count.checked_sub(1)? as f64 * p / 100.0;
    let (first, second) = (rank.floor() as usize, rank.ceil() as usize);
    let (below, above) = match count <= FEW {
        true => neighbours(lists.concat(), first, second),
        false => of_bins(lists, first, second),
    };
    Some(below + (above - below) * (rank - rank.floor()))
}

/// The numbers at these places of the order; the places are the same, or neighbours.
fn of_bins(lists: &[&[f64]], first: usize, second: usize) -> (f64, f64) {
    let (mut least, mut most) = (u64::MAX, 0);
    for list in lists {
        for number in *list {
            (least, most) = (least.min(ordered(*number)), most.max(ordered(*number)));
        }
    }
    let shift = (u64::BITS - (most - least).leading_zeros()).saturating_sub(BIN_BITS);
    let bin = |number: f64| (ordered(number) - least) >> shift;
    let mut counts = [0usize; 1 << BIN_BITS];
    for list in lists {
        list.iter().for_each(|number| counts[bin(*number) as usize] += 1);
    }
    let mut end = 0;
    let ends: Vec<usize> = counts
        .iter()
        .map(|count| {
            end += count;
            end
        })
        .collect();
    let of = |place: usize| ends.partition_point(|end| *end <= place);
    let wanted = of(first) as u64..=of(second) as u64;
    let before = of(first).checked_sub(1).map_or(0, |bin| ends[bin]);
    let mut chosen = Vec::with_capacity(ends[of(second)] - before);
    for list in lists {
        chosen.extend(list.iter().filter(|number| wanted.contains(&bin(**number))));
    }
    neighbours(chosen, first - before, second - before)
}

fn neighbours(mut numbers: Vec<f64>, first: usize, second: usize) -> (f64, f64) {
    let (_, &mut below, larger) = numbers.select_nth_unstable_by(first, f64::total_cmp);
    let next = || larger.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    (below, if second > first { next() } else { below })
}

/// Bits that are ordered as the numbers are.
#[inline]
fn ordered(number: f64) -> u64 {
    let bits = number.to_bits();
    bits ^ if bits >> 63 == 0 { 1 << 63 } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_interpolate() {
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(percentile(&[&[], &[7.0]], 90.0), Some(7.0));
        assert_eq!(percentile(&[&[4.0, 1.0], &[3.0, 2.0]], 50.0), Some(2.5));
        assert_eq!(percentile(&[&[10.0, 20.0, 30.0, 40.0, 50.0]], 90.0), Some(46.0));
    }

    fn sorted(lists: &[&[f64]], p: f64) -> Option<f64> {
        let mut all = lists.concat();
        all.sort_by(f64::total_cmp);
        let rank = all.len().checked_sub(1)? as f64 * p / 100.0;
        let (below, above) = (all[rank.floor() as usize], all[rank.ceil() as usize]);
        Some(below + (above - below) * (rank - rank.floor()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn many_numbers_give_what_sorting_them_gives(
            numbers in prop_oneof![
                prop::collection::vec(-1e6f64..1e6, FEW..3 * FEW),
                prop::collection::vec((-3i32..3).prop_map(f64::from), FEW..3 * FEW),
                prop::collection::vec(prop_oneof![50 => Just(5.0f64), 1 => -1e300f64..1e300], FEW..3 * FEW),
            ],
            cut in 0..FEW,
            p in prop_oneof![0.0f64..=100.0, Just(0.0), Just(50.0), Just(100.0)],
        ) {
            let (some, others) = numbers.split_at(cut);
            prop_assert_eq!(percentile(&[some, others], p), sorted(&[some, others], p));
        }
    }
}
