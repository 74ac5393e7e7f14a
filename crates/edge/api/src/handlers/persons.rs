//! Persons: search, one person, their timeline.
//!
//! Guarantees: passes on what the query engine says, for the project the guard decided on.
//! Deliberately not here: identity.

use super::events::csv_response;
use super::{Page, limit};
use crate::access::Access;
use crate::asking::look_up;
use crate::extract::{Params, Segments, accepts};
use crate::schemas::{ErrorBody, EventsBody, PersonBody, PersonsBody};
use crate::{ApiError, ApiState, csv};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tallymark_insights::{PersonsRequest, TimelineRequest};

const CSV_COLUMNS: [&str; 7] =
    ["person", "user_ids", "device_ids", "first_seen", "last_seen", "events", "properties"];

/// Which persons.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PersonsParams {
    /// Part of a user id, a device id, an email or a name.
    q: Option<String>,
    /// At most this many; 1 to 1,000, default 100.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// For CSV: do not disarm cells that a spreadsheet would take for formulas.
    #[serde(default)]
    raw: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PersonPath {
    person: String,
}

/// Persons that match. `Accept: text/csv` gives CSV.
#[utoipa::path(get, path = "/api/v1/projects/{project}/persons", tag = "data", params(PersonsParams), responses(
    (status = 200, body = PersonsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Params(params): Params<PersonsParams>,
) -> Result<Response, ApiError> {
    let id = access.project()?.id;
    let search = params.q.filter(|q| !q.is_empty());
    let request = PersonsRequest { search, limit: limit(params.limit)?, cursor: params.cursor };
    let answer = look_up(&state, id, move |q, context| q.persons(id, &request, context)).await?;
    if !accepts(&headers, "text/csv") {
        return Ok(Json(answer).into_response());
    }
    let items = answer["persons"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(csv_response("persons.csv", csv::table(&CSV_COLUMNS, items, params.raw)))
}

/// One person, by person id, user id or device id.
#[utoipa::path(get, path = "/api/v1/projects/{project}/persons/{person}", tag = "data", responses(
    (status = 200, body = PersonBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<PersonPath>,
) -> Result<Json<Value>, ApiError> {
    let id = access.project()?.id;
    Ok(Json(look_up(&state, id, move |q, context| q.person(id, &path.person, context)).await?))
}

/// A person's events, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/persons/{person}/timeline", tag = "data", params(Page),
    responses((status = 200, body = EventsBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn timeline(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<PersonPath>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, ApiError> {
    let id = access.project()?.id;
    let request = TimelineRequest { limit: limit(page.limit)?, cursor: page.cursor };
    let answer =
        look_up(&state, id, move |q, context| q.timeline(id, &path.person, &request, context)).await?;
    Ok(Json(answer))
}
