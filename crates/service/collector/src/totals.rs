//! What became of ingestion since this process started, for whoever watches over the control socket.

use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only grow.
#[derive(Default)]
pub(crate) struct Totals {
    requests: [AtomicU64; 5],
    accepted: AtomicU64,
}

const NAMES: [&str; 5] = ["total", "ok", "throttled", "other_4xx", "unavailable"];

impl Totals {
    /// Counts one answered request.
    pub fn answered(&self, status: StatusCode) {
        let class = match status.as_u16() {
            429 => 2,
            400..=499 => 3,
            500.. => 4,
            _ => 1,
        };
        for at in [0, class] {
            self.requests[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts events that are durable.
    pub fn accepted(&self, events: u64) {
        self.accepted.fetch_add(events, Ordering::Relaxed);
    }

    /// `requests` and `events` of `GET /pressure`, with what throttling refused and marked.
    pub fn describe(&self, (throttled, marked): (u64, u64)) -> (Value, Value) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = NAMES.iter().zip(&self.requests).map(|(name, n)| ((*name).to_owned(), json!(read(n))));
        let events = json!({"accepted": read(&self.accepted), "throttled": throttled, "marked": marked});
        (Value::Object(requests.collect()), events)
    }
}
