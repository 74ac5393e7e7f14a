//! Work on several threads.
//!
//! Guarantees: a panicking thread is an error of its query, not of the process.

use crate::QueryError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs the same work on several threads, which are told their numbers; results are in their order. One panicking
/// thread is an error of the query, not of the process.
pub(super) fn run_on<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let work = &work;
    let results: Vec<Result<T, QueryError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    // The first real reason, rather than a thread that only stopped because of it.
    results.into_iter().collect()
}

/// Folds every part into one state per thread, on at most `threads` threads; which thread gets which part is
/// left open, so folding must not depend on order.
pub fn fold_parallel<P: Send, S: Send>(
    threads: usize,
    parts: Vec<P>,
    new: impl Fn() -> S + Sync,
    fold: impl Fn(&mut S, P) -> Result<(), QueryError> + Sync,
) -> Result<Vec<S>, QueryError> {
    let count = parts.len();
    let queue = std::sync::Mutex::new(parts.into_iter());
    let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    run_on(threads.clamp(1, count.max(1)), |_| {
        let mut state = new();
        while let Some(part) = take() {
            fold(&mut state, part)?;
        }
        Ok(state)
    })
}

/// Pieces of work in an order that matters a little: each thread has a stretch of about the same weight, works through
/// it from its begin, and then helps the others.
pub(super) struct Shares {
    /// Per thread: the next piece of its stretch, and the stretch's end.
    stretches: Vec<(AtomicUsize, usize)>,
}

impl Shares {
    /// Of pieces with these weights.
    pub fn new(weights: &[u64], threads: usize) -> Shares {
        let all: u64 = weights.iter().sum();
        let (mut begin, mut end, mut done) = (0, 0, 0);
        let stretch = |thread: usize| {
            let enough = all * (thread as u64 + 1) / threads as u64;
            while end < weights.len() && (done < enough || thread + 1 == threads) {
                done += weights[end];
                end += 1;
            }
            (AtomicUsize::new(std::mem::replace(&mut begin, end)), end)
        };
        Shares { stretches: (0..threads).map(stretch).collect() }
    }

    /// The next piece for a thread.
    pub fn next(&self, thread: usize) -> Option<usize> {
        let count = self.stretches.len();
        (0..count).find_map(|i| {
            let (next, end) = &self.stretches[(thread + i) % count];
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|piece| piece < end)
        })
    }

    /// Leaves nothing to do.
    pub fn stop(&self) {
        self.stretches.iter().for_each(|(next, end)| next.store(*end, Ordering::Relaxed));
    }
}

fn panicked() -> QueryError {
    QueryError::damaged("running the query", "a query thread failed; this is a defect, please report it")
}

#[cfg(test)]
mod tests {
    use super::Shares;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_piece_is_somebodys_once(
            weights in prop::collection::vec(0u64..1000, 0..50), threads in 1usize..6, order in prop::collection::vec(0usize..6, 0..99),
        ) {
            let shares = Shares::new(&weights, threads);
            let mut found: Vec<usize> = order.iter().filter_map(|thread| shares.next(thread % threads)).collect();
            found.extend(std::iter::from_fn(|| shares.next(0)));
            found.sort_unstable();
            prop_assert_eq!(found, (0..weights.len()).collect::<Vec<_>>());
            let shares = Shares::new(&weights, threads);
            shares.stop();
            prop_assert_eq!(shares.next(0), None);
        }
    }

    #[test]
    fn stretches_are_of_about_the_same_weight_and_in_order() {
        let shares = Shares::new(&[5, 1, 1, 1, 1, 1], 2);
        assert_eq!([shares.next(0), shares.next(1), shares.next(1)], [Some(0), Some(1), Some(2)]);
        // One that is done helps.
        assert_eq!(shares.next(0), Some(3));
    }
}
