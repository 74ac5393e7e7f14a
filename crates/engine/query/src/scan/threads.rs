//! Work on several threads.
//!
//! Guarantees: a panicking thread is an error of its query, not of the process.

use crate::QueryError;

/// Runs the same work on several threads; one panicking thread is an error of the query, not of the process.
pub(super) fn run_on<T: Send>(
    threads: usize,
    work: impl Fn() -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let results: Vec<Result<T, QueryError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
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
    run_on(threads.clamp(1, count.max(1)), || {
        let mut state = new();
        while let Some(part) = take() {
            fold(&mut state, part)?;
        }
        Ok(state)
    })
}

fn panicked() -> QueryError {
    QueryError::damaged("running the query", "a query thread failed; this is a defect, please report it")
}
