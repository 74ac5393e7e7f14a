//! HTTP in: takes events in every protocol of `tallymark-wire`, and answers only when the log has them safe.
//!
//! This process owns the public port. It serves ingestion by itself and passes every other path to the web
//! process over a Unix socket; when that one is down, ingestion goes on and the others get a clear 503.
//! It is the log's only writer: other processes hand in control records over its control socket. It throttles by
//! itself, from two small files, so that abuse is kept out while everything else is down.
//!
//! Guarantees: a success answer means every event it counts is durable in the log (I1); a refusal means none of
//! the request was taken, in the words of the vendor's protocol; memory and time per request are bounded.
//! Deliberately not here: projects and keys (any well-formed key is accepted, the processor resolves it), what
//! events mean, and every store but the log.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod admission;
mod answers;
mod body;
mod clock;
mod config;
mod connection;
mod control;
mod cors;
mod forwarded;
mod health;
mod in_flight;
mod ingest;
mod names;
mod order;
mod prefix;
mod proxy;
mod receipt;
mod refused;
mod reply;
mod route;
mod serve;
mod throttle;
mod throttle_tasks;
mod totals;
mod visibility;

pub use config::CollectorConfig;
pub use names::describe_metrics;
pub use prefix::PathPrefix;
pub use receipt::{ReceiptError, decode_receipt, encode_receipt};
pub use route::{Collector, router};
pub use serve::{serve, serve_collector};
pub use visibility::VisibilityProbe;
