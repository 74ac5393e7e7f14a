//! The public status documents, in the shape of Statuspage v2, and their feeds.
//!
//! Guarantees: nothing but what the watch wrote for the public (S44); they need neither catalog nor log.
//! Deliberately not here: the page for people (the web app), what the documents say (`monitor`).

use crate::schemas::{
    StatusComponentsBody, StatusIncidentsBody, StatusMaintenancesBody, StatusOnlyBody, StatusSummaryBody,
};
use crate::{ApiError, ApiState, StatusDocument};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

async fn answer(state: ApiState, document: StatusDocument, kind: &'static str) -> Result<Response, ApiError> {
    let text = state.parts.watch.document(document).await?;
    // Readers of a status page come in crowds, and just when the instance is in trouble.
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=5")], text).into_response())
}

const JSON: &str = "application/json";

macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $document:ident, $body:ty;)*) => {
        $($(#[$doc])*
        #[utoipa::path(get, path = $path, tag = "status", responses((status = 200, body = $body)))]
        pub(crate) async fn $name(State(state): State<ApiState>) -> Result<Response, ApiError> {
            answer(state, StatusDocument::$document, JSON).await
        })*
    };
}

documents! {
    /// State of every component, open incidents, planned maintenance.
    summary, "/status/api/v2/summary.json", Summary, StatusSummaryBody;
    /// The state of the whole.
    status, "/status/api/v2/status.json", Status, StatusOnlyBody;
    /// State of every component.
    components, "/status/api/v2/components.json", Components, StatusComponentsBody;
    /// The newest incidents.
    incidents, "/status/api/v2/incidents.json", Incidents, StatusIncidentsBody;
    /// Incidents that are open.
    unresolved, "/status/api/v2/incidents/unresolved.json", UnresolvedIncidents, StatusIncidentsBody;
    /// Maintenance windows.
    maintenances, "/status/api/v2/scheduled-maintenances.json", Maintenances, StatusMaintenancesBody;
    /// Maintenance windows to come.
    upcoming, "/status/api/v2/scheduled-maintenances/upcoming.json", UpcomingMaintenances, StatusMaintenancesBody;
    /// Maintenance windows that are running.
    active, "/status/api/v2/scheduled-maintenances/active.json", ActiveMaintenances, StatusMaintenancesBody;
}

/// Everything on the status page, also what Statuspage's documents have no room for: estimates with their errors,
/// uptime by day, what the ledger says about losses.
#[utoipa::path(get, path = "/status/page.json", tag = "status", responses((status = 200, body = Object)))]
pub(crate) async fn page(State(state): State<ApiState>) -> Result<Response, ApiError> {
    answer(state, StatusDocument::Page, JSON).await
}

/// The history as RSS.
#[utoipa::path(get, path = "/status/history.rss", tag = "status", responses(
    (status = 200, body = String, content_type = "application/rss+xml")))]
pub(crate) async fn rss(State(state): State<ApiState>) -> Result<Response, ApiError> {
    answer(state, StatusDocument::Rss, "application/rss+xml; charset=utf-8").await
}

/// The history as Atom.
#[utoipa::path(get, path = "/status/history.atom", tag = "status", responses(
    (status = 200, body = String, content_type = "application/atom+xml")))]
pub(crate) async fn atom(State(state): State<ApiState>) -> Result<Response, ApiError> {
    answer(state, StatusDocument::Atom, "application/atom+xml; charset=utf-8").await
}
