//! The guard in front of every handler.
//!
//! Guarantees: see the folder's header. Cookie-authenticated writes need the session's CSRF token (S17); writes
//! that a browser says come from another site are refused before anything else.
//! Deliberately not here: the policy's table.

use super::policy::{Decision, decide};
use super::principal::{Peer, Principal, principal_of};
use super::{Action, csrf_of};
use crate::{ApiError, ApiState, RouteInfo, codes, telemetry};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::request::Parts;
use std::time::Instant;
use subtle::ConstantTimeEq;
use tallymark_catalog::Project;

/// What the guard found out; handlers take it as an argument.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Who asks.
    pub principal: Principal,
    /// From where.
    pub peer: Peer,
    project: Option<Project>,
}

impl Access {
    /// The project of the route.
    pub fn project(&self) -> Result<&Project, ApiError> {
        self.project.as_ref().ok_or_else(|| ApiError::internal("the route has no project"))
    }

    /// Whether the credential would still be accepted now; streams ask from time to time.
    pub async fn still_valid(&self, state: &ApiState) -> bool {
        let (catalog, limits) = (&state.parts.catalog, &state.parts.limits);
        match &self.principal {
            Principal::Anonymous => true,
            Principal::User { token, .. } => {
                match catalog.session(token, limits.session_idle, limits.session_max).await {
                    Ok(session) => session.is_some(),
                    Err(_) => state.standby.session(token).is_some(),
                }
            }
            Principal::Key(key) => match catalog.keys(key.project).await {
                Ok(keys) => keys.iter().any(|k| k.id == key.key && k.revoked_at.is_none()),
                Err(_) => false,
            },
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Access>().cloned().ok_or_else(|| ApiError::internal("a route has no guard"))
    }
}

/// Decides whether the request may go on to its handler.
pub(crate) async fn guard(
    State((state, route)): State<(ApiState, RouteInfo)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let response = match admit(&state, route.action, &mut parts).await {
        Ok(access) => {
            parts.extensions.insert(access);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refused) => refused.into_response(),
    };
    telemetry::answered(route, response.status(), started.elapsed());
    response
}

async fn admit(state: &ApiState, action: Action, parts: &mut Parts) -> Result<Access, ApiError> {
    let writes = !matches!(parts.method, Method::GET | Method::HEAD);
    let cross_site = parts.headers.get("sec-fetch-site").is_some_and(|v| v == "cross-site");
    if writes && cross_site {
        return Err(ApiError::new(&codes::CROSS_SITE, "the request was sent by a page of another site"));
    }
    let peer = Peer::of(&parts.headers);
    let principal = match principal_of(state, parts).await {
        // Who they are cannot be said, or not now: the status page and the way in are there for everybody.
        Err(refused) if action.is_public() && (refused.is(&codes::BAD_CREDENTIAL) || refused.is_ours()) => {
            Principal::Anonymous
        }
        other => other?,
    };
    if decide(&principal, action, None, peer.is_this_machine()) == Decision::Unknown {
        return Err(ApiError::new(&codes::NOT_SIGNED_IN, "the request carries no credential"));
    }
    let project = if action.needs_project() { named_project(state, action, parts).await? } else { None };
    match decide(&principal, action, project.as_ref().map(|p| p.id), peer.is_this_machine()) {
        Decision::Allow => {}
        Decision::Unknown => {
            return Err(ApiError::new(&codes::NOT_SIGNED_IN, "the request carries no credential"));
        }
        Decision::Forbidden => {
            return Err(ApiError::new(&codes::FORBIDDEN, "this credential may not do that"));
        }
        Decision::Hidden => return Err(ApiError::new(&codes::NO_PROJECT, "there is no such project")),
    }
    if let (true, false, Principal::User { token, .. }) = (writes, action.is_public(), &principal) {
        let shown = parts.headers.get("x-csrf-token").map(|v| v.as_bytes()).unwrap_or_default();
        if !bool::from(shown.ct_eq(csrf_of(token).as_bytes())) {
            return Err(ApiError::new(&codes::NO_CSRF, "the header x-csrf-token is missing or wrong"));
        }
    }
    let changes = writes && !action.is_public() && !action.reads() && action != Action::LogOut;
    if changes && (state.parts.catalog_lost)().is_some() {
        return Err(ApiError::unavailable("the catalog", "its file is gone; nothing can be changed"));
    }
    Ok(Access { principal, peer, project })
}

async fn named_project(
    state: &ApiState,
    action: Action,
    parts: &mut Parts,
) -> Result<Option<Project>, ApiError> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| ApiError::new(&codes::BAD_PARAMETER, "the path is not valid UTF-8"))?;
    let named = params.iter().find(|(name, _)| *name == "project").map(|(_, value)| value.to_owned());
    match named {
        Some(name) if action.is_about_a_deleted_project() => {
            let deleted = state.parts.catalog.deleted_projects().await?;
            // The latest of that name: names are free again after a deletion.
            let fits = |p: &Project| p.id.to_string() == name || p.name == name;
            Ok(deleted.into_iter().map(|(project, _)| project).rfind(fits))
        }
        Some(name) => match state.parts.catalog.project(&name).await {
            Ok(found) => {
                found.iter().for_each(|p| state.standby.confirm_project(p));
                Ok(found)
            }
            Err(error) => Ok(Some(state.standby.project(&name).ok_or(error)?)),
        },
        None => Err(ApiError::internal("a project route without a project in its path")),
    }
}
