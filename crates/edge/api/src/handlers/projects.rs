//! Projects.
//!
//! Guarantees: deleting can be taken back for seven days; a secret key sees its own project and no other; a new project's secret key is shown once.
//! Deliberately not here: keys (`keys`), data.

use crate::access::Access;
use crate::environment::Environment;
use crate::extract::{Body, Params};
use crate::handlers::erasures::UNDO_WITHIN;
use crate::limits::{ChangeProjectBody, session_timeout};
use crate::schemas::{DeletedProjectBody, ErrorBody, ProjectBody, ProjectsBody};
use crate::{ApiError, ApiState, CANARY_PROJECT, codes, time};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tallymark_catalog::{CreatedProject, NewProject, Project, WeekStart};
use utoipa::ToSchema;

/// What a project is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProjectBody {
    /// Unique; not only digits.
    name: String,
    /// IANA zone; default UTC.
    timezone: Option<String>,
    /// `monday` (default), `sunday` or `saturday`.
    #[schema(value_type = Option<String>)]
    week_start: Option<WeekStart>,
    identity: Option<IdentityOptions>,
    /// Names that do not make anybody active.
    inactive_events: Option<Vec<String>>,
    /// Longest pause within a session, in minutes; default 30.
    session_timeout_min: Option<f64>,
}

/// How identity is decided in a project.
#[derive(Debug, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityOptions {
    /// Whose a device's anonymous events are once a second user was seen on it; default `last_user`.
    shared_device: Option<SharedDevice>,
}

/// Owner of a device that several users share.
#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SharedDevice {
    /// The user known last.
    LastUser,
    /// The first user, until a reset.
    FirstUser,
}

impl NewProjectBody {
    /// Everything that can be judged here is judged here.
    pub fn checked(self) -> Result<NewProject, ApiError> {
        let timezone = self.timezone.filter(|z| !z.is_empty()).unwrap_or_else(|| "UTC".to_owned());
        if TimeZone::get(&timezone).is_err() {
            return Err(ApiError::new(&codes::BAD_TIMEZONE, format!("`timezone`: {timezone:?} is unknown")));
        }
        if self.name == CANARY_PROJECT {
            return Err(ApiError::new(
                &codes::BAD_NAME,
                "`name`: the product keeps its own test events there",
            ));
        }
        let mut settings = Map::new();
        if let Some(identity) = self.identity {
            settings.insert("identity".to_owned(), json!(identity));
        }
        if let Some(names) = self.inactive_events {
            settings.insert("inactive_events".to_owned(), json!(names));
        }
        if let Some(minutes) = self.session_timeout_min {
            settings.insert("session_timeout_min".to_owned(), session_timeout(minutes)?);
        }
        Ok(NewProject {
            name: self.name,
            timezone,
            week_start: self.week_start.unwrap_or_default(),
            settings: Value::Object(settings),
            write_key: None,
            secret_key: None,
        })
    }
}

/// The projects the caller may see.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", responses((status = 200, body = ProjectsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<ProjectsBody>, ApiError> {
    let own = access.principal.confined_to();
    let all = match state.parts.catalog.projects().await {
        Ok(all) => {
            state.standby.confirm_projects(&all);
            all
        }
        Err(error) if state.standby.projects().is_empty() => return Err(error.into()),
        Err(_) => state.standby.projects(),
    };
    let projects = all.into_iter().filter(|p| own.is_none_or(|own| own == p.id));
    let projects = projects.filter(|p| p.name != CANARY_PROJECT).map(body_of).collect();
    Ok(Json(ProjectsBody { projects }))
}

/// Creates a project with its first write and secret key.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProjectBody, responses(
    (status = 201, body = ProjectBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewProjectBody>,
) -> Result<(StatusCode, Json<ProjectBody>), ApiError> {
    let created = state.parts.catalog.create_project(new.checked()?).await?;
    state.parts.catalog.audit(&access.principal.actor(), "project.create", &created.project.name).await?;
    Ok((StatusCode::CREATED, Json(body_of_created(created))))
}

