//! First-run set-up, login, logout, the session.
//!
//! Guarantees: unknown accounts and wrong passwords get the same answer in the same time; a login opens a new
//! session and ends the one it came with; set-up works once.
//! Deliberately not here: limits and hashing (`access`).

use crate::access::{
    Access, Attempt, Passwords, Principal, Verdict, clear_cookie, csrf_of, new_session_token, session_cookie,
};
use crate::extract::Body;
use crate::handlers::projects::{NewProjectBody, body_of_created};
use crate::schemas::{ErrorBody, ProjectBody, SessionBody, UserBody};
use crate::{ApiError, ApiState, codes};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tallymark_catalog::{NewUser, SetupAnswer, User};
use utoipa::ToSchema;

/// The first person, and if wanted the first project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// The code printed by the server.
    code: String,
    email: String,
    /// At least 10 characters.
    password: String,
    name: Option<String>,
    project: Option<NewProjectBody>,
}

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    email: String,
    password: String,
}

/// The session, and what set-up created.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpDone {
    #[serde(flatten)]
    session: SessionBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ProjectBody>,
}

/// Who is logged in, and whether the instance needs to be set up.
#[utoipa::path(get, path = "/api/v1/session", tag = "people", responses((status = 200, body = SessionBody)))]
pub(crate) async fn session(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<SessionBody>, ApiError> {
    let (user, csrf) = match &access.principal {
        Principal::User { session, token } => (Some(user_body(&session.user)), Some(csrf_of(token))),
        _ => (None, None),
    };
    let setup_required = user.is_none() && setup_required(&state).await?;
    Ok(Json(SessionBody { user, setup_required, csrf, demo: state.parts.demo }))
}

/// Creates the first person with the code that the server printed.
#[utoipa::path(post, path = "/api/v1/setup", tag = "people", request_body = SetUp, responses(
    (status = 200, body = SetUpDone), (status = 403, body = ErrorBody), (status = 410, body = ErrorBody)))]
pub(crate) async fn set_up(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Body(form): Body<SetUp>,
) -> Result<Response, ApiError> {
    if !state.parts.catalog.setup_required().await? {
        return Err(gone());
    }
    check_email(&form.email)?;
    check_password(&form.password)?;
    let project = form.project.map(NewProjectBody::checked).transpose()?;
    let attempt = Attempt::new("first-run set-up", access.peer.network());
    begin(&state, &attempt)?;
    let password = hash(&state, form.password).await?;
    let email = form.email.trim().to_owned();
    let name = form.name.filter(|n| !n.trim().is_empty()).unwrap_or_else(|| email.clone());
    let stored = password.clone();
    let user = NewUser { email, name, password };
    let code = form.code.trim().to_uppercase();
    match state.parts.catalog.complete_setup(&code, user, project).await? {
        SetupAnswer::Done { user, project } => {
            state.logins.succeeded(&attempt, Instant::now());
            state.standby.confirm_person(&user.email.clone(), Some(&(user.clone(), stored)));
            let project = project.map(|p| body_of_created(*p));
            let (session, cookie) = open(&state, &user, &headers).await?;
            Ok(with_cookie(Json(SetUpDone { session, project }).into_response(), cookie))
        }
        SetupAnswer::WrongCode => Err(ApiError::new(&codes::WRONG_SETUP_CODE, "the set-up code is wrong")),
        SetupAnswer::Gone => Err(gone()),
    }
}

