//! The library's memory pool as a part of the query's budget.
//!
//! Guarantees: what operators of the library hold is counted with everything else that queries hold; a request
//! beyond the limit ends the query with its own error. Growth that the library announces after the fact is taken
//! into account, and makes the next request fail.

use crate::error::FirstError;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use std::sync::{Mutex, PoisonError};
use tallymark_query::{Budget, Reservation};

/// One query's pool.
#[derive(Debug)]
pub(crate) struct BudgetPool {
    held: Mutex<Held>,
    first: FirstError,
}

#[derive(Debug)]
struct Held {
    reservation: Reservation,
    /// Used without having been granted.
    owed: u64,
}

impl BudgetPool {
    /// Over a budget; refusals are kept in `first`.
    pub fn new(budget: &Budget, first: FirstError) -> BudgetPool {
        BudgetPool { held: Mutex::new(Held { reservation: budget.reservation(), owed: 0 }), first }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for BudgetPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the query's budget")
    }
}

impl MemoryPool for BudgetPool {
    fn name(&self) -> &str {
        "budget"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        let mut held = self.lock();
        if held.reservation.grow(additional as u64).is_err() {
            held.owed += additional as u64;
        }
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        let mut held = self.lock();
        let paid = held.owed.min(shrink as u64);
        held.owed -= paid;
        held.reservation.shrink(shrink as u64 - paid);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.lock();
        let owed = held.owed;
        held.reservation.grow(owed + additional as u64).map_err(|e| self.first.exhausted(e))?;
        held.owed = 0;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let held = self.lock();
        (held.reservation.bytes() + held.owed) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::MemoryConsumer;
    use std::sync::Arc;

    #[test]
    fn what_was_taken_without_asking_counts_at_the_next_request() {
        let budget = Budget::of(100);
        let pool: Arc<dyn MemoryPool> = Arc::new(BudgetPool::new(&budget, FirstError::default()));
        let reservation = MemoryConsumer::new("test").register(&pool);
        reservation.try_grow(60).unwrap();
        reservation.grow(60);
        assert_eq!((pool.reserved(), budget.used()), (120, 60));
        assert!(reservation.try_grow(1).is_err());
        reservation.shrink(70);
        assert_eq!((pool.reserved(), budget.used()), (50, 50));
        reservation.try_grow(50).unwrap();
        assert!(reservation.try_grow(1).is_err());
        drop(reservation);
        assert_eq!((pool.reserved(), budget.used()), (0, 0));
    }
}
