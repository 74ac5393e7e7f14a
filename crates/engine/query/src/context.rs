//! What one running query carries: cancellation, time limit, progress, memory budget (R30, S32).
//!
//! Guarantees: exceeding a limit is a typed error of that query, never an abort of the process.
//! Not here: admission of queries (the API decides how many run at once).

use crate::{QueryError, Reads};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Everything a running query shares with the one who asked for it. Cloning shares.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Stops the query from outside, or when its time is over.
    pub cancel: Cancel,
    /// How far it has come.
    pub progress: Progress,
    /// How much memory it may still take.
    pub budget: Budget,
    /// Most rows that one pass over files may look at; any number without.
    pub rows_max: Option<u64>,
    /// What it reads.
    pub reads: Reads,
    /// Compute it, even where an answer is kept.
    pub fresh: bool,
}

impl Context {
    /// A context with these limits.
    pub fn limited(bytes: u64, time: Duration) -> Context {
        Context { cancel: Cancel::within(time), budget: Budget::of(bytes), ..Context::default() }
    }
}

/// A flag that stops a query, with an optional time limit.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    stopped: Arc<AtomicBool>,
    deadline: Option<(Instant, Duration)>,
}

impl Cancel {
    /// A token that also stops by itself after `time`.
    pub fn within(time: Duration) -> Cancel {
        let deadline = Instant::now().checked_add(time).map(|end| (end, time));
        Cancel { stopped: Arc::default(), deadline }
    }
    /// Asks the query to stop; it does so at the next batch.
    pub fn cancel(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
    /// True once [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
    /// Fails when the query should stop.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        match self.deadline {
            Some((end, limit)) if Instant::now() >= end => {
                Err(QueryError::OutOfTime { limit_ms: limit.as_millis() as u64 })
            }
            _ => Ok(()),
        }
    }
}

/// Counters that others may read while the query runs.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<ProgressCounters>);

#[derive(Debug, Default)]
struct ProgressCounters {
    total: AtomicU64,
    done: AtomicU64,
    rows: AtomicU64,
}

/// One reading of [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ProgressReading {
    /// Row groups that will be read.
    pub row_groups_total: u64,
    /// Row groups read so far.
    pub row_groups_done: u64,
    /// Rows read so far.
    pub rows: u64,
}

impl Progress {
    /// The counters now.
    pub fn read(&self) -> ProgressReading {
        ProgressReading {
            row_groups_total: self.0.total.load(Ordering::Relaxed),
            row_groups_done: self.0.done.load(Ordering::Relaxed),
            rows: self.0.rows.load(Ordering::Relaxed),
        }
    }
    /// Announces row groups.
    pub fn expect(&self, row_groups: u64) {
        self.0.total.fetch_add(row_groups, Ordering::Relaxed);
    }
    /// Reports one row group as read.
    pub fn advance(&self, rows: u64) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Memory that a query may hold at one time. Operators count what they keep; a batch being decoded counts too.
#[derive(Debug, Clone)]
pub struct Budget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    /// What it is a part of.
    of: Option<Budget>,
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

impl Budget {
    /// Used where nobody said otherwise: 1 GiB.
    pub const DEFAULT_BYTES: u64 = 1 << 30;

    /// A budget of this many bytes.
    pub fn of(bytes: u64) -> Budget {
        Budget::part(None, bytes)
    }
    /// A part of it of at most this many bytes.
    pub fn within(&self, bytes: u64) -> Budget {
        Budget::part(Some(self.clone()), bytes)
    }
    fn part(of: Option<Budget>, limit: u64) -> Budget {
        Budget(Arc::new(BudgetState { of, limit, used: AtomicU64::new(0), peak: AtomicU64::new(0) }))
    }
    /// Bytes reserved now.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }
    /// Most bytes that were reserved at one time.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }
    /// An empty reservation, to be grown.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }
    /// Takes `bytes` until the reservation is dropped.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, QueryError> {
        let mut reservation = self.reservation();
        reservation.grow(bytes)?;
        Ok(reservation)
    }
    fn give_back(&self, bytes: u64) {
        let mut budget = Some(self);
        while let Some(part) = budget {
            part.0.used.fetch_sub(bytes, Ordering::Relaxed);
            budget = part.0.of.as_ref();
        }
    }
    fn take(&self, bytes: u64) -> Result<(), QueryError> {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > self.0.limit {
            self.0.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(QueryError::OutOfMemory { limit_bytes: self.0.limit });
        }
        if let Some(whole) = &self.0.of
            && let Err(error) = whole.take(bytes)
        {
            self.0.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(error);
        }
        self.0.peak.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::of(Budget::DEFAULT_BYTES)
    }
}

/// Bytes held from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Reservation {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// Takes more.
    pub fn grow(&mut self, bytes: u64) -> Result<(), QueryError> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
    /// Gives back so much, at most what it holds.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.budget.give_back(bytes);
        self.bytes -= bytes;
    }
    /// Takes what is missing to hold `bytes`; never gives back.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), QueryError> {
        if bytes > self.bytes { self.grow(bytes - self.bytes) } else { Ok(()) }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_refuses_beyond_its_limit_and_gets_back_what_is_dropped() {
        let budget = Budget::of(100);
        let first = budget.reserve(60).unwrap();
        assert!(matches!(budget.reserve(41), Err(QueryError::OutOfMemory { limit_bytes: 100 })));
        let mut second = budget.reserve(30).unwrap();
        assert!(second.grow_to(41).is_err());
        second.grow_to(40).unwrap();
        drop(first);
        assert_eq!(budget.used(), 40);
        assert_eq!(budget.peak(), 100);
        second.shrink(15);
        assert_eq!((budget.used(), second.bytes()), (25, 25));
    }

    #[test]
    fn a_part_of_a_budget_takes_from_the_whole() {
        let whole = Budget::of(100);
        let (one, other) = (whole.within(60), whole.within(60));
        let held = one.reserve(50).unwrap();
        assert!(one.reserve(20).is_err(), "it has a limit of its own");
        assert!(matches!(other.reserve(55), Err(QueryError::OutOfMemory { limit_bytes: 100 })));
        assert_eq!((whole.used(), other.used()), (50, 0));
        let mut held = held;
        held.shrink(20);
        assert_eq!((whole.used(), one.used()), (30, 30));
        drop(held);
        assert_eq!((whole.used(), one.used()), (0, 0));
    }

    #[test]
    fn cancelling_one_clone_stops_all() {
        let context = Context::default();
        let other = context.clone();
        assert!(other.cancel.check().is_ok());
        context.cancel.cancel();
        assert!(matches!(other.cancel.check(), Err(QueryError::Cancelled)));
        assert!(matches!(Cancel::within(Duration::ZERO).check(), Err(QueryError::OutOfTime { .. })));
    }
}
