//! The loop: facts → checks → incidents → alerts.
//!
//! Guarantees: a round that fails is logged and tried again with the next; sending alerts never delays looking;
//! a fact source that hangs is given up after [`FACTS_TIMEOUT`], and that is itself a finding.
//! Deliberately not here: gathering facts.

mod backlog;
mod reconcile;
mod round;
#[cfg(test)]
mod tests;

pub use reconcile::{Change, reconcile};
pub use round::Watch;

use crate::alerts::Dispatcher;
use crate::store::WatchStore;
use crate::{Clock, Facts, MonitorError, SystemClock, WatchConfig};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Who says what the system says.
pub const AUTHOR: &str = "watch";
/// A fact source may take this long, if nothing else is said.
pub const FACTS_TIMEOUT: Duration = Duration::from_secs(20);
const DELIVERY_EVERY: Duration = Duration::from_secs(1);

/// Where facts come from. Whatever cannot be obtained is left out and named in [`Facts::unavailable`].
#[async_trait]
pub trait FactSource: Send + Sync {
    /// One observation, as of now.
    async fn facts(&self) -> Facts;
}

/// What the watch works with.
#[derive(Clone)]
pub struct WatchDeps {
    /// Its database.
    pub store: WatchStore,
    /// Where facts come from.
    pub source: Arc<dyn FactSource>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Facts may take this long to gather.
    pub facts_timeout: Duration,
}

impl WatchDeps {
    /// With the machine's clock.
    pub fn new(store: WatchStore, source: Arc<dyn FactSource>) -> WatchDeps {
        WatchDeps { store, source, clock: Arc::new(SystemClock), facts_timeout: FACTS_TIMEOUT }
    }
}

impl std::fmt::Debug for WatchDeps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchDeps")
            .field("store", &self.store)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Watches until it is told to stop.
pub async fn run(deps: WatchDeps, config: WatchConfig, stop: CancellationToken) -> Result<(), MonitorError> {
    config.check()?;
    let dispatcher = Dispatcher::new(config.alerts.clone())?;
    let mut watch = Watch::new(deps.clone(), config.clone()).await?;
    let mut looking = tokio::time::interval(config.every());
    looking.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let sending = tokio::spawn(send(deps, dispatcher, stop.clone()));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = looking.tick() => {
                if let Err(error) = watch.round().await {
                    tracing::error!(%error, "a round of the watch failed");
                    metrics::counter!("tallymark_watch_rounds_failed_total").increment(1);
                }
            }
        }
    }
    // The sender ends by the same token; a panic of it has been reported by the runtime.
    let _ = sending.await;
    Ok(())
}

async fn send(deps: WatchDeps, dispatcher: Dispatcher, stop: CancellationToken) {
    let mut tick = tokio::time::interval(DELIVERY_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let done = async {
            dispatcher.plan(&deps.store, deps.clock.now()).await?;
            dispatcher.deliver(&deps.store, deps.clock.as_ref()).await
        };
        if let Err(error) = done.await {
            tracing::error!(%error, "alerts could not be planned or recorded");
        }
    }
}
