//! Jobs: long work that an operator asks for, with what it would touch, progress, pause and end.
//!
//! Guarantees: what cannot work is refused before a job exists; destructive kinds pass the environment's guard.
//! Deliberately not here: the work (`processor`, `recovery`).

use super::limit;
use crate::access::Access;
use crate::environment::Environment;
use crate::extract::{Body, Params, Segments};
use crate::handlers::job_spec::{self, Scope};
use crate::schemas::{ErrorBody, JobBody, JobProgressBody, JobScopeBody, JobsBody, NewJobBody, RangeBody};
use crate::{ApiError, ApiState, codes, time};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use tallymark_catalog::{Job, JobKind, JobWish, NewJob, Project};
use tallymark_ledger::Interval;

const REASON_CHARS_MAX: usize = 500;

/// How many jobs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsParams {
    /// At most this many; 1 to 1,000, default 100.
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct JobPath {
    job: i64,
}

/// The newest jobs, newest first.
#[utoipa::path(get, path = "/api/v1/operations/jobs", tag = "operations", params(JobsParams), responses(
    (status = 200, body = JobsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Params(params): Params<JobsParams>,
) -> Result<Json<JobsBody>, ApiError> {
    let jobs = state.parts.catalog.jobs(limit(params.limit)?).await?;
    Ok(Json(JobsBody { jobs: jobs.into_iter().map(body_of).collect() }))
}

/// One job.
#[utoipa::path(get, path = "/api/v1/operations/jobs/{job}", tag = "operations", responses(
    (status = 200, body = JobBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Segments(path): Segments<JobPath>,
) -> Result<Json<JobBody>, ApiError> {
    Ok(Json(body_of(find(&state, path.job).await?)))
}

/// What a job would touch, without starting it: for the question before a destructive one.
#[utoipa::path(post, path = "/api/v1/operations/jobs/scope", tag = "operations", request_body = NewJobBody, responses(
    (status = 200, body = JobScopeBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn scope(
    State(state): State<ApiState>,
    Body(new): Body<NewJobBody>,
) -> Result<Json<JobScopeBody>, ApiError> {
    let (kind, project, environment) = parts(&state, &new).await?;
    let scope = job_spec::scope(&state, kind, project.as_ref(), &new.spec).await?;
    let projects = match project {
        Some(project) => vec![project.name],
        None => state.parts.catalog.projects().await?.into_iter().map(|p| p.name).collect(),
    };
    Ok(Json(JobScopeBody {
        environment: environment.name,
        protected: environment.protected,
        destructive: is_destructive(kind),
        projects,
        events: scope.events,
        ranges: scope.ranges.iter().map(range_body).collect(),
        problem: scope.problem,
    }))
}

/// Starts a job.
#[utoipa::path(post, path = "/api/v1/operations/jobs", tag = "operations", request_body = NewJobBody, responses(
    (status = 201, body = JobBody), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 428, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<ApiState>,
    access: Access,
    Body(new): Body<NewJobBody>,
) -> Result<(StatusCode, Json<JobBody>), ApiError> {
    let (kind, project, environment) = parts(&state, &new).await?;
    if is_destructive(kind) && !new.dry_run {
        environment.confirm(new.confirm.as_deref())?;
        if new.reason.trim().is_empty() {
            return Err(bad(format!("`reason`: {} asks for one, it is kept in the books", kind.name())));
        }
    } else if new.confirm.is_some() {
        environment.confirm(new.confirm.as_deref())?;
    }
    let Scope { spec, problem, .. } = job_spec::scope(&state, kind, project.as_ref(), &new.spec).await?;
    if let Some(problem) = problem {
        return Err(bad(problem));
    }
    let job = NewJob {
        kind,
        project: project.map(|p| p.id),
        spec,
        dry_run: new.dry_run,
        by: access.principal.actor(),
        reason: new.reason,
    };
    // The catalog writes the line of the audit trail in the same transaction.
    let job = state.parts.catalog.create_job(job).await?;
    Ok((StatusCode::CREATED, Json(body_of(job))))
}

