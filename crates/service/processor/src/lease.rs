//! The right to commit: taken at start, kept alive beside the work.
//!
//! Guarantees: none that correctness leans on. The fence is the epoch in every commit, judged by the catalog; the
//! lease only saves two processors from working against each other.
//! Deliberately not here: fencing.

use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::recovery::Backoff;
use crate::run::Catalog;
use crate::telemetry;
use std::sync::Arc;
use tallymark_catalog::{Lease, LeaseAnswer, LeaseName};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Waits until the lease is ours; `None` if asked to stop before.
pub(crate) async fn take(
    catalog: &dyn Catalog,
    config: &ProcessorConfig,
    stop: &CancellationToken,
) -> Result<Option<Lease>, ProcessorError> {
    let mut backoff = Backoff::new(config);
    let mut told = false;
    loop {
        match catalog.acquire(LeaseName::Process, &config.owner, config.lease_ttl).await {
            Ok(LeaseAnswer::Granted(lease)) => return Ok(Some(lease)),
            Ok(LeaseAnswer::Held { owner, until }) => {
                if !told {
                    tracing::info!(owner, until, "another processor is at work; standing by");
                    told = true;
                }
            }
            Err(error) if error.retryable() => {
                tracing::warn!(%error, "the catalog cannot be reached; trying again");
                telemetry::retried("lease");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = backoff.pause() => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}

/// Renews the lease until dropped; says so if somebody else took it.
pub(crate) fn keep(
    catalog: Arc<dyn Catalog>,
    lease: Lease,
    config: &ProcessorConfig,
) -> (tokio::task::JoinHandle<()>, watch::Receiver<bool>) {
    let (say, lost) = watch::channel(false);
    let ttl = config.lease_ttl;
    let task = tokio::spawn(async move {
        let mut lease = lease;
        loop {
            tokio::time::sleep(ttl / 3).await;
            match catalog.renew(&lease, ttl).await {
                Ok(Some(renewed)) => lease = renewed,
                Ok(None) => {
                    // Nobody may be listening any more, which is fine.
                    let _ = say.send(true);
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            }
        }
    });
    (task, lost)
}
