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

/// Runs `work` for every part on at most `threads` threads; answers are in the order of the parts.
pub fn in_parallel<P: Send, T: Send>(
    threads: usize,
    parts: Vec<P>,
    work: impl Fn(P) -> Result<T, QueryError> + Sync,
) -> Result<Vec<T>, QueryError> {
    let count = parts.len();
    let queue = std::sync::Mutex::new(parts.into_iter().enumerate());
    let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    let done = run_on(threads.clamp(1, count.max(1)), || {
        let mut mine = Vec::new();
        while let Some((i, part)) = take() {
            mine.push((i, work(part)?));
        }
        Ok(mine)
    })?;
    let mut all: Vec<(usize, T)> = done.into_iter().flatten().collect();
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, t)| t).collect())
}

fn panicked() -> QueryError {
    QueryError::damaged("running the query", "a query thread failed; this is a defect, please report it")
}