/// Makes a job wait.
#[utoipa::path(post, path = "/api/v1/operations/jobs/{job}/pause", tag = "operations", responses(
    (status = 200, body = JobBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn pause(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<JobPath>,
) -> Result<Json<JobBody>, ApiError> {
    steer(&state, &access, path.job, JobWish::Pause, "job.pause").await
}

/// Lets a job go on.
#[utoipa::path(post, path = "/api/v1/operations/jobs/{job}/resume", tag = "operations", responses(
    (status = 200, body = JobBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<JobPath>,
) -> Result<Json<JobBody>, ApiError> {
    steer(&state, &access, path.job, JobWish::Run, "job.resume").await
}

/// Ends a job; what it did stays.
#[utoipa::path(post, path = "/api/v1/operations/jobs/{job}/cancel", tag = "operations", responses(
    (status = 200, body = JobBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<JobPath>,
) -> Result<Json<JobBody>, ApiError> {
    steer(&state, &access, path.job, JobWish::Cancel, "job.cancel").await
}

async fn steer(
    state: &ApiState,
    access: &Access,
    id: i64,
    wish: JobWish,
    action: &str,
) -> Result<Json<JobBody>, ApiError> {
    let Some(job) = state.parts.catalog.steer_job(id, wish).await? else {
        let job = find(state, id).await?;
        return Err(ApiError::new(&codes::JOB_OVER, format!("job {id} is {}", job.state.name())));
    };
    state.audit(access, action, &id.to_string()).await?;
    Ok(Json(body_of(job)))
}

async fn find(state: &ApiState, id: i64) -> Result<Job, ApiError> {
    let found = state.parts.catalog.job(id).await?;
    found.ok_or_else(|| ApiError::new(&codes::NO_JOB, format!("there is no job {id}")))
}

async fn parts(
    state: &ApiState,
    new: &NewJobBody,
) -> Result<(JobKind, Option<Project>, Environment), ApiError> {
    let kind = JobKind::from_name(&new.kind).ok_or_else(|| {
        let known: Vec<&str> = JobKind::ALL.iter().map(|k| k.name()).collect();
        bad(format!("`kind`: {:?} is none of {}", new.kind, known.join(", ")))
    })?;
    if new.reason.chars().count() > REASON_CHARS_MAX {
        return Err(bad(format!("`reason`: it has more than {REASON_CHARS_MAX} characters")));
    }
    let project = match &new.project {
        None => None,
        Some(name) => Some(state.parts.catalog.project(name).await?.ok_or_else(|| {
            ApiError::new(&codes::NO_PROJECT, format!("`project`: there is no project {name:?}"))
        })?),
    };
    Ok((kind, project, Environment::read(state).await?))
}

/// Jobs that take something away or change numbers that were shown.
fn is_destructive(kind: JobKind) -> bool {
    matches!(kind, JobKind::Skip | JobKind::Reprocess)
}

pub(crate) fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(&codes::BAD_JOB, why)
}

pub(crate) fn range_body(range: &Interval) -> RangeBody {
    RangeBody {
        lane: range.shard.lane.to_string(),
        partition: range.shard.partition,
        from: range.from,
        to: range.to,
    }
}

pub(crate) fn body_of(job: Job) -> JobBody {
    let wish = match job.wish {
        JobWish::Run => "run",
        JobWish::Pause => "pause",
        JobWish::Cancel => "cancel",
    };
    JobBody {
        id: job.id.to_string(),
        kind: job.kind.name().to_owned(),
        project: job.project.map(|p| p.to_string()),
        spec: job_spec::shown(job.spec),
        dry_run: job.dry_run,
        by: job.by,
        reason: job.reason,
        state: job.state.name().to_owned(),
        wish: wish.to_owned(),
        progress: JobProgressBody {
            done: job.progress.done,
            total: job.progress.total,
            unit: job.progress.unit,
            eta: job.progress.eta.map(time::iso),
            note: job.progress.note,
        },
        report: job.report,
        error: job.error,
        created_at: time::iso(job.created_at),
        started_at: job.started_at.map(time::iso),
        updated_at: time::iso(job.updated_at),
        finished_at: job.finished_at.map(time::iso),
    }
}
