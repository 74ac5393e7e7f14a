//! Names of the collector's metrics, in one place.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const REQUESTS: &str = "tallymark_collector_requests_total";
pub(crate) const EVENTS: &str = "tallymark_collector_events_total";
pub(crate) const REJECTED: &str = "tallymark_collector_events_rejected_total";
pub(crate) const REFUSED: &str = "tallymark_collector_refused_total";
pub(crate) const BODY_BYTES: &str = "tallymark_collector_body_bytes_total";
pub(crate) const REQUEST_SECONDS: &str = "tallymark_collector_request_seconds";
pub(crate) const APPEND_SECONDS: &str = "tallymark_collector_append_seconds";
pub(crate) const INFLIGHT: &str = "tallymark_collector_requests_inflight";
pub(crate) const INFLIGHT_MAX: &str = "tallymark_collector_requests_inflight_max";
pub(crate) const BUFFERED: &str = "tallymark_collector_buffered_bytes";
pub(crate) const BUFFERED_MAX: &str = "tallymark_collector_buffered_bytes_max";
pub(crate) const CONNECTIONS: &str = "tallymark_collector_connections";
pub(crate) const PROXIED: &str = "tallymark_collector_proxied_total";
pub(crate) const THROTTLED: &str = "tallymark_collector_throttled_events_total";
pub(crate) const THROTTLED_UNCOUNTED: &str = "tallymark_collector_throttled_uncounted_total";
pub(crate) const THROTTLE_ROWS: &str = "tallymark_collector_throttle_rows";
pub(crate) const THROTTLE_EVICTED: &str = "tallymark_collector_throttle_evicted_total";
pub(crate) const THROTTLE_RULES_STALE: &str = "tallymark_collector_throttle_rules_stale";
pub(crate) const REFUSED_UNCOUNTED: &str = "tallymark_collector_refused_uncounted_total";

/// Tells the metrics recorder what each name means.
pub fn describe_metrics() {
    describe_counter!(REQUESTS, "Ingestion requests, by protocol and status.");
    describe_counter!(EVENTS, "Events that are durable in the log and acknowledged, by lane.");
    describe_counter!(REJECTED, "Events rejected one by one in accepted native requests.");
    describe_counter!(REFUSED, "Ingestion requests that were refused as a whole, by reason.");
    describe_counter!(BODY_BYTES, Unit::Bytes, "Bytes of ingestion bodies after decompression.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time from a request's head to its answer.");
    describe_histogram!(APPEND_SECONDS, Unit::Seconds, "Time the log takes to make one request durable.");
    describe_gauge!(INFLIGHT, "Ingestion requests in work.");
    describe_gauge!(INFLIGHT_MAX, "At this many requests in work, more are refused.");
    describe_gauge!(BUFFERED, Unit::Bytes, "Bytes of bodies in memory.");
    describe_gauge!(BUFFERED_MAX, Unit::Bytes, "At this many bytes in memory, more are refused.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_counter!(PROXIED, "Requests passed to the web process, by status class.");
    describe_counter!(THROTTLED, "Events that throttling refused, or marked, by rule.");
    describe_counter!(THROTTLED_UNCOUNTED, "Throttled events that no longer fitted the table of counts.");
    describe_gauge!(THROTTLE_ROWS, "Senders that throttling counts exactly.");
    describe_counter!(THROTTLE_EVICTED, "Senders that made place for a heavier one.");
    describe_gauge!(
        THROTTLE_RULES_STALE,
        "1 while the rules file is broken or gone and an older copy is in force."
    );
    describe_counter!(
        REFUSED_UNCOUNTED,
        "Refused events that no longer fitted the table of counts per token."
    );
}
