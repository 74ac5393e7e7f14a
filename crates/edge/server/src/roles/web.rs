//! `web`: answers questions and serves the app, over a Unix socket that the collector passes requests on to.

use super::{measure, open};
use crate::ports::{
    ControlSocket, DeltaOutcomes, FoldedControls, LogBacklog, LogHandle, LogRecords, SupervisedComponents,
    WatchNotes, publish,
};
use crate::{Layout, ServerError, limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tallymark_api::{ApiParts, ApiState, Limits, PortError};
use tallymark_catalog::Snapshots;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog, WebCatalog};
use tallymark_log::LogReader;
use tallymark_model::{Lane, Millis, Shard};
use tallymark_query::{CatalogSource, StateFollower, Watermark};
use tokio_util::sync::CancellationToken;

/// Name of the project that marks an instance as a demo.
const DEMO_PROJECT: &str = "demo";
/// How often the watermark is measured.
const WATERMARK_EVERY: Duration = Duration::from_millis(500);

/// Serves until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    let catalog = open::catalog(layout, OpenMode::Existing).await?;
    let state = api_state(layout, catalog, &stop).await?;
    let socket = layout.web_socket();
    let listener = open::socket(&socket)?;
    let ended = stop.clone();
    axum::serve(listener, tallymark_api::router(state))
        .with_graceful_shutdown(async move { ended.cancelled().await })
        .await
        .map_err(ServerError::at(&socket))
}

async fn api_state(
    layout: &Layout,
    catalog: SqliteCatalog,
    stop: &CancellationToken,
) -> Result<ApiState, ServerError> {
    let own = measure::start();
    tallymark_api::describe_metrics();
    let store = open::store(layout)?;
    let catalog = Arc::new(WebCatalog::from(catalog));
    let follower = StateFollower::open(catalog.clone(), store.clone(), Some(layout.state())).await;
    let follower = Arc::new(follower.map_err(|e| ServerError::Role { role: "web", why: e.to_string() })?);
    let runtime = tokio::runtime::Handle::current();
    let source =
        CatalogSource::new(catalog.clone(), catalog.clone(), follower.clone(), store.clone(), runtime)
            .with_watermark(watermark(layout, catalog.clone(), stop.clone()));
    let engine = tallymark_insights::Engine::new(Arc::new(source), limits::query_threads());
    let log_at = layout.clone();
    let open_log = move || {
        let opened =
            open::log(&log_at).map_err(|e| PortError { what: "opening the log", detail: e.to_string() })?;
        Ok(opened as Arc<dyn LogReader>)
    };
    let log = Arc::new(LogHandle::new(Box::new(open_log)));
    let door = Arc::new(ControlSocket { path: layout.run().join("control.sock") });
    tokio::spawn(publish(catalog.clone(), door.clone(), stop.clone()));
    let demo = tallymark_catalog::Settings::project(catalog.as_ref(), DEMO_PROJECT).await?.is_some();
    Ok(ApiState::new(ApiParts {
        catalog: catalog.clone(),
        questions: Arc::new(engine),
        backlog: Arc::new(LogBacklog::new(log.clone(), catalog.clone())),
        outcomes: Arc::new(DeltaOutcomes::new(catalog.clone(), store)),
        records: Arc::new(LogRecords { log, settings: catalog.clone() }),
        control: door,
        in_force: Arc::new(FoldedControls { follower, settings: catalog.clone() }),
        watch: Arc::new(WatchNotes::new(layout, catalog)),
        components: Arc::new(SupervisedComponents { path: layout.components() }),
        metrics: Arc::new(measure::page(layout, own)),
        demo,
        limits: api_limits(),
    }))
}

fn api_limits() -> Limits {
    let mut limits = Limits::default();
    limits.query_memory_bytes = limits::query_memory();
    limits
}

/// Up to which receive time everything acknowledged is visible, measured in the background: the end of the log
/// against the cursors.
fn watermark(layout: &Layout, catalog: Arc<WebCatalog>, stop: CancellationToken) -> Watermark {
    let known = Arc::new(AtomicI64::new(Millis::MIN));
    let measured = known.clone();
    let layout = layout.clone();
    tokio::spawn(async move {
        let Some(log) = open::log_when_there(&layout, &stop).await else { return };
        while !stop.is_cancelled() {
            match measure_watermark(log.as_ref(), catalog.as_ref()).await {
                Ok(at) => measured.store(at, Ordering::Relaxed),
                Err(error) => tracing::debug!(error, "watermark not measured"),
            }
            tokio::time::sleep(WATERMARK_EVERY).await;
        }
    });
    Arc::new(move || Some(known.load(Ordering::Relaxed)).filter(|at| *at != Millis::MIN))
}

async fn measure_watermark(log: &dyn LogReader, catalog: &dyn Snapshots) -> Result<Millis, String> {
    // The clock first: what arrives later is not claimed.
    let mut at = jiff::Timestamp::now().as_millisecond();
    let mut ends = Vec::new();
    for lane in Lane::ALL {
        for partition in 0..log.partitions() {
            let shard = Shard { lane, partition };
            ends.push((shard, log.bounds(shard).await.map_err(|e| e.to_string())?.end));
        }
    }
    let cursors = catalog.cursors().await.map_err(|e| e.to_string())?;
    for (shard, end) in ends {
        let cursor = cursors.iter().find(|c| c.shard == shard);
        if cursor.map_or(0, |c| c.position) < end {
            at = at.min(cursor.map_or(0, |c| c.received_to));
        }
    }
    Ok(at)
}
