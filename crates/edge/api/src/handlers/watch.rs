//! What the watch knows: findings, alerts, estimates, backups, maintenance; and the instance at a glance.
//!
//! Guarantees: the summary answers although parts are down, and names those that did not answer; losses are stated
//! from the ledger's sums only.
//! Deliberately not here: watching (`monitor`).

use super::books::{instance_identity, skipped_body};
use super::{jobs, limit};
use crate::access::Access;
use crate::environment::Environment;
use crate::extract::{Body, Params, Segments};
use crate::schemas::{
    AlertsBody, BackupsBody, DeletedProjectBody, ErrorBody, EstimatesBody, FindingsBody, IdentityBody,
    IncidentReportBody, JobBody, MaintenancesBody, NewMaintenanceBody, OperationsSummaryBody, ProblemsBody,
};
use crate::{AlertBody, ApiError, ApiState, CANARY_PROJECT, Maintenance, MaintenanceBody, codes, time};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tallymark_catalog::{Job, JobKind};
use tallymark_model::{Millis, Shard};

const JOBS_SHOWN: usize = 20;
const JOBS_SEARCHED: usize = 1_000;
const RESULTS_SHOWN: usize = 100;

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Newest {
    /// At most this many; 1 to 1,000, default 100.
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AlertPath {
    alert: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IncidentPath {
    incident: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MaintenancePath {
    maintenance: String,
}

/// The instance at a glance: environment, identity, problems, work in progress.
#[utoipa::path(get, path = "/api/v1/operations/summary", tag = "operations", responses(
    (status = 200, body = OperationsSummaryBody)))]
pub(crate) async fn summary(State(state): State<ApiState>) -> Result<Json<OperationsSummaryBody>, ApiError> {
    let catalog = &state.parts.catalog;
    let mut unknown = Vec::new();
    let mut ask = |what: &str, error: ApiError| unknown.push(format!("{what}: {}", error.message()));
    let environment = Environment::read(&state).await.unwrap_or_else(|e| {
        ask("settings", e);
        Environment { name: String::new(), protected: true }
    });
    let projects = catalog.projects().await.unwrap_or_else(|e| {
        ask("projects", e.into());
        Vec::new()
    });
    let identity = identity(&state).await.map_err(|e| ask("books", e)).ok();
    let skipped = catalog.skipped().await.unwrap_or_else(|e| {
        ask("skipped intervals", e.into());
        Vec::new()
    });
    let jobs = catalog.jobs(JOBS_SEARCHED).await.unwrap_or_else(|e| {
        ask("jobs", e.into());
        Vec::new()
    });
    let deleted = catalog.deleted_projects().await.unwrap_or_else(|e| {
        ask("deleted projects", e.into());
        Vec::new()
    });
    let findings = state.parts.watch.findings().await.unwrap_or_else(|e| {
        ask("findings", e.into());
        Vec::new()
    });
    let alerts = state.parts.watch.alerts(100).await.unwrap_or_else(|e| {
        ask("alerts", e.into());
        Vec::new()
    });
    let severity = |name: &str| findings.iter().filter(|f| f.severity == name).count() as u64;
    let (identity, oldest) = match identity {
        Some((identity, oldest)) => (Some(identity), oldest),
        None => (None, None),
    };
    Ok(Json(OperationsSummaryBody {
        environment: environment.name,
        protected: environment.protected,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: catalog.latest_seq().await.ok().map(|s| s.0),
        projects: projects.into_iter().map(|p| p.name).filter(|name| name != CANARY_PROJECT).collect(),
        components: state.parts.components.components().await,
        identity,
        oldest_unaccounted: oldest.map(time::iso),
        skipped: skipped.iter().filter_map(skipped_body).collect(),
        problems: ProblemsBody {
            critical: severity("critical"),
            warning: severity("warning"),
            info: severity("info"),
        },
        unacknowledged: alerts
            .iter()
            .filter(|a| a.resolved_at.is_none() && a.acknowledged_at.is_none())
            .count() as u64,
        jobs: work(jobs),
        deleted_projects: deleted
            .into_iter()
            .map(|(p, until)| DeletedProjectBody {
                id: p.id.to_string(),
                name: p.name,
                undo_until: time::iso(until),
            })
            .collect(),
        unknown,
    }))
}

/// Jobs that are not over.
fn work(jobs: Vec<Job>) -> Vec<JobBody> {
    jobs.into_iter().filter(|j| !j.state.is_final()).take(JOBS_SHOWN).map(jobs::body_of).collect()
}

