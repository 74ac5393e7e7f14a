//! Bodies and parameters, with errors that say what and where.
//!
//! Guarantees: every rejection is one of our documented errors; JSON must be declared as JSON, so that no plain
//! HTML form of another site can send it.
//! Deliberately not here: meanings of values.

use crate::{ApiError, codes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
            return Err(ApiError::new(&codes::BAD_MEDIA_TYPE, format!("the content type is {kind:?}")));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|e| match e.status().as_u16() {
            413 => ApiError::new(&codes::BODY_TOO_LARGE, "the body has more than 1 MiB"),
            _ => ApiError::new(&codes::BAD_BODY, e.body_text()),
        })?;
        serde_json::from_slice(&bytes).map(Body).map_err(|e| ApiError::new(&codes::BAD_BODY, e.to_string()))
    }
}

/// Parameters of the URL.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(e) => Err(ApiError::new(&codes::BAD_PARAMETER, e.body_text())),
        }
    }
}

/// Parts of the path.
pub(crate) struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(e) => Err(ApiError::new(&codes::BAD_PARAMETER, e.body_text())),
        }
    }
}

/// True if the caller would rather have this media type than JSON.
pub(crate) fn accepts(headers: &http::HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(http::header::ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .take_while(|part| *part != "application/json")
        .any(|part| part.eq_ignore_ascii_case(media_type))
}
