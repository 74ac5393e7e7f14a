//! Answers as HTTP responses.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tallymark_wire::Answer;

/// The HTTP form of a protocol's answer.
pub(crate) fn of_answer(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !answer.content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    if let Some(seconds) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    of_answer(tallymark_wire::answer::json_answer(status.as_u16(), body))
}

/// An error in our own shape.
pub(crate) fn error(status: StatusCode, code: &str, message: &str, hint: &str) -> Response {
    let docs = format!("/docs/errors/{code}");
    json(status, &json!({"error": {"code": code, "message": message, "hint": hint, "docs": docs}}))
}
