//! Keys of projects and of the instance.
//!
//! Guarantees: secret and admin keys are shown once; each creation and revocation is in the audit trail.
//! Deliberately not here: what keys may do (`access::policy`).

use crate::access::Access;
use crate::extract::{Body, Segments};
use crate::schemas::{ErrorBody, KeyBody, KeysBody};
use crate::{ApiError, ApiState, codes, time};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use tallymark_catalog::{KeyInfo, KeyKind, NewKey};
use tallymark_model::ProjectId;
use utoipa::ToSchema;

/// A key to make for a project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProjectKey {
    /// `write` or `secret`.
    kind: String,
    /// A label for people.
    name: Option<String>,
}

/// An admin key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAdminKey {
    /// A label for people.
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KeyPath {
    key: i64,
}

/// The project's keys, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/keys", tag = "keys", responses((status = 200, body = KeysBody)))]
pub(crate) async fn list(State(state): State<ApiState>, access: Access) -> Result<Json<KeysBody>, ApiError> {
    keys(&state, Some(access.project()?.id)).await
}

/// Creates a key for the project.
#[utoipa::path(post, path = "/api/v1/projects/{project}/keys", tag = "keys", request_body = NewProjectKey, responses(
    (status = 201, body = KeyBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewProjectKey>,
) -> Result<(StatusCode, Json<KeyBody>), ApiError> {
    let kind = KeyKind::from_name(&new.kind).filter(|k| *k != KeyKind::Admin).ok_or_else(|| {
        ApiError::new(&codes::BAD_BODY, format!("`kind`: {:?} is neither `write` nor `secret`", new.kind))
    })?;
    make(&state, &access, kind, Some(access.project()?.id), new.name).await
}

/// Ends a key of the project.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/keys/{key}", tag = "keys", responses(
    (status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<KeyPath>,
) -> Result<StatusCode, ApiError> {
    end(&state, &access, Some(access.project()?.id), path.key).await
}

/// The instance's admin keys, newest first.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", responses((status = 200, body = KeysBody)))]
pub(crate) async fn list_admin(State(state): State<ApiState>) -> Result<Json<KeysBody>, ApiError> {
    keys(&state, None).await
}

/// Creates an admin key.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = NewAdminKey, responses(
    (status = 201, body = KeyBody)))]
pub(crate) async fn create_admin(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewAdminKey>,
) -> Result<(StatusCode, Json<KeyBody>), ApiError> {
    make(&state, &access, KeyKind::Admin, None, new.name).await
}

/// Ends an admin key.
#[utoipa::path(delete, path = "/api/v1/keys/{key}", tag = "keys", responses(
    (status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_admin(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<KeyPath>,
) -> Result<StatusCode, ApiError> {
    end(&state, &access, None, path.key).await
}

async fn keys(state: &ApiState, project: Option<ProjectId>) -> Result<Json<KeysBody>, ApiError> {
    let keys = state.parts.catalog.keys(project).await?;
    Ok(Json(KeysBody { keys: keys.into_iter().map(body_of).collect() }))
}

async fn make(
    state: &ApiState,
    access: &Access,
    kind: KeyKind,
    project: Option<ProjectId>,
    name: Option<String>,
) -> Result<(StatusCode, Json<KeyBody>), ApiError> {
    let name = name.unwrap_or_default();
    if name.chars().count() > 100 {
        return Err(ApiError::new(&codes::BAD_BODY, "`name`: it has more than 100 characters"));
    }
    let created = state.parts.catalog.create_key(NewKey { kind, project, name, value: None }).await?;
    let subject = format!("{} {}", kind.name(), created.info.id);
    state.parts.catalog.audit(&access.principal.actor(), "key.create", &subject).await?;
    let body = KeyBody { value: Some(created.value), ..body_of(created.info) };
    Ok((StatusCode::CREATED, Json(body)))
}

async fn end(
    state: &ApiState,
    access: &Access,
    project: Option<ProjectId>,
    key: i64,
) -> Result<StatusCode, ApiError> {
    if !state.parts.catalog.revoke_key(project, key).await? {
        return Err(ApiError::new(&codes::NO_KEY, format!("there is no live key {key} here")));
    }
    state.parts.catalog.audit(&access.principal.actor(), "key.revoke", &key.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn body_of(key: KeyInfo) -> KeyBody {
    KeyBody {
        id: key.id.to_string(),
        kind: key.kind.name().to_owned(),
        name: key.name,
        prefix: key.prefix,
        value: key.clear,
        created_at: time::iso(key.created_at),
        revoked_at: key.revoked_at.map(time::iso),
        last_used_at: key.last_used_at.map(time::iso),
    }
}
