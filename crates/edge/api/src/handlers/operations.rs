//! Health, metrics, the audit trail.
//!
//! Guarantees: liveness needs nothing but the process; readiness names what does not answer.
//! Deliberately not here: the collector's own health, which the port's owner answers.

use super::limit;
use crate::extract::Params;
use crate::schemas::{AuditBody, AuditEntryBody, StatusBody};
use crate::{ApiError, ApiState, time};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

/// How much of the trail.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// At most this many; 1 to 1,000, default 100.
    limit: Option<usize>,
}

/// This process answers.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, body = Object)))]
pub(crate) async fn live() -> Json<Value> {
    Json(json!({"live": true}))
}

/// This process can answer questions.
#[utoipa::path(get, path = "/health/ready", tag = "operations", responses((status = 200, body = Object)))]
pub(crate) async fn ready(State(state): State<ApiState>) -> Result<Json<Value>, ApiError> {
    state.parts.catalog.latest_seq().await?;
    Ok(Json(json!({"ready": true})))
}

/// How the parts of the instance are doing.
#[utoipa::path(get, path = "/api/v1/status", tag = "operations", responses((status = 200, body = StatusBody)))]
pub(crate) async fn status(State(state): State<ApiState>) -> Result<Json<StatusBody>, ApiError> {
    let components = state.parts.components.components().await;
    let commit = state.parts.catalog.latest_seq().await?.0;
    Ok(Json(StatusBody { components, commit, version: env!("CARGO_PKG_VERSION").to_owned() }))
}

/// Prometheus text. From the machine itself, or with an admin key.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String)))]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Response {
    let text = (state.parts.metrics)();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The newest lines of the audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "operations", params(AuditParams), responses(
    (status = 200, body = AuditBody)))]
pub(crate) async fn audit(
    State(state): State<ApiState>,
    Params(params): Params<AuditParams>,
) -> Result<Json<AuditBody>, ApiError> {
    let entries = state.parts.catalog.audit_log(limit(params.limit)?).await?;
    let body = |e: tallymark_catalog::AuditEntry| AuditEntryBody {
        at: time::iso(e.at),
        actor: e.actor,
        action: e.action,
        subject: e.subject,
    };
    Ok(Json(AuditBody { entries: entries.into_iter().map(body).collect() }))
}