/// One project, by id or name.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects", responses((status = 200, body = ProjectBody)))]
pub(crate) async fn get(access: Access) -> Result<Json<ProjectBody>, ApiError> {
    Ok(Json(body_of(access.project()?.clone())))
}

/// Changes a project's options.
#[utoipa::path(patch, path = "/api/v1/projects/{project}", tag = "projects", request_body = ChangeProjectBody, responses(
    (status = 200, body = ProjectBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<ApiState>,
    access: Access,
    Body(change): Body<ChangeProjectBody>,
) -> Result<Json<ProjectBody>, ApiError> {
    let gone = || ApiError::new(&codes::NO_PROJECT, "there is no such project");
    let id = access.project()?.id;
    // Not the options that the caller's access was decided by: they may be a copy.
    let project = state.parts.catalog.project(&id.to_string()).await?.ok_or_else(gone)?;
    let options = change.applied(&project.settings)?;
    if !state.parts.catalog.set_project_options(id, &options).await? {
        return Err(gone());
    }
    state.audit(&access, "project.change", &format!("{id} {}: {options}", project.name)).await?;
    Ok(Json(body_of(Project { settings: options, ..project })))
}

/// What a deletion says about itself.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParams {
    /// The environment's name; needed where the environment is protected.
    confirm: Option<String>,
    /// Why, for the audit trail.
    reason: Option<String>,
}

/// Deletes a project: nobody sees it any more. What is still sent to it is kept, so that for seven days it can be
/// restored whole.
#[utoipa::path(delete, path = "/api/v1/projects/{project}", tag = "projects", params(DeleteParams), responses(
    (status = 200, body = DeletedProjectBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 428, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    access: Access,
    Params(params): Params<DeleteParams>,
) -> Result<Json<DeletedProjectBody>, ApiError> {
    Environment::read(&state).await?.confirm(params.confirm.as_deref())?;
    let project = access.project()?;
    let undo_until = time::now() + UNDO_WITHIN;
    if !state.parts.catalog.delete_project(project.id, undo_until).await? {
        return Err(ApiError::new(&codes::NO_PROJECT, "there is no such project"));
    }
    let subject = format!("{} {}: {}", project.id, project.name, params.reason.unwrap_or_default());
    state.audit(&access, "project.delete", &subject).await?;
    Ok(Json(DeletedProjectBody {
        id: project.id.to_string(),
        name: project.name.clone(),
        undo_until: time::iso(undo_until),
    }))
}

/// Brings a deleted project back, by id or name, within seven days.
#[utoipa::path(post, path = "/api/v1/projects/{project}/restore", tag = "projects", responses(
    (status = 200, body = ProjectBody), (status = 404, body = ErrorBody), (status = 410, body = ErrorBody)))]
pub(crate) async fn restore(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<ProjectBody>, ApiError> {
    let deleted = access.project()?;
    if !state.parts.catalog.undelete_project(deleted.id).await? {
        let why = format!("project {} can no longer be restored", deleted.name);
        return Err(ApiError::new(&codes::UNDO_GONE, why));
    }
    state.audit(&access, "project.restore", &format!("{} {}", deleted.id, deleted.name)).await?;
    let restored = state.parts.catalog.project(&deleted.id.to_string()).await?;
    restored.map(|p| Json(body_of(p))).ok_or_else(|| ApiError::internal("a restored project is not there"))
}

pub(crate) fn body_of_created(created: CreatedProject) -> ProjectBody {
    ProjectBody { secret_key: Some(created.secret_key), ..body_of(created.project) }
}

fn body_of(project: Project) -> ProjectBody {
    let week_start = match project.week_start {
        WeekStart::Monday => "monday",
        WeekStart::Sunday => "sunday",
        WeekStart::Saturday => "saturday",
    };
    ProjectBody {
        id: project.id.to_string(),
        name: project.name,
        timezone: project.timezone,
        week_start: week_start.to_owned(),
        write_key: project.write_key,
        created_at: time::iso(project.created_at),
        settings: project.settings.as_object().cloned().unwrap_or_default(),
        secret_key: None,
    }
}