/// The identity over all projects, and the oldest receive time without an outcome.
async fn identity(state: &ApiState) -> Result<(IdentityBody, Option<Millis>), ApiError> {
    let cursors = state.parts.catalog.cursors().await?;
    let bounds = state.parts.backlog.bounds().await?;
    let tally = state.parts.catalog.tally(None).await?;
    let anomalies =
        state.parts.catalog.books(tallymark_model::ProjectId::UNKNOWN, Some(0), Some(0)).await?.anomalies;
    let at: Vec<(Shard, u64)> = cursors.iter().map(|c| (c.shard, c.position)).collect();
    let identity = instance_identity(tally, &at, &anomalies, &bounds);
    let behind = bounds.iter().filter_map(|b| {
        let cursor = cursors.iter().find(|c| c.shard == b.shard);
        let position = cursor.map_or(0, |c| c.position);
        // What is pending was received at or after the last record that is processed.
        // A shard of which nothing was received yet (a rule was published to it) says nothing about time.
        cursor.filter(|c| position < b.end && c.received_to > 0).map(|c| c.received_to)
    });
    let skipped = anomalies
        .iter()
        .filter(|r| matches!(r.account, tallymark_ledger::Account::Skipped { .. }))
        .map(|r| r.received_from);
    Ok((identity, behind.chain(skipped).min()))
}

/// What is wrong now.
#[utoipa::path(get, path = "/api/v1/operations/findings", tag = "operations", responses(
    (status = 200, body = FindingsBody)))]
pub(crate) async fn findings(State(state): State<ApiState>) -> Result<Json<FindingsBody>, ApiError> {
    Ok(Json(FindingsBody { findings: state.parts.watch.findings().await? }))
}

/// Incidents with the alerts that went out for them, newest first.
#[utoipa::path(get, path = "/api/v1/operations/alerts", tag = "operations", params(Newest), responses(
    (status = 200, body = AlertsBody)))]
pub(crate) async fn alerts(
    State(state): State<ApiState>,
    Params(params): Params<Newest>,
) -> Result<Json<AlertsBody>, ApiError> {
    Ok(Json(AlertsBody { alerts: state.parts.watch.alerts(limit(params.limit)?).await? }))
}

/// The draft of a report about an incident: what was found, who was affected, when what happened, what was estimated.
/// As JSON, or as Markdown alone if `Accept` names `text/markdown`.
#[utoipa::path(get, path = "/api/v1/operations/incidents/{incident}/report", tag = "operations", responses(
    (status = 200, body = IncidentReportBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn report(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Segments(path): Segments<IncidentPath>,
) -> Result<Response, ApiError> {
    let none = || ApiError::new(&codes::NO_INCIDENT, format!("there is no incident {:?}", path.incident));
    let (incident, markdown) = state.parts.watch.report(&path.incident).await?.ok_or_else(none)?;
    let accepted = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/markdown") {
        return Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], markdown).into_response());
    }
    Ok(Json(IncidentReportBody { incident, markdown }).into_response())
}

/// Somebody looks after an incident: it does not escalate any more.
#[utoipa::path(post, path = "/api/v1/operations/alerts/{alert}/acknowledge", tag = "operations", responses(
    (status = 200, body = AlertBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn acknowledge(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<AlertPath>,
) -> Result<Json<AlertBody>, ApiError> {
    let none = || ApiError::new(&codes::NO_ALERT, format!("there is no open alert {:?}", path.alert));
    if !state.parts.watch.acknowledge(&path.alert, &access.principal.actor()).await? {
        return Err(none());
    }
    state.audit(&access, "alert.acknowledge", &path.alert).await?;
    let alerts = state.parts.watch.alerts(1_000).await?;
    alerts.into_iter().find(|a| a.id == path.alert).map(Json).ok_or_else(none)
}

/// When backlogs will be worked off, and how good earlier estimates were; newest first.
#[utoipa::path(get, path = "/api/v1/operations/estimates", tag = "operations", params(Newest), responses(
    (status = 200, body = EstimatesBody)))]
pub(crate) async fn estimates(
    State(state): State<ApiState>,
    Params(params): Params<Newest>,
) -> Result<Json<EstimatesBody>, ApiError> {
    Ok(Json(EstimatesBody { estimates: state.parts.watch.estimates(limit(params.limit)?).await? }))
}

/// Backups and rehearsals of a restore, newest first, with their schedule.
#[utoipa::path(get, path = "/api/v1/operations/backups", tag = "operations", responses(
    (status = 200, body = BackupsBody)))]
