//! Is this process alive, and can it take events.

use crate::proxy;
use crate::reply;
use crate::route::Collector;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use tallymark_log::Admission;

/// Alive: it answers.
pub(crate) fn live() -> Response {
    reply::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// Ready: the log takes records. The other parts are told, but do not matter for taking events.
pub(crate) async fn ready(collector: &Collector) -> Response {
    let pressure = collector.log.pressure();
    let (ready, admission) = match pressure.admission {
        Admission::Open => (true, "open"),
        Admission::Busy => (false, "busy"),
        Admission::Full => (false, "full"),
        Admission::Closed => (false, "closed"),
    };
    let web = match &collector.proxy {
        Some(proxy) => up(proxy.is_up().await),
        None => "unknown",
    };
    let process = match &collector.config.process_socket {
        Some(socket) => up(proxy::listens(socket).await),
        None => "unknown",
    };
    let body = json!({
        "ready": ready,
        "log": {
            "id": collector.log.id().to_string(),
            "partitions": collector.log.partitions(),
            "admission": admission,
            "queued_bytes": pressure.queued_bytes,
            "queued_bytes_max": pressure.queued_bytes_max,
            "disk_free_bytes": pressure.disk_free_bytes,
        },
        "web": web,
        "process": process,
    });
    reply::json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

fn up(is_up: bool) -> &'static str {
    if is_up { "up" } else { "down" }
}
