//! The loop: open what is audited, round after round, open it again when it fails.

use crate::tracker::Tracker;
use crate::{AuditError, Auditor, AuditorConfig, Deps, Fault, FindingKind, FindingSink, Progress};
use async_trait::async_trait;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Opens what is audited.
#[async_trait]
pub trait Opener: Send + Sync {
    /// Opens it; an error is what a finding says.
    async fn open(&self) -> Result<Deps, String>;
    /// Fails if what was opened is no longer what stands there (a catalog that was deleted or replaced).
    async fn still_there(&self) -> Result<(), String>;
}

/// Audits until told to stop. A catalog that cannot be read is reported, and tried again every round.
pub async fn run(
    config: AuditorConfig,
    opener: &dyn Opener,
    sink: Arc<dyn FindingSink>,
    stop: CancellationToken,
) -> Result<(), AuditError> {
    while !stop.is_cancelled() {
        let ended = match opener.open().await {
            Ok(deps) => audit(&config, deps, opener, &sink, &stop).await,
            Err(why) => Err(why),
        };
        let Err(why) = ended else { return Ok(()) };
        tracing::warn!(why, "nothing can be audited; trying again");
        if let Err(error) = complain(&sink, why).await {
            tracing::warn!(%error, "the finding could not be handed over");
        }
        pause(&config, &stop).await;
    }
    Ok(())
}

async fn audit(
    config: &AuditorConfig,
    deps: Deps,
    opener: &dyn Opener,
    sink: &Arc<dyn FindingSink>,
    stop: &CancellationToken,
) -> Result<(), String> {
    let mut auditor =
        Auditor::open(config.clone(), deps, Arc::clone(sink)).await.map_err(|e| e.to_string())?;
    let mut failures = 0;
    while !stop.is_cancelled() {
        opener.still_there().await?;
        match auditor.round().await {
            Ok(()) => failures = 0,
            // Once may be a busy moment; what lasts is told.
            Err(error) if failures < 2 => {
                failures += 1;
                tracing::warn!(%error, "a round failed");
            }
            Err(error) => return Err(error.to_string()),
        }
        pause(config, stop).await;
    }
    Ok(())
}

async fn complain(sink: &Arc<dyn FindingSink>, why: String) -> Result<(), AuditError> {
    let mut tracker = Tracker::open(Arc::clone(sink)).await?;
    let fault = Fault::new(FindingKind::CatalogUnreadable, format!("the books cannot be read: {why}"));
    tracker.settle("catalog", vec![fault], None).await?;
    let progress = Progress { open: tracker.len() as u64, ..Progress::default() };
    sink.heartbeat(&progress).await.map_err(AuditError::Sink)
}

async fn pause(config: &AuditorConfig, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(config.round) => {}
        () = stop.cancelled() => {}
    }
}
