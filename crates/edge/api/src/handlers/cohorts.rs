//! Cohorts that a project keeps: definitions, members, cohorts made of a number's actors.
//!
//! Guarantees: a definition that is wrong, or that leads back to itself, is never kept; a membership says which
//! commit it is of. Deliberately not here: what definitions mean (`insights`), keeping memberships fresh (the web
//! role).

use super::events::csv_response;
use super::{Page, limit};
use crate::access::Access;
use crate::asking::{analyse, look_up};
use crate::extract::{Body, Params, Segments, accepts};
use crate::schemas::ErrorBody;
use crate::{ApiError, ApiState, codes, csv, time};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tallymark_catalog::{CohortKind, MembershipInfo, NewCohort, StoredCohort};
use tallymark_insights::StoredMembers;
use tallymark_model::{CommitSeq, ProjectId};
use utoipa::ToSchema;

/// Most cohorts of a project.
const COHORTS_MAX: usize = 1000;
const NAME_MAX: usize = 200;
const CSV_COLUMNS: [&str; 2] = ["person", "name"];

/// A cohort.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CohortBody {
    /// What queries call it.
    id: String,
    /// Unique within the project.
    name: String,
    /// `dynamic` or `static`.
    kind: &'static str,
    /// The definition; null for a static one, whose members are its persons.
    definition: Option<Value>,
    /// Counts changes of the definition.
    version: u32,
    by: String,
    made_at: String,
    changed_at: String,
    /// Who was in it when it was last looked at; null before that.
    membership: Option<MembershipBody>,
}

/// About a stored membership.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembershipBody {
    /// How many persons.
    size: u64,
    /// The commit it was computed at.
    seq: u64,
    /// When.
    computed_at: String,
    /// True if it is of the definition as it stands.
    current: bool,
    /// Why it could not be computed.
    problem: Option<String>,
}

/// Cohorts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CohortsBody {
    cohorts: Vec<CohortBody>,
}

/// A cohort to be kept: of a definition, or of the actors behind a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCohortBody {
    name: String,
    /// A definition.
    definition: Option<Value>,
    /// A query with a `microscope`.
    query: Option<Value>,
    /// Of a query: `static` (default) keeps the persons, `dynamic` a definition that means them.
    kind: Option<CohortKindBody>,
}

/// Whether membership follows a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CohortKindBody {
    /// Whoever satisfies it now.
    Dynamic,
    /// These persons.
    Static,
}

/// What to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeCohortBody {
    name: Option<String>,
    /// Of dynamic cohorts only.
    definition: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CohortPath {
    cohort: i64,
}

/// A project's cohorts, by name.
#[utoipa::path(get, path = "/api/v1/projects/{project}/cohorts", tag = "cohorts", responses(
    (status = 200, body = CohortsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<CohortsBody>, ApiError> {
    let found = state.parts.catalog.cohorts(access.project()?.id).await?;
    Ok(Json(CohortsBody { cohorts: found.into_iter().map(body_of).collect() }))
}

/// Keeps a cohort. With `query` it is made of the actors behind the number that its `microscope` names.
#[utoipa::path(post, path = "/api/v1/projects/{project}/cohorts", tag = "cohorts", request_body = NewCohortBody,
    responses((status = 201, body = CohortBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    access: Access,
    Body(asked): Body<NewCohortBody>,
) -> Result<Response, ApiError> {
    let project = access.project()?.id;
    check_name(&asked.name)?;
    if state.parts.catalog.cohorts(project).await?.len() >= COHORTS_MAX {
        return Err(bad(format!("a project keeps at most {COHORTS_MAX} cohorts")));
    }
    let static_kind = asked.kind.unwrap_or(CohortKindBody::Static) == CohortKindBody::Static;
    let (kind, definition) = match (asked.definition, asked.query) {
        (Some(_), None) if asked.kind == Some(CohortKindBody::Static) => {
            return Err(bad("`kind`: a definition makes a dynamic cohort; a static one is made of a query"));
        }
        (Some(definition), None) => (CohortKind::Dynamic, definition),
        (None, Some(query)) if static_kind => {
            let ids = analyse(&state, project, state.context(), move |q, context| {
                q.behind(project, &query, context)
            });
            (CohortKind::Static, json!({"ids": ids.await?}))
        }
        (None, Some(query)) => {
            let definition = look_up(&state, project, move |q, _| q.as_definition(&query)).await?;
            (CohortKind::Dynamic, definition)
        }
        _ => return Err(bad("either `definition` or `query` is needed")),
    };
    check(&state, project, None, &definition).await?;
    let by = access.principal.actor();
    let new = NewCohort { project, name: asked.name, kind, definition, by };
    let made = state.parts.catalog.create_cohort(new).await?;
    Ok((StatusCode::CREATED, Json(body_of(made))).into_response())
}

/// One cohort.
#[utoipa::path(get, path = "/api/v1/projects/{project}/cohorts/{cohort}", tag = "cohorts", responses(
    (status = 200, body = CohortBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<CohortPath>,
) -> Result<Json<CohortBody>, ApiError> {
    Ok(Json(body_of(find(&state, access.project()?.id, path.cohort).await?)))
}

/// Renames a cohort or changes its definition.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/cohorts/{cohort}", tag = "cohorts",
    request_body = ChangeCohortBody, responses((status = 200, body = CohortBody), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<CohortPath>,
    Body(asked): Body<ChangeCohortBody>,
) -> Result<Json<CohortBody>, ApiError> {
    let project = access.project()?.id;
    let known = find(&state, project, path.cohort).await?;
    if let Some(name) = &asked.name {
        check_name(name)?;
    }
    if let Some(definition) = &asked.definition {
        if known.cohort.kind == CohortKind::Static {
            return Err(bad("`definition`: a static cohort has its persons and no definition"));
        }
        check(&state, project, Some(path.cohort), definition).await?;
    }
    let (name, definition) = (asked.name.as_deref(), asked.definition.as_ref());
    let by = access.principal.actor();
    state.parts.catalog.change_cohort(project, path.cohort, name, definition, &by).await?;
    Ok(Json(body_of(find(&state, project, path.cohort).await?)))
}

/// Forgets a cohort. Queries that name it fail from now on.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/cohorts/{cohort}", tag = "cohorts", responses(
    (status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<CohortPath>,
) -> Result<StatusCode, ApiError> {
    let project = access.project()?.id;
    match state.parts.catalog.delete_cohort(project, path.cohort, &access.principal.actor()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(missing(path.cohort)),
    }
}

/// Members when the cohort was last looked at, by name. `Accept: text/csv` gives CSV.
#[utoipa::path(get, path = "/api/v1/projects/{project}/cohorts/{cohort}/members", tag = "cohorts", params(Page),
    responses((status = 200, body = Object), (status = 404, body = ErrorBody)))]
