//! The control socket: how other processes of this machine reach the log's only writer.
//!
//! `POST /control` appends control records, `POST /throttle` replaces the throttle rules, `GET /throttle` and
//! `GET /pressure` tell how things are. HTTP over a Unix socket that only its owner can open.
//!
//! Guarantees: an answer 200 means durable; everything of one request is in one append; sizes are bounded; the
//! public port has none of these paths.
//! Deliberately not here: who may make a rule (`api`), what a rule does (`processor`).

use crate::route::Collector;
use crate::throttle::{RULES_BYTES_MAX, ReplaceError};
use crate::{reply, throttle_tasks};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tallymark_log::{Admission, AppendError};
use tallymark_model::{Control, Lane, Record, Shard};
use tokio::net::UnixListener;

const CONTROL_BYTES_MAX: usize = 16 << 20;
/// Most records of one request, over all shards.
const RECORDS_MAX: usize = 10_000;

/// Control records to append.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Each goes to every shard.
    #[serde(default)]
    everywhere: Vec<Control>,
    /// Each goes to one shard.
    #[serde(default)]
    at: Vec<At>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    shard: Shard,
    control: Control,
}

/// Listens at `path`; a socket that a killed process left behind is replaced.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh)?;
    // Nobody knows the name before the mode is right.
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

/// The routes of the socket.
pub(crate) fn router(collector: Arc<Collector>) -> Router {
    Router::new()
        .route("/control", post(append).layer(DefaultBodyLimit::max(CONTROL_BYTES_MAX)))
        .route(
            "/throttle",
            get(throttle).post(replace).layer(DefaultBodyLimit::max(RULES_BYTES_MAX as usize)),
        )
        .route("/pressure", get(pressure))
        .fallback(|| async {
            reply::error(
                StatusCode::NOT_FOUND,
                "TM0002",
                "there is nothing at this address",
                "See docs/throttling.md.",
            )
        })
        .method_not_allowed_fallback(|| async {
            let hint = "POST /control, GET and POST /throttle, GET /pressure.";
            reply::error(StatusCode::METHOD_NOT_ALLOWED, "TM0003", "this path takes another method", hint)
        })
        .with_state(collector)
}

type Body = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn append(State(collector): State<Arc<Collector>>, body: Body) -> Response {
    match appended(&collector, body).await {
        Ok(positions) => reply::json(StatusCode::OK, &json!({"positions": positions})),
        Err(response) => *response,
    }
}

async fn appended(collector: &Collector, body: Body) -> Result<Vec<String>, Box<Response>> {
    let body = whole(body)?;
    let request: Request = serde_json::from_slice(&body).map_err(|why| bad_body(&why.to_string()))?;
    let partitions = collector.log.partitions();
    let shards = Lane::ALL.len() * usize::from(partitions);
    let count = request.everywhere.len() * shards + request.at.len();
    if count == 0 {
        return Err(bad_body("there is nothing in 'everywhere' and 'at'"));
    }
    if count > RECORDS_MAX {
        return Err(too_large(&format!(
            "the request makes {count} records; at most {RECORDS_MAX} are allowed"
        )));
    }
    let records = records(request, partitions).map_err(|why| {
        let hint =
            "Name a shard that the log has; a redrive belongs to the shard of its position, and only there.";
        Box::new(reply::error(StatusCode::BAD_REQUEST, "TM0005", &why, hint))
    })?;
    let receipt = collector.log.append(records).await.map_err(|error| {
        tracing::warn!(%error, records = count, "the log refused control records");
        not_appended(&error)
    })?;
    tracing::info!(records = count, "control records are in the log");
    Ok(receipt.positions.iter().map(ToString::to_string).collect())
}

fn records(request: Request, partitions: u16) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for control in request.everywhere {
        if matches!(control, Control::Redrive(_)) {
            return Err("a redrive belongs in 'at'".to_owned());
        }
        for lane in Lane::ALL {
            let shards = (0..partitions).map(|partition| Shard { lane, partition });
            records.extend(shards.map(|shard| Record::Control { shard, control: control.clone() }));
        }
    }
    for At { shard, control } in request.at {
        if shard.partition >= partitions {
            return Err(format!("the log has no shard {shard}"));
        }
        if let Control::Redrive(redrive) = &control
            && redrive.position.shard() != shard
        {
            return Err(format!("a redrive of {} does not belong to {shard}", redrive.position));
        }
        records.push(Record::Control { shard, control });
    }
    Ok(records)
}

async fn replace(State(collector): State<Arc<Collector>>, body: Body) -> Response {
    let body = match whole(body) {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let replaced = throttle_tasks::replace(&collector, body).await;
    match replaced {
        Ok(()) => reply::json(StatusCode::OK, &collector.throttle.describe(collector.clock.now())),
        Err(ReplaceError::Rules(why)) => *bad_body(&why.to_string()),
        Err(why @ ReplaceError::NoFile) => {
            reply::error(StatusCode::NOT_FOUND, "TM0002", &why.to_string(), "Start the collector with one.")
        }
        Err(why @ ReplaceError::Io(_)) => {
            let hint = "Nothing changed. Look at the data folder's disk and permissions.";
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "TM0001", &why.to_string(), hint)
        }
    }
}

async fn throttle(State(collector): State<Arc<Collector>>) -> Response {
    reply::json(StatusCode::OK, &collector.throttle.describe(collector.clock.now()))
}

async fn pressure(State(collector): State<Arc<Collector>>) -> Response {
    let pressure = collector.log.pressure();
    let admission = match pressure.admission {
        Admission::Open => "open",
        Admission::Busy => "busy",
        Admission::Full => "full",
        Admission::Closed => "closed",
    };
    let [inflight, requests_max, buffered, buffered_max] = collector.admission.usage();
    let (requests, events) = collector.totals.describe(collector.throttle.totals());
    let body = json!({
        "admission": admission,
        "queued_bytes": pressure.queued_bytes, "queued_bytes_max": pressure.queued_bytes_max,
        "disk_free_bytes": pressure.disk_free_bytes,
        "log": collector.log.id().to_string(), "partitions": collector.log.partitions(),
        "requests_inflight": inflight, "requests_max": requests_max,
        "buffered_bytes": buffered, "buffered_bytes_max": buffered_max,
        "requests": requests, "events": events,
        "received_through": collector.in_flight.through(&collector.clock),
        "throttle_problem": collector.throttle.problem(),
    });
    reply::json(StatusCode::OK, &body)
}

fn whole(body: Body) -> Result<Bytes, Box<Response>> {
    body.map_err(|why| match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large("the body is too large"),
        _ => bad_body(&why.body_text()),
    })
}

fn bad_body(why: &str) -> Box<Response> {
    let hint = "Nothing was changed. Correct the named place and send again.";
    Box::new(reply::error(StatusCode::BAD_REQUEST, "TM0004", why, hint))
}

fn too_large(why: &str) -> Box<Response> {
    Box::new(reply::error(StatusCode::PAYLOAD_TOO_LARGE, "TM0006", why, "Split the request."))
}

fn not_appended(error: &AppendError) -> Box<Response> {
    let (status, code, hint) = match error {
        AppendError::TooLarge { .. } => return too_large(&error.to_string()),
        AppendError::Poisoned { .. } => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "TM0113",
            "The records may or may not be stored. Send them again when the collector is back: they apply once.",
        ),
        AppendError::Full { .. } | AppendError::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "TM0112", "Send the records again later: they apply once.")
        }
    };
    let mut response = reply::error(status, code, &error.to_string(), hint);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    Box::new(response)
}
