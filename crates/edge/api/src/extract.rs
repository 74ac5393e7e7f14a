//! Bodies and parameters, with errors that say what and where.
//!
//! Guarantees: every rejection is one of our documented errors; JSON must be declared as JSON, so that no plain
//! HTML form of another site can send it.
//! Deliberately not here: meanings of values.

use crate::router::BODY_BYTES_MAX;
use crate::{ApiError, codes};
use axum::body::{BodyDataStream, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_stream::{Stream, StreamExt};

/// So much of a body that nobody wants is read and forgotten.
const OVERFLOW_BYTES_MAX: usize = 64 << 20;
/// A body may take so long.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
            return Err(ApiError::new(&codes::BAD_MEDIA_TYPE, format!("the content type is {kind:?}")));
        }
        let bytes = whole(request.into_body()).await?;
        serde_json::from_slice(&bytes).map(Body).map_err(|e| ApiError::new(&codes::BAD_BODY, e.to_string()))
    }
}

/// The whole body; what is left of one that is too large, [`read_to_the_end`] reads and forgets.
async fn whole(body: axum::body::Body) -> Result<Bytes, ApiError> {
    let mut frames = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let until = Instant::now() + BODY_TIME;
    loop {
        match timeout_at(until, frames.next()).await {
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(frame)) => {
                let frame = frame.map_err(|e| ApiError::new(&codes::BAD_BODY, e.to_string()))?;
                if bytes.len() + frame.len() > BODY_BYTES_MAX {
                    return Err(ApiError::new(&codes::BODY_TOO_LARGE, "the body has more than 1 MiB"));
                }
                bytes.extend_from_slice(&frame);
            }
            Err(_) => {
                return Err(ApiError::new(&codes::BAD_BODY, "the body did not arrive within half a minute"));
            }
        }
    }
}

/// Answers when the request's body has been read, whether or not a handler wanted it: an answer beside unread bytes may
/// be lost with the connection, and to a proxy in between looks like a broken one.
pub(crate) async fn read_to_the_end(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let left = Arc::new(Mutex::new(body.into_data_stream()));
    let frames = Frames(Arc::clone(&left));
    let response = next.run(Request::from_parts(parts, axum::body::Body::from_stream(frames))).await;
    let (mut rest, mut bytes) = (Frames(left), 0);
    let until = Instant::now() + BODY_TIME;
    while let Ok(Some(Ok(frame))) = timeout_at(until, rest.next()).await {
        bytes += frame.len();
        if bytes > OVERFLOW_BYTES_MAX {
            break;
        }
    }
    response
}

/// A body that somebody else can go on with.
struct Frames(Arc<Mutex<BodyDataStream>>);

impl Stream for Frames {
    type Item = Result<Bytes, axum::Error>;
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *frames).poll_next(context)
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