pub(crate) async fn backups(State(state): State<ApiState>) -> Result<Json<BackupsBody>, ApiError> {
    let schedule = state.parts.catalog.setting("backup").await?;
    let jobs = state.parts.catalog.jobs(JOBS_SEARCHED).await?;
    let of = |kind: JobKind| -> Vec<Job> { jobs.iter().filter(|j| j.kind == kind).cloned().collect() };
    let results = state.parts.watch.care(RESULTS_SHOWN).await?;
    let newest = |kind: &str| results.iter().find(|r| r.ok && r.kind == kind).map(|r| r.at.clone());
    let (backups, rehearsals) = (of(JobKind::Backup), of(JobKind::Rehearse));
    Ok(Json(BackupsBody {
        schedule: super::settings::redacted(schedule.unwrap_or_else(|| json!({}))),
        newest_backup: newest("backup"),
        newest_rehearsal: newest("rehearsal"),
        results,
        backups: backups.into_iter().map(jobs::body_of).collect(),
        rehearsals: rehearsals.into_iter().map(jobs::body_of).collect(),
    }))
}

/// Maintenance windows, latest first.
#[utoipa::path(get, path = "/api/v1/operations/maintenances", tag = "operations", responses(
    (status = 200, body = MaintenancesBody)))]
pub(crate) async fn maintenances(State(state): State<ApiState>) -> Result<Json<MaintenancesBody>, ApiError> {
    Ok(Json(MaintenancesBody { maintenances: state.parts.watch.maintenances().await? }))
}

/// Announces a maintenance window.
#[utoipa::path(post, path = "/api/v1/operations/maintenances", tag = "operations",
    request_body = NewMaintenanceBody, responses((status = 201, body = MaintenanceBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn announce(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewMaintenanceBody>,
) -> Result<(StatusCode, Json<MaintenanceBody>), ApiError> {
    let made = put(&state, &access, None, new).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Changes a maintenance window.
#[utoipa::path(put, path = "/api/v1/operations/maintenances/{maintenance}", tag = "operations",
    request_body = NewMaintenanceBody, responses((status = 200, body = MaintenanceBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn reschedule(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<MaintenancePath>,
    Body(new): Body<NewMaintenanceBody>,
) -> Result<Json<MaintenanceBody>, ApiError> {
    Ok(Json(put(&state, &access, Some(&path.maintenance), new).await?))
}

/// Takes a maintenance window back.
#[utoipa::path(delete, path = "/api/v1/operations/maintenances/{maintenance}", tag = "operations", responses(
    (status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn call_off(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<MaintenancePath>,
) -> Result<StatusCode, ApiError> {
    if !state.parts.watch.drop_maintenance(&path.maintenance).await? {
        return Err(no_window(&path.maintenance));
    }
    state.audit(&access, "maintenance.call_off", &path.maintenance).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put(
    state: &ApiState,
    access: &Access,
    id: Option<&str>,
    new: NewMaintenanceBody,
) -> Result<MaintenanceBody, ApiError> {
    let at = |name: &str, text: &str| {
        time::from(name, Some(text), "UTC")?
            .ok_or_else(|| ApiError::new(&codes::BAD_BODY, format!("`{name}`: not an instant")))
    };
    let (starts_at, ends_at) = (at("starts_at", &new.starts_at)?, at("ends_at", &new.ends_at)?);
    if ends_at <= starts_at {
        return Err(ApiError::new(&codes::BAD_BODY, "`ends_at`: the window ends before it starts"));
    }
    let chars = new.name.trim().chars().count();
    if chars == 0 || chars > 200 || new.message.chars().count() > 5_000 {
        let why = "`name`: 1 to 200 characters; `message`: at most 5,000";
        return Err(ApiError::new(&codes::BAD_BODY, why));
    }
    let name = new.name.trim().to_owned();
    let window = Maintenance { name, message: new.message, components: new.components, starts_at, ends_at };
    let made = state.parts.watch.put_maintenance(id, &window, &access.principal.actor()).await?;
    let made = made.ok_or_else(|| no_window(id.unwrap_or_default()))?;
    let action = if id.is_some() { "maintenance.change" } else { "maintenance.announce" };
    state.audit(access, action, &format!("{} {}", made.id, made.name)).await?;
    Ok(made)
}

fn no_window(id: &str) -> ApiError {
    ApiError::new(&codes::NO_MAINTENANCE, format!("there is no maintenance window {id:?}"))
}
