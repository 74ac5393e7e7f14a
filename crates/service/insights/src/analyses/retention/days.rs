//! Retention by intervals of the calendar, where it only matters in which of them a person started and returned: a bit
//! per interval, so that an event costs one instruction and its time need not be read if its file lies inside one.
//!
//! Guarantees: the numbers of [`super::plain`], which knows every option; see [`fits`] for what is left to it.

use super::plain::{BACK, Counts, START};
use super::table::Frame;
use crate::Error;
use crate::operators::returns::CohortBy;
use crate::plan::Bound;
use crate::query::{CountBy, RetentionKind, RetentionQuery};
use tallymark_model::Millis;
use tallymark_query::{Batch, Buckets, Prepared, QueryError, Scan};

/// Most bytes of bits, all threads together.
const BYTES_MAX: usize = 256 << 20;

/// Where persons started and returned, by interval.
struct Bits {
    /// Words per person: of starts, then of returns.
    starts: usize,
    words: Vec<u64>,
    /// Persons who started before the range.
    before: Vec<u64>,
}

/// Offset 0 needs the order of events within an interval, unless it is the size; several returns need to be counted.
pub(super) fn fits(query: &RetentionQuery, bound: &Bound<'_>, frame: &Frame) -> bool {
    let bytes = width(frame) * 8 * persons(bound) * bound.threads;
    query.kind == RetentionKind::On
        && !query.rolling
        && query.min_returns == 1
        && !query.day0_returned
        && query.breakdown.is_empty()
        && query.common.count_by == CountBy::Person
        && frame.cohorts > 0
        && bytes <= BYTES_MAX
        // With less the general way still answers, in several passes.
        && bound.context.budget.reserve(bytes as u64).is_ok()
}

/// Makes a scan of starts and returns as cheap as it can be.
pub(super) fn narrow(scan: &mut Scan, bound: &Bound<'_>, frame: &Frame) {
    let (from, to) = bound.range;
    let buckets = &frame.buckets;
    let mut bounds: Vec<Millis> = (0..=buckets.len()).map(|i| buckets.start(i)).collect();
    bounds.extend([from, to]);
    bounds.sort_unstable();
    bounds.dedup();
    scan.order = false;
    scan.stretches = Some(Buckets::of_bounds(bounds));
    scan.spans = vec![(scan.from, to)];
}

/// Counts members and returns per cohort; `None` if nobody started.
pub(super) fn count(
    prepared: &Prepared<'_>,
    query: &RetentionQuery,
    bound: &Bound<'_>,
    frame: &Frame,
) -> Result<Option<Counts>, Error> {
    let (from, to) = bound.range;
    let (persons, width) = (persons(bound), width(frame));
    let starts = frame.cohorts.div_ceil(64);
    let bytes = persons * width * 8;
    let _held = bound.context.budget.reserve((bytes * bound.threads) as u64)?;
    let new = || Bits { starts, words: vec![0; persons * width], before: vec![0; persons / 64 + 1] };
    let each = |bits: &mut Bits, batch: Batch| -> Result<(), QueryError> {
        let place = |time: Millis| (frame.buckets.find(time), from <= time && time < to, time < from);
        let shared = batch.instant.map(place);
        for (row, (mask, person)) in batch.masks.iter().zip(&batch.actors).enumerate() {
            if *person != 0 {
                bits.add(width, *person as usize, *mask, shared.unwrap_or_else(|| place(batch.times[row])));
            }
        }
        Ok(())
    };
    let mut parts = prepared.run(bound.threads, new, each)?.into_iter();
    let Some(mut all) = parts.next() else { return Ok(None) };
    for part in parts {
        all.words.iter_mut().zip(part.words).for_each(|(a, b)| *a |= b);
        all.before.iter_mut().zip(part.before).for_each(|(a, b)| *a |= b);
    }
    let mut counts = Counts::new(frame.cohorts, query.periods);
    for (person, words) in all.words.chunks_exact(width).enumerate() {
        let late = all.before[person / 64] >> (person % 64) & 1 == 1;
        if query.cohort_by == CohortBy::FirstTime && late {
            continue;
        }
        let (starts, returns) = words.split_at(starts);
        for cohort in ones(starts) {
            counts.member(cohort);
            let after = ones(returns).skip_while(|at| *at <= cohort).map(|at| at - cohort);
            after.take_while(|offset| *offset <= query.periods).for_each(|k| counts.returned(cohort, k));
            if query.cohort_by != CohortBy::Any {
                break;
            }
        }
    }
    Ok(Some(counts))
}

impl Bits {
    #[inline]
    fn add(
        &mut self,
        width: usize,
        person: usize,
        mask: u32,
        (bucket, inside, before): (Option<usize>, bool, bool),
    ) {
        if before && mask & START != 0 {
            self.before[person / 64] |= 1 << (person % 64);
        }
        let Some(bucket) = bucket else { return };
        let words = &mut self.words[person * width..][..width];
        if inside && mask & START != 0 {
            words[bucket / 64] |= 1 << (bucket % 64);
        }
        if mask & BACK != 0 {
            words[self.starts + bucket / 64] |= 1 << (bucket % 64);
        }
    }
}

fn persons(bound: &Bound<'_>) -> usize {
    bound.snapshot.identity.bound() as usize
}

/// Words per person.
fn width(frame: &Frame) -> usize {
    frame.cohorts.div_ceil(64) + frame.buckets.len().div_ceil(64)
}

/// Numbers of the bits that are set, ascending.
fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at * 64 + bit)
        })
    })
}
