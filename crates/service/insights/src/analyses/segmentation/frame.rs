//! The stretches of time that the cells of a segmentation are kept for, and which of them make a point.
//!
//! Guarantees: a point of the range reads whole slots only. Slots are the buckets of the range, before them those
//! that rolling modifiers look back to, and if the range begins inside a bucket, the part of that bucket before it
//! as a slot of its own: it counts for windows that reach back, never for the bucket itself.

use crate::Error;
use crate::plan::Bound;
use crate::query::Shape;
use tallymark_model::Millis;
use tallymark_query::{Buckets, QueryError, Unit};

/// Slots a [`super::super::table::Key`] has room for.
const SLOTS_MAX: usize = 1 << 15;

/// Slots `[0, 1)`, `[0, 2)`…: a half-open span of them.
pub(super) type Window = (usize, usize);

/// Slots of a query.
pub(super) struct Frame {
    slots: Buckets,
    /// Buckets before the range.
    before: usize,
    /// The slot of the range's first bucket.
    first: usize,
    buckets: usize,
}

impl Frame {
    /// For the buckets of the range and `before` buckets before them.
    pub fn new(
        bound: &Bound<'_>,
        buckets: &Buckets,
        unit: Option<Unit>,
        before: usize,
    ) -> Result<Frame, Error> {
        let (Some(unit), true) = (unit, before > 0 && !buckets.is_empty()) else {
            return Ok(Frame { slots: buckets.clone(), before: 0, first: 0, buckets: buckets.len() });
        };
        let first = buckets.start(0);
        let earliest = bound.calendar.step(unit, first, -(before as i64))?;
        let earlier = Buckets::covering(&bound.calendar, unit, earliest, first)?;
        let mut bounds: Vec<Millis> = (0..earlier.len()).map(|i| earlier.start(i)).collect();
        let before = bounds.len();
        bounds.push(first);
        bounds.extend(Some(bound.range.0).filter(|from| *from > first));
        let slot = bounds.len() - 1;
        bounds.extend((0..buckets.len()).map(|i| buckets.end(i)));
        if bounds.len() > SLOTS_MAX {
            let text = format!("the range and what lies before it have more than {SLOTS_MAX} buckets");
            return Err(QueryError::Invalid(text).into());
        }
        Ok(Frame { slots: Buckets::of_bounds(bounds), before, first: slot, buckets: buckets.len() })
    }

    /// First instant that matters.
    pub fn start(&self, from: Millis) -> Millis {
        if self.before == 0 { from } else { self.slots.start(0) }
    }

    /// All slots.
    pub fn stretches(&self) -> &Buckets {
        &self.slots
    }

    /// The slot of an instant within.
    #[inline]
    pub fn slot(&self, t: Millis) -> usize {
        self.slots.find_inside(t)
    }

    /// The same of any instant; `None` outside.
    pub fn find(&self, t: Millis) -> Option<usize> {
        self.slots.find(t)
    }

    /// The bucket of an instant, counted from the first one there is; `None` outside.
    pub fn bucket(&self, t: Millis) -> Option<usize> {
        self.slots
            .find(t)
            .map(|slot| if slot > self.before { slot - (self.first - self.before) } else { slot })
    }

    /// All of the range.
    pub fn range(&self) -> Window {
        (self.first, self.first + self.buckets)
    }

    /// The slots of each point of a line before values are averaged or added; with a rolling average the points
    /// before the range come first.
    pub fn windows(&self, shape: Shape) -> Vec<Window> {
        let (first, end) = self.range();
        let single = |slot: usize| (slot, slot + 1);
        match shape {
            Shape::Plain | Shape::RunningSum | Shape::RollingAverage { in_range: true, .. } => {
                (first..end).map(single).collect()
            }
            Shape::Cumulative => (first..end).map(|slot| (first, slot + 1)).collect(),
            Shape::RollingWindow { n, in_range } => {
                let from = |bucket: usize| match (bucket + 1).checked_sub(n) {
                    Some(later) if later > 0 => first + later,
                    _ if in_range => first,
                    // Windows that reach the first bucket from behind take all of it.
                    _ => (self.before + bucket + 1).saturating_sub(n),
                };
                (0..self.buckets).map(|bucket| (from(bucket), first + bucket + 1)).collect()
            }
            Shape::RollingAverage { n, .. } => {
                let earlier = (self.before + 1).saturating_sub(n)..self.before;
                earlier.chain(first..end).map(single).collect()
            }
        }
    }
}

/// What a shape makes of the values of its windows, `None` being no value.
pub(super) fn shaped(shape: Shape, values: &[Option<f64>]) -> Vec<Option<f64>> {
    // Whole numbers below 2^53 add up exactly, and others always in this order.
    let sum = |values: &[Option<f64>]| values.iter().map(|v| v.unwrap_or(0.0)).sum::<f64>();
    match shape {
        Shape::RunningSum => {
            let add = |so_far: &mut f64, value: &Option<f64>| {
                *so_far += value.unwrap_or(0.0);
                Some(Some(*so_far))
            };
            values.iter().scan(0.0, add).collect()
        }
        Shape::RollingAverage { n, in_range: true } => (1..=values.len())
            .map(|to| {
                let part = &values[to.saturating_sub(n)..to];
                Some(sum(part) / part.len() as f64)
            })
            .collect(),
        Shape::RollingAverage { n, in_range: false } => {
            values.windows(n).map(|part| Some(sum(part) / n as f64)).collect()
        }
        _ => values.to_vec(),
    }
}
