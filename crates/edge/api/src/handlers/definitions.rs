//! Definitions of a project: virtual events, custom properties, lookup tables, renames.
//!
//! Guarantees: what does not make sense is refused with the place; every version is kept and says who made it.
//! Deliberately not here: what they mean (`query::Vocabulary`).

use crate::access::Access;
use crate::extract::{Body, Segments};
use crate::schemas::ErrorBody;
use crate::{ApiError, ApiState, codes, time};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tallymark_catalog::{Definition, DefinitionKind};
use tallymark_query::Vocabulary;
use utoipa::ToSchema;

/// One version of a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DefinitionBody {
    /// `virtual_event`, `custom_property`, `lookup` or `rename`.
    kind: &'static str,
    /// Its name, unique within project and kind.
    name: String,
    /// Counts from 1.
    version: u32,
    /// What it says; null: deleted by this version.
    body: Option<Value>,
    /// Who made this version.
    by: String,
    /// When.
    made_at: String,
}

/// Definitions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DefinitionsBody {
    definitions: Vec<DefinitionBody>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DefinitionPath {
    kind: String,
    name: String,
}

impl DefinitionPath {
    fn kind(&self) -> Result<DefinitionKind, ApiError> {
        DefinitionKind::from_name(&self.kind).ok_or_else(|| {
            let known: Vec<&str> = DefinitionKind::ALL.iter().map(|k| k.name()).collect();
            let why = format!("{:?} is not known; there are {}", self.kind, known.join(", "));
            ApiError::new(&codes::NO_DEFINITION, why)
        })
    }
}

/// The newest version of each, by kind and name.
#[utoipa::path(get, path = "/api/v1/projects/{project}/definitions", tag = "definitions", responses(
    (status = 200, body = DefinitionsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<DefinitionsBody>, ApiError> {
    let found = state.parts.catalog.definitions(access.project()?.id).await?;
    Ok(Json(DefinitionsBody { definitions: found.into_iter().map(body_of).collect() }))
}

/// Makes or changes a definition; it holds for all history at once.
#[utoipa::path(put, path = "/api/v1/projects/{project}/definitions/{kind}/{name}", tag = "definitions",
    request_body = Value, responses((status = 200, body = DefinitionBody), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<DefinitionPath>,
    Body(body): Body<Value>,
) -> Result<Json<DefinitionBody>, ApiError> {
    let project = access.project()?.id;
    let kind = path.kind()?;
    let vocabulary = Vocabulary::of(&state.parts.catalog.definitions(project).await?);
    vocabulary
        .check(kind, &path.name, &body)
        .map_err(|problem| ApiError::new(&codes::BAD_DEFINITION, problem))?;
    let by = access.principal.actor();
    let made = state.parts.catalog.define(project, kind, &path.name, Some(&body), &by).await?;
    Ok(Json(body_of(made)))
}

/// Deletes a definition; its versions stay readable.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/definitions/{kind}/{name}", tag = "definitions",
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<DefinitionPath>,
) -> Result<StatusCode, ApiError> {
    let project = access.project()?.id;
    let kind = path.kind()?;
    let known = state.parts.catalog.definitions(project).await?;
    if !known.iter().any(|d| d.kind == kind && d.name == path.name) {
        return Err(missing(&path));
    }
    state.parts.catalog.define(project, kind, &path.name, None, &access.principal.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every version of a definition, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/definitions/{kind}/{name}/versions", tag = "definitions",
    responses((status = 200, body = DefinitionsBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn versions(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<DefinitionPath>,
) -> Result<Json<DefinitionsBody>, ApiError> {
    let kind = path.kind()?;
    let found = state.parts.catalog.definition_versions(access.project()?.id, kind, &path.name).await?;
    if found.is_empty() {
        return Err(missing(&path));
    }
    Ok(Json(DefinitionsBody { definitions: found.into_iter().map(body_of).collect() }))
}

fn missing(path: &DefinitionPath) -> ApiError {
    let why = format!("this project has no {} {:?}", path.kind.replace('_', " "), path.name);
    ApiError::new(&codes::NO_DEFINITION, why)
}

fn body_of(definition: Definition) -> DefinitionBody {
    DefinitionBody {
        kind: definition.kind.name(),
        name: definition.name,
        version: definition.version,
        body: definition.body,
        by: definition.by,
        made_at: time::iso(definition.made_at),
    }
}
