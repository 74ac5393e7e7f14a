//! Queries: run, explain, with progress.
//!
//! Guarantees: a query stops soon after its caller disconnects; a stream ends with exactly one `result` or
//! `error`.
//! Deliberately not here: the query language.

use crate::access::Access;
use crate::asking::analyse;
use crate::extract::{Body, Params, accepts};
use crate::limits::Asker;
use crate::schemas::ErrorBody;
use crate::stale;
use crate::{ApiError, ApiState, Questions};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tallymark_insights::QueryContext;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::interval;
use tokio_stream::wrappers::ReceiverStream;

/// Header that says how an answer came about: `computed`, `cached` or `patched`.
const SERVED: HeaderName = HeaderName::from_static("tallymark-cache");
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A query in the URL, for links.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueryParams {
    /// The query object as JSON.
    q: String,
}

/// Runs a query. `Accept: text/event-stream` gives `progress` events, then `result` or `error`;
/// `Cache-Control: no-cache` has it computed even where an answer is kept.
#[utoipa::path(post, path = "/api/v1/projects/{project}/query", tag = "data", request_body = Object, responses(
    (status = 200, body = Object), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn run(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Body(query): Body<Value>,
) -> Result<Response, ApiError> {
    answer(state, access.project()?.into(), query, &headers).await
}

/// The same for links.
#[utoipa::path(get, path = "/api/v1/projects/{project}/query", tag = "data", params(QueryParams), responses(
    (status = 200, body = Object), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn run_link(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Params(params): Params<QueryParams>,
) -> Result<Response, ApiError> {
    let query =
        serde_json::from_str(&params.q).map_err(|e| ApiError::parameter("q", format!("not JSON: {e}")))?;
    answer(state, access.project()?.into(), query, &headers).await
}

/// Shows what a query would read.
#[utoipa::path(post, path = "/api/v1/projects/{project}/query/explain", tag = "data", request_body = Object,
    responses((status = 200, body = Object), (status = 400, body = ErrorBody)))]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    access: Access,
    Body(query): Body<Value>,
) -> Result<Json<Value>, ApiError> {
    let asker = Asker::from(access.project()?);
    let context = state.context_of(asker.limits);
    let explain = move |q: &dyn Questions, context: &QueryContext| q.explain(asker.project, &query, context);
    Ok(Json(analyse(&state, asker, context, explain).await?))
}

async fn answer(
    state: ApiState,
    asker: Asker,
    query: Value,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let mut context = state.context_of(asker.limits);
    context.fresh = wants_fresh(headers);
    if !accepts(headers, "text/event-stream") {
        let reads = context.reads.clone();
        let mut response = Json(result(&state, asker, query, context).await?).into_response();
        // Not in the body: the same question has the same bytes, however they came about.
        response.headers_mut().insert(SERVED, HeaderValue::from_static(reads.served().name()));
        return Ok(response);
    }
    let (sender, receiver) = channel(8);
    tokio::spawn(async move { stream(&state, asker, query, context, &sender).await });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response())
}

/// `Cache-Control: no-cache` asks for an answer that is computed now (RFC 9111, 5.2.1.4).
fn wants_fresh(headers: &HeaderMap) -> bool {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    directives.flat_map(|value| value.split(',')).any(|d| d.trim().eq_ignore_ascii_case("no-cache"))
}

/// The answer; the last one, marked stale, if the catalog does not answer.
async fn result(
    state: &ApiState,
    asker: Asker,
    query: Value,
    context: QueryContext,
) -> Result<Value, ApiError> {
    let (id, asked) = (asker.project, query.clone());
    match analyse(state, asker, context, move |q, context| q.run(id, &query, context)).await {
        Ok(answer) => match (state.parts.catalog_lost)() {
            // What an open handle still gives is right as of then, and nothing newer will come.
            Some(since) => Ok(stale::marked(answer, since)),
            None => {
                state.last_answers.keep(id, &asked, &answer);
                Ok(answer)
            }
        },
        // Only a catalog that is gone: who asked for too much is told so.
        Err(error) => {
            let lost =
                (state.parts.catalog_lost)().is_some() || state.parts.catalog.latest_seq().await.is_err();
            if lost { state.last_answers.get(id, &asked).ok_or(error) } else { Err(error) }
        }
    }
}

async fn stream(
    state: &ApiState,
    asker: Asker,
    query: Value,
    context: QueryContext,
    out: &Sender<Result<Event, Infallible>>,
) {
    let progress = context.progress.clone();
    let running = result(state, asker, query, context);
    tokio::pin!(running);
    let mut ticks = interval(PROGRESS_INTERVAL);
    let last = loop {
        tokio::select! {
            result = &mut running => break match result {
                Ok(value) => message("result", &value),
                Err(error) => message("error", &error.body()),
            },
            // Dropping `running` cancels the query.
            () = out.closed() => return,
            _ = ticks.tick() => {
                let _ = out.send(Ok(message("progress", &json!(progress.read())))).await;
            }
        }
    };
    let _ = out.send(Ok(last)).await;
}

fn message(kind: &str, data: &Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
