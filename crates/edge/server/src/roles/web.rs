//! `web`: answers questions and serves the app, over a Unix socket that the collector passes requests on to.

use super::{cohorts, found, lost, measure, open, watermark};
use crate::ports::{
    AccountsCopy, ControlSocket, DeltaOutcomes, FoldedControls, LogBacklog, LogHandle, LogRecords,
    SupervisedComponents, WatchNotes, publish,
};
use crate::{Layout, ServerError, limits};
use std::sync::Arc;
use tallymark_api::{ApiParts, ApiState, Limits, PortError};
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog, WebCatalog};
use tallymark_log::LogReader;
use tallymark_query::{CatalogSource, StateFollower};
use tokio_util::sync::CancellationToken;

/// Name of the project that marks an instance as a demo.
const DEMO_PROJECT: &str = "demo";

/// Serves until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    let (catalog, lost) = match open::catalog(layout, OpenMode::Existing).await {
        Ok(catalog) => (catalog, lost::watch(layout, stop.clone())),
        Err(error) => {
            tracing::error!(%error, "without a catalog: only what was kept aside is shown, nothing can be changed");
            (lost::none(layout).await?, lost::until_back(layout, stop.clone()))
        }
    };
    let state = api_state(layout, catalog, lost, &stop).await?;
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
    lost: lost::Lost,
    stop: &CancellationToken,
) -> Result<ApiState, ServerError> {
    let own = measure::start();
    tallymark_api::describe_metrics();
    let store = open::store(layout)?;
    let catalog = Arc::new(WebCatalog::from(catalog));
    let checkpoints = lost().is_none().then(|| layout.state());
    let follower = StateFollower::open(catalog.clone(), store.clone(), checkpoints).await;
    let follower = Arc::new(follower.map_err(|e| ServerError::Role { role: "web", why: e.to_string() })?);
    let runtime = tokio::runtime::Handle::current();
    let source =
        CatalogSource::new(catalog.clone(), catalog.clone(), follower.clone(), store.clone(), runtime)
            .with_watermark(watermark::keep(layout, catalog.clone(), stop.clone()))
            .with_found_gaps(found::keep(layout.watch(), stop.clone()))
            .with_definitions(catalog.clone())
            .with_cohorts(catalog.clone());
    let source: Arc<dyn tallymark_query::Source> = Arc::new(source);
    if lost().is_none() {
        cohorts::keep_fresh(catalog.clone(), source.clone(), stop.clone());
    }
    let engine = tallymark_insights::Engine::new(source, limits::query_threads())
        .with_sql(Arc::new(tallymark_sql::DataFusionSql::new()));
    let log_at = layout.clone();
    let open_log = move || {
        let opened =
            open::log(&log_at).map_err(|e| PortError { what: "opening the log", detail: e.to_string() })?;
        Ok(opened as Arc<dyn LogReader>)
    };
    let log = Arc::new(LogHandle::new(Box::new(open_log)));
    let door = Arc::new(ControlSocket { path: layout.run().join("control.sock") });
    tokio::spawn(publish(catalog.clone(), door.clone(), stop.clone()));
    let demo = tallymark_catalog::Settings::project(catalog.as_ref(), DEMO_PROJECT).await;
    let demo = demo.is_ok_and(|project| project.is_some());
    Ok(ApiState::new(ApiParts {
        catalog: catalog.clone(),
        questions: Arc::new(engine),
        backlog: Arc::new(LogBacklog::new(log.clone(), catalog.clone())),
        outcomes: Arc::new(DeltaOutcomes::new(catalog.clone(), store)),
        records: Arc::new(LogRecords { log, settings: catalog.clone() }),
        control: door,
        in_force: Arc::new(FoldedControls { follower, settings: catalog.clone() }),
        watch: Arc::new(WatchNotes::new(layout, catalog)),
        catalog_lost: lost,
        keepsake: Arc::new(AccountsCopy { path: layout.accounts_copy() }),
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
