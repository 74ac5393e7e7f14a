//! Who watches: monitors over facts, incidents, alerts, catch-up estimates and the status page.
//!
//! Guarantees: every monitor is a pure function over [`Facts`]; what it finds is kept in a database file of its own
//! (`watch.db`), so that the status page and the alerts work while everything else is down; nothing here changes
//! data of users, and no sentence about losses is made from anything but the ledger's numbers.
//! Deliberately not here: gathering facts (whoever implements [`FactSource`]), and repairing anything.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod alerts;
pub mod checks;
mod clock;
pub mod config;
mod error;
pub mod eta;
pub mod facts;
mod finding;
pub mod forecast;
mod incident;
pub mod outbound;
pub mod sources;
pub mod status;
pub mod store;
pub mod watch;

pub use checks::check;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::WatchConfig;
pub use error::MonitorError;
pub use facts::Facts;
pub use finding::{Affected, Component, Finding, Impact, Monitor, Severity};
pub use incident::{Incident, IncidentState, IncidentUpdate};
pub use store::WatchStore;
pub use watch::{FactSource, Watch, WatchDeps, run};
