//! The collector over a real loopback socket, with a log in memory: every path, packing, limit and outage.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browsers;
mod connections;
mod control;
mod extras;
mod ingest;
mod overload;
mod packing;
mod partners;
mod proxying;
mod support;
mod throttling;
mod visible;
