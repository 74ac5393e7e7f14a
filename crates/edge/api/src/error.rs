//! Errors as answers: `{"error":{"code","message","hint","docs"}}`.
//!
//! Guarantees: the status belongs to the code; what happened inside is logged, not shown.
//! Deliberately not here: the codes' meanings (`codes`).

use crate::codes::{self, Code};
use crate::ports::PortError;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tallymark_catalog::CatalogError;
use tallymark_insights::ErrorKind;

/// A refusal or a failure, ready to be sent.
#[derive(Debug)]
pub struct ApiError {
    code: &'static Code,
    message: String,
    hint: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// An error of this code; the message says what is wrong and where.
    pub fn new(code: &'static Code, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), hint: code.remedy.to_owned(), retry_after: None }
    }

    /// With another hint than the code's remedy.
    pub fn hint(mut self, hint: impl Into<String>) -> ApiError {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hint = hint;
        }
        self
    }

    /// With a time after which to try again.
    pub fn retry_after(mut self, wait: Duration) -> ApiError {
        self.retry_after = Some(wait);
        self
    }

    /// A parameter that cannot be used.
    pub fn parameter(name: &str, problem: impl std::fmt::Display) -> ApiError {
        ApiError::new(&codes::BAD_PARAMETER, format!("`{name}`: {problem}"))
    }

    /// A failure of ours: logged in full, shown without details.
    pub fn internal(detail: impl std::fmt::Display) -> ApiError {
        tracing::error!(%detail, "internal error");
        ApiError::new(&codes::INTERNAL, "the server could not complete the request")
    }

    /// A part that does not answer: logged in full, shown without details.
    pub fn unavailable(what: &str, detail: impl std::fmt::Display) -> ApiError {
        tracing::warn!(what, %detail, "a part does not answer");
        ApiError::new(&codes::UNAVAILABLE, format!("{what} does not answer"))
            .retry_after(Duration::from_secs(2))
    }

    /// True if the caller did nothing wrong.
    pub(crate) fn is_ours(&self) -> bool {
        self.status().is_server_error()
    }

    pub(crate) fn is(&self, code: &Code) -> bool {
        self.code == code
    }

    /// What is wrong and where.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The error as JSON.
    pub fn body(&self) -> Value {
        let code = self.code.code;
        json!({"error": {
            "code": code, "message": self.message, "hint": self.hint, "docs": format!("/docs/errors/{code}"),
        }})
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> ApiError {
        match codes::find(error.code()) {
            // What the caller asked for cannot be; everything else is ours, and is not shown.
            Some(code) if (400..500).contains(&code.status) => ApiError::new(code, error.to_string()),
            _ if error.retryable() => ApiError::unavailable("the catalog", error),
            _ => ApiError::internal(error),
        }
    }
}

impl From<tallymark_insights::Error> for ApiError {
    fn from(error: tallymark_insights::Error) -> ApiError {
        let known = codes::find(error.code());
        match error.kind() {
            ErrorKind::Internal => return ApiError::internal(error),
            ErrorKind::Unavailable => tracing::warn!(%error, "a query could not be answered"),
            _ => {}
        }
        let answer =
            ApiError::new(known.unwrap_or(&codes::QUERY_INVALID), error.to_string()).hint(error.hint());
        match error.kind() {
            ErrorKind::Unavailable => answer.retry_after(Duration::from_secs(2)),
            _ => answer,
        }
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> ApiError {
        ApiError::unavailable(error.what, error.detail)
    }
}
