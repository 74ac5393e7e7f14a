//! `process`: the log becomes segments, segments become fewer, what is needed to get all of it back is kept.

use super::{decoding, measure, open, protect};
use crate::{Layout, ServerError};
use std::sync::Arc;
use tallymark_catalog::sqlite::OpenMode;
use tallymark_log::LogReader;
use tallymark_recovery::archive::{Archive, ArchivedLog};
use tokio_util::sync::CancellationToken;

/// Runs processor and compactor until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    measure::publish(layout, "process", stop.clone());
    answer_knocks(layout)?;
    let decode = decoding::decoder()?;
    let Some(live) = open::log_when_there(layout, &stop).await else { return Ok(()) };
    let mode = if layout.catalog_is_lost() { OpenMode::Existing } else { OpenMode::Create };
    let catalog = open::catalog(layout, mode).await?;
    let store = open::store(layout)?;
    protect::refuse_lost(&catalog, &store).await?;
    catalog.bind_log(live.id()).await?;
    let config = tallymark_processor::ProcessorConfig::new(layout.state());
    let retention = protect::retention(&catalog, config.dedup_days).await?;
    let archive = Archive::open(store.clone(), live.id())
        .await
        .map_err(|e| ServerError::Role { role: "process", why: e.to_string() })?;
    let log: Arc<dyn LogReader> = Arc::new(ArchivedLog::new(live.clone(), archive.clone()));
    protect::keep(layout, catalog.clone(), store.clone(), live, archive, retention, stop.clone());
    let catalog = Arc::new(catalog);
    let compacting = tokio::spawn(compact(layout.clone(), catalog.clone(), store.clone(), stop.clone()));
    let mut deps = tallymark_processor::Deps::new(log, catalog, store);
    deps.decode = decode;
    deps.failpoint = Arc::new(tallymark_processor::EnvFailpoint::from_env());
    let worked = tokio::select! {
        worked = tallymark_processor::run(config, deps, stop.clone()) => {
            worked.map_err(|e| ServerError::Role { role: "process", why: e.to_string() })
        }
        // Without ceremony: nothing may be written into a file that has lost its name.
        replaced = protect::catalog_replaced(layout) => Err(replaced),
    };
    stop.cancel();
    // The compactor ends at its next step; a panic in it was logged and must not hide the processor's answer.
    let _ = compacting.await;
    worked
}

/// Compaction makes charts faster, never right or wrong: its failures are logged and tried again.
async fn compact(
    layout: Layout,
    catalog: Arc<tallymark_catalog::sqlite::SqliteCatalog>,
    store: tallymark_store::ObjectStore,
    stop: CancellationToken,
) {
    let config = tallymark_compactor::CompactorConfig {
        // One name for every start: a compactor that was killed leaves its lease to the next one.
        owner: "compact".to_owned(),
        checkpoints: Some(layout.state()),
        ..Default::default()
    };
    let deps = tallymark_compactor::Deps { catalog, store };
    if let Err(error) = tallymark_compactor::run(config, deps, stop).await {
        tracing::error!(%error, "compactor stopped");
    }
}

/// The collector's readiness page asks whether somebody listens here; nothing is ever said.
fn answer_knocks(layout: &Layout) -> Result<(), ServerError> {
    let socket = open::socket(&layout.process_socket())?;
    tokio::spawn(async move { while socket.accept().await.is_ok() {} });
    Ok(())
}
