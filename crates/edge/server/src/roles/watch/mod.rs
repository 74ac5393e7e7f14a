//! `watch`: monitors, alerts, the status page's history, scheduled backups and rehearsals.
//!
//! Guarantees: needs nothing of the others; what it cannot observe it reports as unobserved.
//! Deliberately not here: what to think of what is observed (`monitor`).

use crate::{Layout, ServerError};
use tokio_util::sync::CancellationToken;

/// Watches until told to stop.
pub async fn run(_layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    stop.cancelled().await;
    Ok(())
}
