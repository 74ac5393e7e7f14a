//! Events: list, CSV, live tail; and the schema made from them.
//!
//! Guarantees: the tail sends every event that becomes visible after it was opened, once, in log order; it ends
//! when the credential ends.
//! Deliberately not here: reading segments.

use super::limit;
use crate::access::Access;
use crate::asking::look_up;
use crate::extract::{Params, accepts};
use crate::schemas::{EventsBody, SchemaBody};
use crate::{ApiError, ApiState, codes, csv, time};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;
use std::convert::Infallible;
use std::time::Duration;
use tallymark_insights::EventsRequest;
use tallymark_model::ProjectId;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;

const TAIL_BATCH: usize = 500;
const CSV_COLUMNS: [&str; 11] = [
    "time",
    "event",
    "person",
    "user_id",
    "device_id",
    "session_id",
    "insert_id",
    "seq",
    "received_at",
    "properties",
    "groups",
];

/// Which events.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsParams {
    /// At most this many; 1 to 1,000, default 100.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Only this name, or a JSON list of names.
    event: Option<String>,
    /// Only this person: a person id, a user id or a device id.
    person: Option<String>,
    /// From this instant or local date on.
    from: Option<String>,
    /// Before this instant, or through this local date.
    to: Option<String>,
    /// For CSV: do not disarm cells that a spreadsheet would take for formulas.
    #[serde(default)]
    raw: bool,
}

/// Events, newest first. `Accept: text/csv` gives CSV, `Accept: text/event-stream` the live tail.
#[utoipa::path(get, path = "/api/v1/projects/{project}/events", tag = "data", params(EventsParams), responses(
    (status = 200, body = EventsBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
    headers: HeaderMap,
    Params(params): Params<EventsParams>,
) -> Result<Response, ApiError> {
    let names = names(params.event.as_deref())?;
    if accepts(&headers, "text/event-stream") {
        return tail(state, access, names, params.person);
    }
    let project = access.project()?;
    let request = EventsRequest {
        limit: limit(params.limit)?,
        cursor: params.cursor,
        events: names,
        person: params.person,
        from: time::from("from", params.from.as_deref(), &project.timezone)?,
        to: time::to("to", params.to.as_deref(), &project.timezone)?,
    };
    let id = project.id;
    let answer = look_up(&state, id, move |q, context| q.events(id, &request, context)).await?;
    if !accepts(&headers, "text/csv") {
        return Ok(Json(answer).into_response());
    }
    let items = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(csv_response("events.csv", csv::table(&CSV_COLUMNS, items, params.raw)))
}

/// Event and property names with types and volumes.
#[utoipa::path(get, path = "/api/v1/projects/{project}/schema", tag = "data", responses(
    (status = 200, body = SchemaBody)))]
pub(crate) async fn schema(State(state): State<ApiState>, access: Access) -> Result<Json<Value>, ApiError> {
    let id = access.project()?.id;
    Ok(Json(look_up(&state, id, move |q, context| q.schema(id, context)).await?))
}

/// A CSV download.
pub(crate) fn csv_response(name: &str, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)], text)
        .into_response()
}

/// One name as it is, or a JSON list of names.
fn names(text: Option<&str>) -> Result<Vec<String>, ApiError> {
    match text {
        None | Some("") => Ok(Vec::new()),
        Some(list) if list.starts_with('[') => serde_json::from_str(list)
            .map_err(|e| ApiError::parameter("event", format!("it is not a JSON list of names: {e}"))),
        Some(name) => Ok(vec![name.to_owned()]),
    }
}

fn tail(
    state: ApiState,
    access: Access,
    names: Vec<String>,
    person: Option<String>,
) -> Result<Response, ApiError> {
    let project = access.project()?.id;
    let place = state.tails.clone().try_acquire_owned().map_err(|_| {
        let wait = Duration::from_secs(10);
        ApiError::new(&codes::TAIL_LIMIT, "too many live streams are open").retry_after(wait)
    })?;
    let (sender, receiver) = channel(64);
    tokio::spawn(async move {
        let _place = place;
        let follower = Follower { state, access, project, names, person };
        if let Err(error) = follower.run(&sender).await {
            let _ = sender.send(Ok(message("error", &error.body()))).await;
        }
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("alive");
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response())
}

/// One open live tail.
struct Follower {
    state: ApiState,
    access: Access,
    project: ProjectId,
    names: Vec<String>,
    person: Option<String>,
}

impl Follower {
    /// Polls the newest commit, which is cheap, and reads only when there is one.
    async fn run(&self, out: &Sender<Result<Event, Infallible>>) -> Result<(), ApiError> {
        let limits = self.state.parts.limits.clone();
        let (_, mut at) = self.read(None).await?;
        // Tells the client that the tail stands: everything that becomes visible from now on will come.
        if out.send(Ok(Event::default().comment("following"))).await.is_err() {
            return Ok(());
        }
        let mut ticks = interval(limits.tail_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = out.closed() => return Ok(()),
            }
            if checked.elapsed() >= limits.recheck_interval {
                if !self.access.still_valid(&self.state).await {
                    return Err(ApiError::new(&codes::BAD_CREDENTIAL, "the credential is no longer valid"));
                }
                checked = Instant::now();
            }
            while self.state.parts.catalog.latest_seq().await?.0 > at {
                let (events, next) = self.read(Some(at)).await?;
                for event in events.iter().filter(|e| self.wants(e)) {
                    if out.send(Ok(message("event", event))).await.is_err() {
                        return Ok(());
                    }
                }
                if next <= at {
                    break;
                }
                at = next;
            }
        }
    }

    async fn read(&self, after: Option<u64>) -> Result<(Vec<Value>, u64), ApiError> {
        let project = self.project;
        look_up(&self.state, project, move |q, context| q.tail(project, after, TAIL_BATCH, context)).await
    }

    fn wants(&self, event: &Value) -> bool {
        let named = self.names.is_empty() || self.names.iter().any(|n| event["event"] == n.as_str());
        let of = |person: &str| ["person", "user_id", "device_id"].iter().any(|k| event[*k] == person);
        named && self.person.as_deref().is_none_or(of)
    }
}

fn message(kind: &str, data: &Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
