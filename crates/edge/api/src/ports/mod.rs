//! What the API needs from others, as small traits; the server connects them.
//!
//! Guarantees: everything a handler can do to the instance is visible here and in `state`.
//! Deliberately not here: implementations, except that of the query engine's own façade.

mod components;
mod control;
mod keepsake;
mod log;
mod outcomes;
mod questions;
mod watch;

pub use components::{Component, ComponentStatus, Components};
pub use control::{ControlDoor, ControlOrder, HeldBack, InForce, RuleInForce};
pub use keepsake::Keepsake;
pub use log::{Backlog, BacklogReading, RecordHead, Records, SenderRow, Senders, ShardBounds};
pub use outcomes::{DeadLetter, DeadPage, Outcomes, Verdict};
pub use questions::Questions;
pub use watch::{
    AffectedBody, AlertBody, CareBody, DeliveryBody, EstimateBody, FailedObjectBody, FileSourceBody,
    FindingBody, Maintenance, MaintenanceBody, SourceBody, SourcesReading, StatusDocument, Watch,
};

use tallymark_catalog::{
    Accounts, Cohorts, Definitions, Instance, Jobs, Rules, Settings, Snapshots, Tombstones,
};

/// The part of the catalog that the web may use: no commits, no leases, no deletions of files.
pub trait Catalog:
    Snapshots + Settings + Accounts + Jobs + Rules + Definitions + Cohorts + Instance + Tombstones
{
}

impl<T: Snapshots + Settings + Accounts + Jobs + Rules + Definitions + Cohorts + Instance + Tombstones>
    Catalog for T
{
}

/// Why a port could not answer; shown to operators, not to callers.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {detail}")]
pub struct PortError {
    /// What was attempted.
    pub what: &'static str,
    /// What went wrong.
    pub detail: String,
}