/// Opens a session.
#[utoipa::path(post, path = "/api/v1/login", tag = "people", request_body = LogIn, responses(
    (status = 200, body = SessionBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn log_in(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Body(form): Body<LogIn>,
) -> Result<Response, ApiError> {
    let attempt = Attempt::new(&form.email, access.peer.network());
    begin(&state, &attempt)?;
    let (known, standing_by) = match state.parts.catalog.user_by_email(form.email.trim()).await {
        Ok(known) => {
            state.standby.confirm_person(&form.email, known.as_ref());
            (known, false)
        }
        Err(error) if !state.standby.knows_people() => return Err(error.into()),
        Err(_) => (state.standby.person(&form.email), true),
    };
    let (user, stored) = known.unzip();
    let (verdict, renewed) = verify(&state, form.password, stored).await?;
    let Some(user) = user.filter(|_| verdict != Verdict::Wrong) else {
        return Err(ApiError::new(&codes::WRONG_LOGIN, "the address or the password is wrong"));
    };
    state.logins.succeeded(&attempt, Instant::now());
    if standing_by {
        // Nothing can be written down; who came in is told in the log instead of the audit trail.
        tracing::warn!(user = user.email, "logged in from the copy of accounts: the catalog does not answer");
        let token = new_session_token();
        state.standby.open_session(&token, &user);
        let (session, cookie) = opened(&state, &user, &token, &headers);
        return Ok(with_cookie(Json(session).into_response(), cookie));
    }
    if let Some(renewed) = renewed {
        state.parts.catalog.set_password(user.id, &renewed).await?;
    }
    if let Principal::User { token, .. } = &access.principal {
        state.parts.catalog.close_session(token).await?;
    }
    let (session, cookie) = open(&state, &user, &headers).await?;
    state
        .parts
        .catalog
        .audit(&format!("user:{}", user.email), "session.open", &access.peer.network())
        .await?;
    Ok(with_cookie(Json(session).into_response(), cookie))
}

/// Ends the session.
#[utoipa::path(post, path = "/api/v1/logout", tag = "people", responses((status = 200, body = SessionBody)))]
pub(crate) async fn log_out(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Principal::User { token, .. } = &access.principal {
        state.standby.close_session(token);
        state.parts.catalog.close_session(token).await?;
    }
    let setup_required = setup_required(&state).await?;
    let body = SessionBody { user: None, setup_required, csrf: None, demo: state.parts.demo };
    Ok(with_cookie(Json(body).into_response(), clear_cookie(&headers)))
}

fn gone() -> ApiError {
    ApiError::new(&codes::SETUP_GONE, "the instance is set up already")
}

fn begin(state: &ApiState, attempt: &Attempt) -> Result<(), ApiError> {
    state.logins.begin(attempt, Instant::now()).map_err(|wait| {
        let wait = Duration::from_secs(wait.as_secs() + 1);
        ApiError::new(&codes::TOO_MANY_LOGINS, format!("too many attempts; wait {} seconds", wait.as_secs()))
            .retry_after(wait)
    })
}

async fn open(
    state: &ApiState,
    user: &User,
    headers: &HeaderMap,
) -> Result<(SessionBody, Option<HeaderValue>), ApiError> {
    let token = new_session_token();
    state.parts.catalog.open_session(user.id, &token).await?;
    Ok(opened(state, user, &token, headers))
}

fn opened(
    state: &ApiState,
    user: &User,
    token: &str,
    headers: &HeaderMap,
) -> (SessionBody, Option<HeaderValue>) {
    let csrf = Some(csrf_of(token));
    let body =
        SessionBody { user: Some(user_body(user)), setup_required: false, csrf, demo: state.parts.demo };
    (body, session_cookie(token, state.parts.limits.session_max, headers))
}

/// An instance whose people are known is set up, also while the catalog does not answer.
async fn setup_required(state: &ApiState) -> Result<bool, ApiError> {
    match state.parts.catalog.setup_required().await {
        Err(_) if state.standby.knows_people() => Ok(false),
        answer => Ok(answer?),
    }
}

async fn hash(state: &ApiState, password: String) -> Result<String, ApiError> {
    let _place = state.hashing.acquire().await.map_err(ApiError::internal)?;
    let done = tokio::task::spawn_blocking(move || Passwords::hash(&password)).await;
    done.map_err(ApiError::internal)?.map_err(ApiError::internal)
}

/// The verdict, and a new hash if the stored one has old parameters.
async fn verify(
    state: &ApiState,
    password: String,
    stored: Option<String>,
) -> Result<(Verdict, Option<String>), ApiError> {
    let _place = state.hashing.acquire().await.map_err(ApiError::internal)?;
    let task = tokio::task::spawn_blocking(move || {
        let verdict = Passwords::verify(&password, stored.as_deref());
        let renewed = match verdict {
            Verdict::RightButOld => Passwords::hash(&password).ok(),
            _ => None,
        };
        (verdict, renewed)
    });
    task.await.map_err(ApiError::internal)
}

fn check_email(email: &str) -> Result<(), ApiError> {
    let email = email.trim();
    let sound = email.len() <= 254
        && !email.chars().any(|c| c.is_control() || c.is_whitespace())
        && email.split_once('@').is_some_and(|(who, domain)| !who.is_empty() && !domain.is_empty());
    if sound {
        Ok(())
    } else {
        Err(ApiError::new(&codes::BAD_EMAIL, format!("`email`: {email:?} is not an address")))
    }
}

fn check_password(password: &str) -> Result<(), ApiError> {
    match Passwords::weakness(password) {
        Some(reason) => Err(ApiError::new(&codes::WEAK_PASSWORD, format!("`password`: {reason}"))),
        None => Ok(()),
    }
}

fn user_body(user: &User) -> UserBody {
    UserBody { email: user.email.clone(), name: user.name.clone() }
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
