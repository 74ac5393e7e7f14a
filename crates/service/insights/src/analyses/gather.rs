//! Events of a scan by actor: scattered into partitions while scanning, grouped within each afterwards.
//!
//! Guarantees: every actor's events end in one partition and come out together, sorted by (time, log order). Where
//! the budget does not hold all partitions at once, the scan runs several times, each for as many as it holds: the
//! answer is the same, and no scratch file is written. Costs a counting pass instead of one great sort.
//! Deliberately not here: what is known of an event (`records`).

use super::records::Record;
use std::ops::Range;
use tallymark_model::Millis;
use tallymark_query::{Batch, Context, Prepared, QueryError, Reservation, fold_parallel};

const PARTITIONS: usize = 256;
/// So few events are sorted one after the other.
const INSERTED: usize = 64;
/// By how much fewer partitions the next attempt holds, if one was too many.
const NARROWER: usize = 4;

/// One thread's records, by partition.
pub(crate) struct Scattered<R> {
    partitions: Vec<Vec<R>>,
    /// Partitions of other passes stay empty.
    here: Range<usize>,
    /// Numbers of actors are dealt out in blocks of 2 to the power of this.
    block: u32,
    held: Reservation,
    /// More than the largest number of an actor within a partition.
    bound: usize,
}

/// Records by actor: those of as many partitions as the budget holds, and how to get the others.
pub(crate) struct Gathered<'f, R> {
    first: Vec<Scattered<R>>,
    width: usize,
    again: Box<dyn Fn(Range<usize>) -> Result<Vec<Scattered<R>>, QueryError> + 'f>,
}

impl<R: Record> Scattered<R> {
    /// Empty; only the partitions of this pass are kept. For records of `prepared`.
    pub fn new(prepared: &Prepared<'_>, context: &Context, here: Range<usize>) -> Scattered<R> {
        let partitions = (0..PARTITIONS).map(|_| Vec::new()).collect();
        // Rows of a file lie in the order of persons' numbers, so neighbours go to the same partition.
        let block = (prepared.persons_about() / (2 * PARTITIONS)).checked_ilog2().unwrap_or(0);
        Scattered { partitions, here, block, held: context.budget.reservation(), bound: 0 }
    }

    /// Adds a record; those of nobody are dropped.
    #[inline]
    pub fn push(&mut self, record: R) {
        self.push_of(record.actor(), record);
    }

    /// Adds a record that does not say yet whose it is.
    #[inline]
    pub fn push_of(&mut self, actor: u32, mut record: R) {
        let block = actor >> self.block;
        let partition = block as usize % PARTITIONS;
        if actor != 0 && self.here.contains(&partition) {
            let within = (block / PARTITIONS as u32) << self.block | actor & ((1 << self.block) - 1);
            record.set_actor(within);
            self.partitions[partition].push(record);
            self.bound = self.bound.max(within as usize + 1);
        }
    }

    /// Counts the memory of what was added.
    pub fn count(&mut self) -> Result<(), QueryError> {
        // Half again for the vectors' spare room, and once more for grouping a few partitions.
        let records: usize = self.partitions.iter().map(Vec::len).sum();
        self.held.grow_to((records * size_of::<R>()) as u64 * 3 / 2)
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
        let new = || Scattered::new(prepared, context, here.clone());
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
    let bound = scattered.iter().map(|s| s.bound).max().unwrap_or(0);
    let parts: Vec<Vec<Vec<R>>> = (0..PARTITIONS)
        .map(|p| scattered.iter_mut().map(|s| std::mem::take(&mut s.partitions[p])).collect())
        .collect();
    let states = fold_parallel(
        threads,
        parts,
        || (new(), Grouping::new(bound), context.budget.reservation()),
        |(state, grouping, held), part| {
            context.cancel.check()?;
            let bytes = part.iter().map(Vec::len).sum::<usize>() * size_of::<R>();
            // What the largest partition needed is kept for the next ones.
            held.grow_to(bytes as u64)?;
            grouping.each(part, |events| fold(state, events))
        },
    )?;
    Ok(states.into_iter().map(|(state, ..)| state).collect())
}

/// What grouping needs, kept from partition to partition.
struct Grouping<R> {
    /// Per actor: where its events end, once all are placed.
    ends: Vec<u32>,
    opened: Vec<bool>,
    placed: Vec<R>,
}

impl<R: Record> Grouping<R> {
    /// For actors below `bound`.
    fn new(bound: usize) -> Grouping<R> {
        Grouping { ends: vec![0; bound + 1], opened: vec![false; bound], placed: Vec::new() }
    }

    /// Counting sort by actor, then a small sort by time; actors that no event opens are skipped.
    fn each(
        &mut self,
        part: Vec<Vec<R>>,
        mut each: impl FnMut(&[R]) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let all = || part.iter().flatten();
        let Some(&filler) = all().next() else { return Ok(()) };
        self.ends.fill(0);
        self.opened.fill(false);
        for record in all() {
            let actor = record.actor() as usize;
            self.ends[actor + 1] += 1;
            self.opened[actor] |= record.opens();
        }
        let mut total = 0;
        for count in &mut self.ends {
            total += *count;
            *count = total;
        }
        self.placed.clear();
        self.placed.resize(total as usize, filler);
        for record in all() {
            // Where the actor's next event goes; after the last one, where the next actor's begin.
            let next = &mut self.ends[record.actor() as usize];
            self.placed[*next as usize] = *record;
            *next += 1;
        }
        drop(part);
        let mut from = 0;
        for (end, opened) in self.ends.iter().zip(&self.opened) {
            let events = &mut self.placed[from..*end as usize];
            from = *end as usize;
            if *opened {
                sort(events);
                each(events)?;
            }
        }
        Ok(())
    }
}

/// Sorts the events of an actor, which mostly are in order already: they come about in order of time.
fn sort<R: Record>(events: &mut [R]) {
    if events.len() > INSERTED {
        return events.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    }
    for i in 1..events.len() {
        let event = events[i];
        let mut at = i;
        while at > 0 && events[at - 1].order() > event.order() {
            events[at] = events[at - 1];
            at -= 1;
        }
        events[at] = event;
    }
}
