//! Who sends what into a project, how that compares with what is usual, and what people decide about it.
//!
//! Guarantees: answers while the log is gone; every decision is in the audit trail.
//! Deliberately not here: listening and judging (`monitor`).

use crate::access::Access;
use crate::extract::{Body, Segments};
use crate::schemas::{ErrorBody, FilesBody, SourcesBody, WatchSourceBody};
use crate::{ApiError, ApiState, codes};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct SourcePath {
    source: String,
}

/// Who sends what into the project: one library under one key in one protocol; the newest event first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/sources", tag = "sources", responses(
    (status = 200, body = SourcesBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<SourcesBody>, ApiError> {
    let read = state.parts.watch.sources(access.project()?.id).await?;
    Ok(Json(SourcesBody { sources: read.sources, watched_at: read.watched_at }))
}

/// Whether anybody is told when the source falls silent or its volume changes. In force with the next look of the watch.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/sources/{source}", tag = "sources",
    request_body = WatchSourceBody, responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<SourcePath>,
    Body(asked): Body<WatchSourceBody>,
) -> Result<StatusCode, ApiError> {
    let (project, by) = (access.project()?.id, access.principal.actor());
    if !state.parts.watch.watch_source(project, &path.source, asked.watched, &by).await? {
        return Err(none(&path.source));
    }
    let action = if asked.watched { "source.watch" } else { "source.unwatch" };
    state.audit(&access, action, &path.source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The source ended for good: it is forgotten with its history. Its events stay; if it sends again it is a new source.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/sources/{source}", tag = "sources", responses(
    (status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn end(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<SourcePath>,
) -> Result<StatusCode, ApiError> {
    let (project, by) = (access.project()?.id, access.principal.actor());
    if !state.parts.watch.end_source(project, &path.source, &by).await? {
        return Err(none(&path.source));
    }
    state.audit(&access, "source.end", &path.source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Buckets and folders whose files become events of the project: how far each is. What is watched stands in a file of
/// the server, which only its operator can write.
#[utoipa::path(get, path = "/api/v1/projects/{project}/files", tag = "sources", responses(
    (status = 200, body = FilesBody)))]
pub(crate) async fn files(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<FilesBody>, ApiError> {
    let project = access.project()?;
    let names = [project.id.to_string(), project.name.clone()];
    Ok(Json(FilesBody { files: state.parts.watch.files(&names).await? }))
}

fn none(id: &str) -> ApiError {
    ApiError::new(&codes::NO_SOURCE, format!("there is no source {id:?} in this project"))
}
