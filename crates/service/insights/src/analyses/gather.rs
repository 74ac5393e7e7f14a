//! Events of a scan by actor: scattered into partitions while scanning, grouped within each afterwards.
//!
//! Guarantees: every actor's events end in one partition and come out together, sorted by (time, log order). Where
//! the budget does not hold all partitions at once, the scan runs several times, each for as many as it holds: the
//! answer is the same, and no scratch file is written. Costs two counting passes instead of one great sort.

use std::ops::Range;
use tallymark_model::Millis;
use tallymark_query::{Batch, Context, Prepared, QueryError, Reservation, fold_parallel};

const PARTITIONS: usize = 256;
/// By how much fewer partitions the next attempt holds, if one was too many.
const NARROWER: usize = 4;

/// An event of an actor.
pub(crate) trait Record: Copy + Send + Sync {
    /// Whose; never 0.
    fn actor(&self) -> u32;
    /// Replaces the actor by its number within the partition.
    fn set_actor(&mut self, actor: u32);
    /// Whether the actor is of interest because of this event; actors without any such event are left out.
    fn opens(&self) -> bool;
    /// Orders the events of one actor.
    fn order(&self) -> impl Ord;
}

/// An event without its place in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    pub actor: u32,
    pub mask: u32,
    pub time: Millis,
}

/// An event with the groups of its breakdown, without its place in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marked {
    pub actor: u32,
    pub mask: u32,
    pub time: Millis,
    /// Number of a set of groups.
    pub set: u32,
}

/// An event with its place in the log and the groups of its breakdown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub actor: u32,
    pub mask: u32,
    pub time: Millis,
    pub received: Millis,
    pub position: u64,
    /// Number of a set of groups.
    pub set: u32,
}

impl Placed {
    /// A row of a batch that was read with its place in the log.
    pub fn new(batch: &Batch, row: usize, actor: u32, mask: u32, set: u32) -> Placed {
        let (received, position) = (batch.received[row], batch.positions[row]);
        Placed { actor, mask, time: batch.times[row], received, position, set }
    }
}

impl Record for Plain {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
    fn order(&self) -> impl Ord {
        self.time
    }
}

impl Record for Marked {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
    fn order(&self) -> impl Ord {
        self.time
    }
}

impl Record for Placed {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

/// One thread's records, by partition.
pub(crate) struct Scattered<R> {
    partitions: Vec<Vec<R>>,
    /// Partitions of other passes stay empty.
    here: Range<usize>,
    held: Reservation,
    rows: u64,
}

/// Records by actor: those of as many partitions as the budget holds, and how to get the others.
pub(crate) struct Gathered<'f, R> {
    first: Vec<Scattered<R>>,
    width: usize,
    again: Box<dyn Fn(Range<usize>) -> Result<Vec<Scattered<R>>, QueryError> + 'f>,
}

impl<R: Record> Scattered<R> {
    /// Empty; only the partitions of this pass are kept.
    pub fn new(context: &Context, here: Range<usize>) -> Scattered<R> {
        let partitions = (0..PARTITIONS).map(|_| Vec::new()).collect();
        Scattered { partitions, here, held: context.budget.reservation(), rows: 0 }
    }

    /// Adds a record; those of nobody are dropped.
    #[inline]
    pub fn push(&mut self, mut record: R) {
        let actor = record.actor();
        let partition = actor as usize % PARTITIONS;
        if actor != 0 && self.here.contains(&partition) {
            record.set_actor(actor / PARTITIONS as u32);
            self.partitions[partition].push(record);
            self.rows += 1;
        }
    }

    /// Counts the memory of what was added.
    pub fn count(&mut self) -> Result<(), QueryError> {
        // Half again for the vectors' spare room, and once more for grouping a few partitions.
        self.held.grow_to(self.rows * size_of::<R>() as u64 * 3 / 2)
    }
}

/// Scans into partitions. `collect` sees every row at least once before this returns, also those of partitions that
/// a later pass holds.
pub(crate) fn scatter<'f, R: Record + 'f>(
    prepared: &'f Prepared<'_>,
    context: &'f Context,
    threads: usize,
    collect: impl Fn(&mut Scattered<R>, &Batch) -> Result<(), QueryError> + Sync + 'f,
) -> Result<Gathered<'f, R>, QueryError> {
    scatter_between(prepared, (Millis::MIN, Millis::MAX), context, threads, collect)
}

/// The same over the row groups that may hold rows of `[from, to)`; other rows of theirs come along.
pub(crate) fn scatter_between<'f, R: Record + 'f>(
    prepared: &'f Prepared<'_>,
    between: (Millis, Millis),
    context: &'f Context,
    threads: usize,
    collect: impl Fn(&mut Scattered<R>, &Batch) -> Result<(), QueryError> + Sync + 'f,
) -> Result<Gathered<'f, R>, QueryError> {
    gather(context, threads, move |here| {
        let new = || Scattered::new(context, here.clone());
        prepared.run_between(threads, between, new, |scattered, batch| {
            collect(scattered, &batch)?;
            scattered.count()
        })
    })
}

