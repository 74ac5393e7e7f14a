//! REST resources, OpenAPI document, authentication, live tail, and the web app's files.
//!
//! Guarantees: every route stands in one table with the action it performs, and passes one guard that decides by
//! (principal, project, action) before a handler runs; a handler gets its project from the guard, never from the
//! path; every error has a documented code. Nothing here can commit or delete: the catalog's traits for that are
//! not among those the state holds.
//! Deliberately not here: ingestion (the collector), what queries mean (`insights`), opening backends (`server`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access;
mod admission;
mod asking;
pub mod codes;
mod csv;
mod docs;
mod environment;
mod error;
mod extract;
mod handlers;
mod headers;
mod limits;
mod mending;
mod openapi;
mod ports;
mod router;
mod routes;
mod schemas;
mod stale;
mod state;
mod static_files;
mod telemetry;
mod time;

pub use access::Action;
pub use error::ApiError;
pub use openapi::document as openapi_document;
pub use ports::{
    AffectedBody, AlertBody, Backlog, BacklogReading, CareBody, Catalog, Component, ComponentStatus,
    Components, ControlDoor, ControlOrder, DeadLetter, DeadPage, DeliveryBody, EstimateBody,
    FailedObjectBody, FileSourceBody, FindingBody, HeldBack, InForce, Keepsake, Maintenance, MaintenanceBody,
    Outcomes, PortError, Questions, RecordHead, Records, RuleInForce, SenderRow, Senders, ShardBounds,
    SourceBody, SourcesReading, StatusDocument, Verdict, Watch,
};
pub use router::router;
pub use routes::{RouteInfo, route_table};
pub use state::{ApiParts, ApiState, Limits};
pub use telemetry::describe_metrics;

/// The project of the product's own test events. Nobody sees it in lists; its books are kept like all others.
pub const CANARY_PROJECT: &str = "$canary";

/// Header in which the collector, which owns the public port, names the address of the client. The web process
/// listens on a Unix socket that only the collector reaches, so nobody else can set it.
pub const PEER_HEADER: &str = "x-tallymark-peer";
