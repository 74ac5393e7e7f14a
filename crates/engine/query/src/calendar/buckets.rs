//! The buckets of a range as an array of boundaries, with a lookup table.

use super::{Calendar, Unit};
use crate::QueryError;
use tallymark_model::Millis;

/// Most buckets one query may have.
pub const BUCKETS_MAX: usize = 20_000;

/// Slots of the lookup table: at least so many, and some per bucket, so that a search is a step or two.
const SLOTS_MIN: usize = 1 << 12;
const SLOTS_PER_BUCKET: usize = 4;

/// Consecutive buckets covering a half-open span of time.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// `len + 1` boundaries: bucket `i` is `[bounds[i], bounds[i + 1])`.
    bounds: Vec<Millis>,
    shift: u32,
    /// For each slot of `1 << shift` ms from `bounds[0]`: the bucket of the slot's first millisecond.
    slots: Vec<u32>,
}

impl Buckets {
    /// The buckets of `unit` that cover `[from, to)`; none if the span is empty.
    pub fn covering(
        calendar: &Calendar,
        unit: Unit,
        from: Millis,
        to: Millis,
    ) -> Result<Buckets, QueryError> {
        let mut bounds = Vec::new();
        if from < to {
            // An estimate first, so that an absurd range costs nothing.
            if (to - from) / unit.millis() > 2 * BUCKETS_MAX as i64 {
                return Err(too_many(unit));
            }
            bounds.push(calendar.floor(unit, from)?);
            while let Some(&last) = bounds.last()
                && last < to
            {
                if bounds.len() > BUCKETS_MAX {
                    return Err(too_many(unit));
                }
                bounds.push(calendar.next(unit, last)?);
            }
        }
        Ok(Buckets::of_bounds(bounds))
    }

    /// One bucket for a whole span, as with `interval: "none"`.
    pub fn single(from: Millis, to: Millis) -> Buckets {
        Buckets::of_bounds(vec![from, to.max(from)])
    }

    /// Between these boundaries, ascending; none of fewer than two.
    pub fn of_bounds(bounds: Vec<Millis>) -> Buckets {
        let (Some(&first), Some(&last)) = (bounds.first(), bounds.last()) else {
            return Buckets { bounds, shift: 0, slots: Vec::new() };
        };
        let span = last - first;
        let most = (SLOTS_PER_BUCKET * bounds.len()).max(SLOTS_MIN) as i64;
        let mut shift = 0;
        while span >> shift >= most {
            shift += 1;
        }
        let mut slots = Vec::with_capacity((span >> shift) as usize + 1);
        let mut bucket = 0;
        for slot in 0..=(span >> shift) {
            let at = first + (slot << shift);
            while bucket + 2 < bounds.len() && bounds[bucket + 1] <= at {
                bucket += 1;
            }
            slots.push(bucket as u32);
        }
        Buckets { bounds, shift, slots }
    }

    /// Number of buckets.
    pub fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }
    /// True without buckets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// First instant of bucket `i` (`i` = `len` gives the end of the last).
    pub fn start(&self, i: usize) -> Millis {
        self.bounds[i]
    }
    /// First instant after bucket `i`.
    pub fn end(&self, i: usize) -> Millis {
        self.bounds[i + 1]
    }
    /// The bucket of `t`; `None` outside the span.
    pub fn find(&self, t: Millis) -> Option<usize> {
        let first = *self.bounds.first()?;
        if t < first || t >= *self.bounds.last()? {
            return None;
        }
        Some(self.find_inside(t))
    }
    /// The bucket of `t`, which must lie inside the span.
    #[inline]
    pub fn find_inside(&self, t: Millis) -> usize {
        let slot = ((t - self.bounds[0]) >> self.shift) as usize;
        let mut bucket = self.slots[slot] as usize;
        while self.bounds[bucket + 1] <= t {
            bucket += 1;
        }
        bucket
    }
    /// Labels of all buckets.
    pub fn labels(&self, calendar: &Calendar, unit: Unit) -> Result<Vec<String>, QueryError> {
        (0..self.len()).map(|i| calendar.label(unit, self.bounds[i])).collect()
    }
}

fn too_many(unit: Unit) -> QueryError {
    QueryError::Invalid(format!(
        "the range has more than {BUCKETS_MAX} buckets of one {}; shorten it or use a longer interval",
        unit.name()
    ))
}