/// What any way of scanning finds; `scan` keeps the records of the partitions it is given, and may be asked again.
pub(crate) fn gather<'f, R: Record + 'f>(
    context: &'f Context,
    threads: usize,
    scan: impl Fn(&Range<usize>) -> Result<Vec<Scattered<R>>, QueryError> + 'f,
) -> Result<Gathered<'f, R>, QueryError> {
    let again = move |here: Range<usize>| {
        let scattered = scan(&here)?;
        // Folding copies a partition per thread; finding out in the middle of it would be too late.
        let largest = here.map(|p| scattered.iter().map(|s| s.partitions[p].len()).sum::<usize>()).max();
        let room = largest.unwrap_or(0) * size_of::<R>() * threads;
        context.budget.reserve(room as u64)?;
        Ok(scattered)
    };
    let (first, width) = narrowing(0, PARTITIONS, &again)?;
    context.reads.passes(PARTITIONS.div_ceil(width));
    Ok(Gathered { first, width, again: Box::new(again) })
}

/// The partitions from `from` on: as many as `width`, or as the budget holds.
fn narrowing<T>(
    from: usize,
    mut width: usize,
    again: &dyn Fn(Range<usize>) -> Result<T, QueryError>,
) -> Result<(T, usize), QueryError> {
    loop {
        match again(from..PARTITIONS.min(from + width)) {
            Ok(scattered) => return Ok((scattered, width)),
            Err(QueryError::OutOfMemory { .. }) if width > 1 => width = (width / NARROWER).max(1),
            Err(error) => return Err(error),
        }
    }
}

/// Folds every actor's events: `fold(state, events)`; one state per thread, so folding must not depend on the
/// order of actors.
pub(crate) fn by_actor<R: Record, S: Send>(
    gathered: Gathered<'_, R>,
    context: &Context,
    threads: usize,
    new: impl Fn() -> S + Sync,
    fold: impl Fn(&mut S, &[R]) -> Result<(), QueryError> + Sync,
) -> Result<Vec<S>, QueryError> {
    let Gathered { first, mut width, again } = gathered;
    let mut states = fold_pass(first, context, threads, &new, &fold)?;
    let mut from = width;
    while from < PARTITIONS {
        let (scattered, held) = narrowing(from, width, &again)?;
        states.extend(fold_pass(scattered, context, threads, &new, &fold)?);
        (from, width) = (from + held, held);
    }
    Ok(states)
}

fn fold_pass<R: Record, S: Send>(
    mut scattered: Vec<Scattered<R>>,
    context: &Context,
    threads: usize,
    new: &(impl Fn() -> S + Sync),
    fold: &(impl Fn(&mut S, &[R]) -> Result<(), QueryError> + Sync),
) -> Result<Vec<S>, QueryError> {
    let parts: Vec<Vec<Vec<R>>> = (0..PARTITIONS)
        .map(|p| scattered.iter_mut().map(|s| std::mem::take(&mut s.partitions[p])).collect())
        .collect();
    fold_parallel(threads, parts, new, |state, part| {
        context.cancel.check()?;
        let bytes = part.iter().map(Vec::len).sum::<usize>() * size_of::<R>();
        let _held = context.budget.reserve(bytes as u64)?;
        group(part, |events| fold(state, events))
    })
}

/// Counting sort by actor, then a small sort by time; actors that no event opens are skipped.
fn group<R: Record>(
    part: Vec<Vec<R>>,
    mut each: impl FnMut(&[R]) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let all = || part.iter().flatten();
    let bound = all().map(Record::actor).max().map_or(0, |a| a as usize + 1);
    let mut starts = vec![0u32; bound + 1];
    let mut opened = vec![false; bound];
    for record in all() {
        opened[record.actor() as usize] |= record.opens();
    }
    for record in all().filter(|r| opened[r.actor() as usize]) {
        starts[record.actor() as usize + 1] += 1;
    }
    for i in 0..bound {
        starts[i + 1] += starts[i];
    }
    let Some(&filler) = all().next() else { return Ok(()) };
    let mut sorted = vec![filler; starts[bound] as usize];
    let mut next = starts.clone();
    for record in all().filter(|r| opened[r.actor() as usize]) {
        let at = &mut next[record.actor() as usize];
        sorted[*at as usize] = *record;
        *at += 1;
    }
    drop(part);
    for ends in starts.windows(2) {
        let events = &mut sorted[ends[0] as usize..ends[1] as usize];
        if events.is_empty() {
            continue;
        }
        events.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        each(events)?;
    }
    Ok(())
}
