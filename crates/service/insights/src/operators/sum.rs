//! Sums of floats that do not depend on the order of their terms.
//!
//! Guarantees: the exact sum, rounded once (Shewchuk's expansions), so that threads, batches and compaction
//! change no digit. Terms must be finite; a sum beyond the range of floats is reported as none.

/// An exact running sum.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExactSum {
    /// Non-overlapping, increasing in magnitude; their exact sum is the sum of all terms.
    partials: Vec<f64>,
    overflown: bool,
}

impl ExactSum {
    /// Adds a term.
    pub fn add(&mut self, term: f64) {
        let mut x = term;
        let mut kept = 0;
        for i in 0..self.partials.len() {
            let mut y = self.partials[i];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                self.partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        self.partials.truncate(kept);
        if x != 0.0 {
            self.partials.push(x);
        }
        self.overflown |= !x.is_finite();
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        other.partials.iter().for_each(|p| self.add(*p));
        self.overflown |= other.overflown;
    }

    /// The sum, rounded to nearest; none if it left the range of floats.
    pub fn value(&self) -> Option<f64> {
        if self.overflown {
            return None;
        }
        let mut parts = self.partials.iter().rev();
        let mut high = *parts.next().unwrap_or(&0.0);
        let mut low = 0.0;
        let mut rest = None;
        for part in parts {
            let x = high;
            high = x + part;
            low = part - (high - x);
            if low != 0.0 {
                rest = self.partials.iter().rev().skip_while(|p| *p != part).nth(1);
                break;
            }
        }
        // Half-way cases round by the sign of what lies below.
        if let Some(next) = rest
            && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
        {
            let twice = low * 2.0;
            let x = high + twice;
            if twice == x - high {
                high = x;
            }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[f64]) -> Option<f64> {
        let mut s = ExactSum::default();
        terms.iter().for_each(|t| s.add(*t));
        s.value()
    }

    #[test]
    fn it_is_exact() {
        assert_eq!(sum(&[]), Some(0.0));
        assert_eq!(sum(&[0.1; 10]), Some(1.0));
        assert_eq!(sum(&[1e100, 1.0, -1e100]), Some(1.0));
        assert_eq!(sum(&[1e16, 1.0, 1e-16]), Some(10000000000000002.0));
        assert_eq!(sum(&[1e308, 1e308]), None);
    }

    proptest::proptest! {
        #[test]
        fn the_order_of_terms_and_parts_does_not_matter(
            terms in proptest::collection::vec(-1e15f64..1e15, 0..40),
            small in proptest::collection::vec(-1e-3f64..1e-3, 0..40),
            cut in 0usize..80,
        ) {
            let mut all: Vec<f64> = terms.iter().chain(&small).copied().collect();
            let forward = sum(&all);
            let (left, right) = all.split_at(cut.min(all.len()));
            let mut merged = ExactSum::default();
            right.iter().for_each(|t| merged.add(*t));
            let mut other = ExactSum::default();
            left.iter().for_each(|t| other.add(*t));
            merged.merge(&other);
            proptest::prop_assert_eq!(merged.value(), forward);
            all.reverse();
            proptest::prop_assert_eq!(sum(&all), forward);
        }
    }
}