pub(crate) async fn members(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Segments(path): Segments<CohortPath>,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    let project = access.project()?.id;
    let known = find(&state, project, path.cohort).await?;
    let most = limit(page.limit)?;
    let (bytes, of) = match state.parts.catalog.members(project, path.cohort).await? {
        Some(bytes) => (bytes, known.membership),
        // Nobody has looked at it as it stands; the answer is kept for the next one.
        None => {
            let (bytes, of) = compute(&state, &known).await?;
            (bytes, Some(of))
        }
    };
    let answer = look_up(&state, project, move |q, context| {
        q.members(project, &bytes, page.cursor.as_deref(), most, context)
    });
    let mut answer = answer.await?;
    if accepts(&headers, "text/csv") {
        let items = answer["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        return Ok(csv_response("members.csv", csv::table(&CSV_COLUMNS, items, false)));
    }
    if let Some(of) = of {
        answer["seq"] = json!(of.seq.0);
        answer["computed_at"] = json!(time::iso(of.computed_at));
    }
    Ok(Json(answer).into_response())
}

async fn compute(state: &ApiState, cohort: &StoredCohort) -> Result<(Vec<u8>, MembershipInfo), ApiError> {
    let project = cohort.cohort.project;
    let definition = cohort.cohort.definition.clone();
    let began = std::time::Instant::now();
    let found = analyse(state, project, state.context(), move |q, context| {
        q.compute_cohort(project, &definition, context)
    });
    let StoredMembers { seq, size, bytes } = found.await?;
    let info = MembershipInfo {
        version: cohort.version,
        seq: CommitSeq(seq),
        computed_at: time::now(),
        took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        size: size as u64,
        problem: None,
    };
    state.parts.catalog.set_members(cohort.id, &info, &bytes).await?;
    Ok((bytes, info))
}

async fn check(
    state: &ApiState,
    project: ProjectId,
    own: Option<i64>,
    definition: &Value,
) -> Result<(), ApiError> {
    let definition = definition.clone();
    let own = own.map(|id| id.to_string());
    look_up(state, project, move |q, _| q.check_cohort(project, own.as_deref(), &definition)).await
}

fn check_name(name: &str) -> Result<(), ApiError> {
    match name.trim() == name && !name.is_empty() && name.chars().count() <= NAME_MAX {
        true => Ok(()),
        false => Err(bad(format!("`name`: 1 to {NAME_MAX} characters without blanks at the ends"))),
    }
}

async fn find(state: &ApiState, project: ProjectId, id: i64) -> Result<StoredCohort, ApiError> {
    state.parts.catalog.cohort(project, id).await?.ok_or_else(|| missing(id))
}

fn missing(id: i64) -> ApiError {
    ApiError::new(&codes::NO_COHORT, format!("this project has no cohort {id}"))
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(&codes::BAD_COHORT, why.into())
}

fn body_of(stored: StoredCohort) -> CohortBody {
    let version = stored.version;
    let membership = stored.membership.map(|m| MembershipBody {
        size: m.size,
        seq: m.seq.0,
        computed_at: time::iso(m.computed_at),
        current: m.version == version,
        problem: m.problem,
    });
    let cohort = stored.cohort;
    CohortBody {
        id: stored.id.to_string(),
        name: cohort.name,
        kind: cohort.kind.name(),
        definition: Some(cohort.definition).filter(|_| cohort.kind == CohortKind::Dynamic),
        version,
        by: cohort.by,
        made_at: time::iso(stored.made_at),
        changed_at: time::iso(stored.changed_at),
        membership,
    }
}
