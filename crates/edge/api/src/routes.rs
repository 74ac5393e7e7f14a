//! The route table: every path of the API with the action it performs. A route that is not here does not exist.
//!
//! Guarantees: registering a route without an action is impossible.
//! Deliberately not here: the handlers, the static web app (it has nothing to protect).

use crate::access::Action;
use crate::handlers::{books, events, keys, operations, people, persons, projects, query, receipts};
use crate::{ApiState, docs};
use axum::routing::{MethodRouter, delete, get, post};

/// A row of the table, for tests and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteInfo {
    /// HTTP method.
    pub method: &'static str,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// What it does, as far as permission is concerned.
    pub action: Action,
}

pub(crate) type Route = (RouteInfo, MethodRouter<ApiState>);

/// Every route without its handler.
pub fn route_table() -> Vec<RouteInfo> {
    routes().into_iter().map(|(info, _)| info).collect()
}

pub(crate) fn routes() -> Vec<Route> {
    use Action::*;
    let row = |method, path, action, handler| (RouteInfo { method, path, action }, handler);
    vec![
        row("GET", "/api/v1/session", ReadPublic, get(people::session)),
        row("POST", "/api/v1/setup", Enter, post(people::set_up)),
        row("POST", "/api/v1/login", Enter, post(people::log_in)),
        row("POST", "/api/v1/logout", LogOut, post(people::log_out)),
        row("GET", "/api/v1/projects", ListProjects, get(projects::list)),
        row("POST", "/api/v1/projects", CreateProject, post(projects::create)),
        row("GET", "/api/v1/projects/{project}", ReadProject, get(projects::get)),
        row("GET", "/api/v1/projects/{project}/keys", ManageKeys, get(keys::list)),
        row("POST", "/api/v1/projects/{project}/keys", ManageKeys, post(keys::create)),
        row("DELETE", "/api/v1/projects/{project}/keys/{key}", ManageKeys, delete(keys::revoke)),
        row("GET", "/api/v1/projects/{project}/events", ReadData, get(events::list)),
        row("GET", "/api/v1/projects/{project}/persons", ReadData, get(persons::list)),
        row("GET", "/api/v1/projects/{project}/persons/{person}", ReadData, get(persons::get)),
        row("GET", "/api/v1/projects/{project}/persons/{person}/timeline", ReadData, get(persons::timeline)),
        row("GET", "/api/v1/projects/{project}/schema", ReadData, get(events::schema)),
        row("POST", "/api/v1/projects/{project}/query", ReadData, post(query::run)),
        row("GET", "/api/v1/projects/{project}/query", ReadData, get(query::run_link)),
        row("POST", "/api/v1/projects/{project}/query/explain", ReadData, post(query::explain)),
        row("GET", "/api/v1/projects/{project}/ledger", ReadBooks, get(books::ledger)),
        row("GET", "/api/v1/projects/{project}/dead-letters", ReadBooks, get(books::dead_letters)),
        row("GET", "/api/v1/receipts/{receipt}", ReadReceipt, get(receipts::get)),
        row("GET", "/api/v1/keys", Administer, get(keys::list_admin)),
        row("POST", "/api/v1/keys", Administer, post(keys::create_admin)),
        row("DELETE", "/api/v1/keys/{key}", Administer, delete(keys::revoke_admin)),
        row("GET", "/api/v1/audit", Administer, get(operations::audit)),
        row("GET", "/api/v1/status", ReadOperations, get(operations::status)),
        row("GET", "/metrics", ReadMetrics, get(operations::metrics)),
        row("GET", "/health/live", ReadPublic, get(operations::live)),
        row("GET", "/health/ready", ReadPublic, get(operations::ready)),
        row("GET", "/api/v1/openapi.json", ReadPublic, get(docs::openapi)),
        row("GET", "/api/docs", ReadPublic, get(docs::browse)),
        row("GET", "/docs/errors", ReadPublic, get(docs::errors)),
        row("GET", "/docs/errors/{code}", ReadPublic, get(docs::error)),
    ]
}
