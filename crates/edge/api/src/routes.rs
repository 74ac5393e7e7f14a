//! The route table: every path of the API with the action it performs. A route that is not here does not exist.
//!
//! Guarantees: registering a route without an action is impossible.
//! Deliberately not here: the handlers, the static web app (it has nothing to protect).

use crate::access::Action;
use crate::handlers::{
    books, cohorts, definitions, erasures, events, jobs, keys, letters, loss, operations, outcomes, people,
    persons, projects, query, receipts, rules, settings, sources, status, watch,
};
use crate::{ApiState, docs};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

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
        row("PATCH", "/api/v1/projects/{project}", ManageDefinitions, patch(projects::change)),
        row("DELETE", "/api/v1/projects/{project}", DeleteProject, delete(projects::delete)),
        row("POST", "/api/v1/projects/{project}/restore", RestoreProject, post(projects::restore)),
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
        row("GET", "/api/v1/projects/{project}/cohorts", ReadData, get(cohorts::list)),
        row("POST", "/api/v1/projects/{project}/cohorts", ManageDefinitions, post(cohorts::create)),
        row("GET", "/api/v1/projects/{project}/cohorts/{cohort}", ReadData, get(cohorts::get)),
        row(
            "PATCH",
            "/api/v1/projects/{project}/cohorts/{cohort}",
            ManageDefinitions,
            patch(cohorts::change),
        ),
        row(
            "DELETE",
            "/api/v1/projects/{project}/cohorts/{cohort}",
            ManageDefinitions,
            delete(cohorts::delete),
        ),
        row("GET", "/api/v1/projects/{project}/cohorts/{cohort}/members", ReadData, get(cohorts::members)),
        row("GET", "/api/v1/projects/{project}/definitions", ReadData, get(definitions::list)),
        row(
            "PUT",
            "/api/v1/projects/{project}/definitions/{kind}/{name}",
            ManageDefinitions,
            put(definitions::put),
        ),
        row(
            "DELETE",
            "/api/v1/projects/{project}/definitions/{kind}/{name}",
            ManageDefinitions,
            delete(definitions::delete),
        ),
        row(
            "GET",
            "/api/v1/projects/{project}/definitions/{kind}/{name}/versions",
            ReadData,
            get(definitions::versions),
        ),
        row("GET", "/api/v1/projects/{project}/ledger", ReadBooks, get(books::ledger)),
        row("GET", "/api/v1/projects/{project}/dead-letters", ReadBooks, get(letters::list)),
        row("POST", "/api/v1/projects/{project}/dead-letters/redrive", MendBooks, post(letters::redrive)),
        row("GET", "/api/v1/projects/{project}/outcomes", ReadBooks, get(outcomes::get)),
        row("GET", "/api/v1/projects/{project}/accounting", ReadBooks, get(loss::accounting)),
        row("GET", "/api/v1/projects/{project}/sources", ReadBooks, get(sources::list)),
        row("GET", "/api/v1/projects/{project}/files", ReadBooks, get(sources::files)),
        row(
            "PATCH",
            "/api/v1/projects/{project}/sources/{source}",
            ManageDefinitions,
            patch(sources::change),
        ),
        row("DELETE", "/api/v1/projects/{project}/sources/{source}", ManageDefinitions, delete(sources::end)),
        row("GET", "/api/v1/projects/{project}/rules", ReadBooks, get(rules::list)),
        row("POST", "/api/v1/projects/{project}/rules", ManageRules, post(rules::create)),
        row("POST", "/api/v1/projects/{project}/rules/preview", ManageRules, post(rules::preview)),
        row("PUT", "/api/v1/projects/{project}/rules/{rule}", ManageRules, put(rules::update)),
        row("GET", "/api/v1/projects/{project}/rules/{rule}/versions", ReadBooks, get(rules::versions)),
        row("POST", "/api/v1/projects/{project}/persons/{person}/erase", ErasePersons, post(erasures::erase)),
        row("GET", "/api/v1/projects/{project}/erasures", ErasePersons, get(erasures::list)),
        row("POST", "/api/v1/projects/{project}/erasures/{erasure}/undo", ErasePersons, post(erasures::undo)),
        row("GET", "/api/v1/projects/{project}/persons/{person}/export", ExportPerson, get(erasures::export)),
        row("GET", "/api/v1/receipts/{receipt}", ReadReceipt, get(receipts::get)),
        row("GET", "/api/v1/keys", Administer, get(keys::list_admin)),
        row("POST", "/api/v1/keys", Administer, post(keys::create_admin)),
        row("DELETE", "/api/v1/keys/{key}", Administer, delete(keys::revoke_admin)),
        row("GET", "/api/v1/audit", Administer, get(operations::audit)),
        row("GET", "/api/v1/status", ReadOperations, get(operations::status)),
        row("GET", "/api/v1/operations/summary", ReadOperations, get(watch::summary)),
        row("GET", "/api/v1/operations/findings", ReadOperations, get(watch::findings)),
        row("GET", "/api/v1/operations/alerts", ReadOperations, get(watch::alerts)),
        row("POST", "/api/v1/operations/alerts/{alert}/acknowledge", Operate, post(watch::acknowledge)),
        row("GET", "/api/v1/operations/incidents/{incident}/report", ReadOperations, get(watch::report)),
        row("GET", "/api/v1/operations/estimates", ReadOperations, get(watch::estimates)),
        row("GET", "/api/v1/operations/backups", ReadOperations, get(watch::backups)),
        row("GET", "/api/v1/operations/loss-report", ReadOperations, get(loss::report)),
        row("GET", "/api/v1/operations/dead-letters", ReadOperations, get(letters::list_unowned)),
        row("POST", "/api/v1/operations/dead-letters/redrive", Operate, post(letters::adopt)),
        row("GET", "/api/v1/operations/maintenances", ReadOperations, get(watch::maintenances)),
        row("POST", "/api/v1/operations/maintenances", Operate, post(watch::announce)),
        row("PUT", "/api/v1/operations/maintenances/{maintenance}", Operate, put(watch::reschedule)),
        row("DELETE", "/api/v1/operations/maintenances/{maintenance}", Operate, delete(watch::call_off)),
        row("GET", "/api/v1/operations/settings", ReadOperations, get(settings::get)),
        row("PUT", "/api/v1/operations/settings", Operate, put(settings::change)),
        row("GET", "/api/v1/operations/throttle", ReadOperations, get(settings::throttle)),
        row("PUT", "/api/v1/operations/throttle", Operate, put(settings::set_throttle)),
        row("GET", "/api/v1/operations/jobs", ReadOperations, get(jobs::list)),
        row("POST", "/api/v1/operations/jobs", Operate, post(jobs::create)),
        row("POST", "/api/v1/operations/jobs/scope", ReadOperations, post(jobs::scope)),
        row("GET", "/api/v1/operations/jobs/{job}", ReadOperations, get(jobs::get)),
        row("POST", "/api/v1/operations/jobs/{job}/pause", Operate, post(jobs::pause)),
        row("POST", "/api/v1/operations/jobs/{job}/resume", Operate, post(jobs::resume)),
        row("POST", "/api/v1/operations/jobs/{job}/cancel", Operate, post(jobs::cancel)),
        row("GET", "/status/api/v2/summary.json", ReadPublic, get(status::summary)),
        row("GET", "/status/api/v2/status.json", ReadPublic, get(status::status)),
        row("GET", "/status/api/v2/components.json", ReadPublic, get(status::components)),
        row("GET", "/status/api/v2/incidents.json", ReadPublic, get(status::incidents)),
        row("GET", "/status/api/v2/incidents/unresolved.json", ReadPublic, get(status::unresolved)),
        row("GET", "/status/api/v2/scheduled-maintenances.json", ReadPublic, get(status::maintenances)),
        row("GET", "/status/api/v2/scheduled-maintenances/upcoming.json", ReadPublic, get(status::upcoming)),
        row("GET", "/status/api/v2/scheduled-maintenances/active.json", ReadPublic, get(status::active)),
        row("GET", "/status/page.json", ReadPublic, get(status::page)),
        row("GET", "/status/history.rss", ReadPublic, get(status::rss)),
        row("GET", "/status/history.atom", ReadPublic, get(status::atom)),
        row("GET", "/metrics", ReadMetrics, get(operations::metrics)),
        row("GET", "/health/live", ReadPublic, get(operations::live)),
        row("GET", "/health/ready", ReadPublic, get(operations::ready)),
        row("GET", "/api/v1/openapi.json", ReadPublic, get(docs::openapi)),
        row("GET", "/api/docs", ReadPublic, get(docs::browse)),
        row("GET", "/docs/errors", ReadPublic, get(docs::errors)),
        row("GET", "/docs/errors/{code}", ReadPublic, get(docs::error)),
    ]
}
