//! The routes behind their guard, and what surrounds them.
//!
//! Guarantees: each route's guard knows the route's own action; unknown paths under `/api` answer with a documented
//! error, everything else is the web app's.
//! Deliberately not here: sockets.

use crate::access::guard;
use crate::{ApiError, ApiState, codes, extract, headers, routes, static_files};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// Most bytes of a JSON body.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// The whole API and web app as one service.
pub fn router(state: ApiState) -> Router {
    let mut router = Router::new();
    for (route, handler) in routes::routes() {
        let guarded = handler.layer(from_fn_with_state((state.clone(), route), guard));
        router = router.route(route.path, guarded);
    }
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(fallback)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(from_fn(headers::add))
        .layer(from_fn(extract::read_to_the_end))
        .with_state(state)
}

async fn method_not_allowed(request: Request) -> ApiError {
    let message = format!("{} does not work on {}", request.method(), request.uri().path());
    ApiError::new(&codes::BAD_METHOD, message)
}

async fn fallback(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api"
        || path.starts_with("/api/")
        || path.starts_with("/health/")
        || path.starts_with("/status/")
    {
        return ApiError::new(&codes::NOT_FOUND, format!("there is nothing at {path}")).into_response();
    }
    static_files::serve(&request)
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    ApiError::internal(format!("a handler panicked: {what}")).into_response()
}
