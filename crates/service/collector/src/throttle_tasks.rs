//! What throttling does beside requests: looks at its rules, tells the log what it counted, saves its state.
//!
//! Everything that touches a file runs beside the threads that serve connections.

use crate::route::Collector;
use crate::throttle::ReplaceError;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Runs until `shutdown`.
pub(crate) async fn run(collector: Arc<Collector>, shutdown: CancellationToken) {
    let mut every = tokio::time::interval(collector.config.throttle_interval);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0u64;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = every.tick() => {}
        }
        turn += 1;
        collector.throttle.write_counts(collector.log.as_ref()).await;
        let saves = turn.is_multiple_of(2) || collector.throttle.owes_save();
        let collector = Arc::clone(&collector);
        let work = spawn_blocking(move || {
            collector.throttle.look_again(collector.clock.now());
            if saves {
                collector.throttle.save(collector.clock.now());
            }
        });
        let _ = work.await;
    }
}

/// The last time: after the last request.
pub(crate) async fn finish(collector: &Arc<Collector>) {
    collector.throttle.write_counts(collector.log.as_ref()).await;
    let collector = Arc::clone(collector);
    let _ = spawn_blocking(move || collector.throttle.save(collector.clock.now())).await;
}

/// Replaces the rules.
pub(crate) async fn replace(collector: &Arc<Collector>, text: Bytes) -> Result<(), ReplaceError> {
    let collector = Arc::clone(collector);
    let work = spawn_blocking(move || collector.throttle.replace(&text, collector.clock.now()));
    work.await.map_err(|why| ReplaceError::Io(io::Error::other(why)))?
}
