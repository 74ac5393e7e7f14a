//! What the API measures, by name, in one place.
//!
//! Guarantees: labels come from the route table and the status class only, so their number is bounded and no id
//! or key can become one.
//! Deliberately not here: the recorder and the page (`server`).

use crate::RouteInfo;
use http::StatusCode;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use std::time::Duration;

const REQUESTS: &str = "tallymark_api_requests_total";
const SECONDS: &str = "tallymark_api_request_seconds";

/// Tells the metrics recorder what each name means.
pub fn describe_metrics() {
    describe_counter!(REQUESTS, "Requests answered, by method, route and status class.");
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time from a request's head to the head of its answer, by route."
    );
}

/// Counts an answer.
pub(crate) fn answered(route: RouteInfo, status: StatusCode, took: Duration) {
    let class = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS, "method" => route.method, "route" => route.path, "status" => class).increment(1);
    histogram!(SECONDS, "route" => route.path).record(took.as_secs_f64());
}
