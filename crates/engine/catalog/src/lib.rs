//! The only point of truth: what is committed, who may commit, which segments are live, who owns which key.
//!
//! Guarantees: a commit applies as a whole or not at all, by equality of every cursor it moves and of the
//! committer's epoch (I6); what it claims is proved by the `ledger` crate inside the transaction (I2-I4, I13);
//! rows grow with commits, segments and configuration, never with events or users (I11).
//! Deliberately not here: the log, segment files, state, passwords' arithmetic (the API hashes and verifies).
//!
//! One SQLite file holds it; processes of one host share it. Roles get only the traits they need:
//! [`sqlite::SqliteCatalog`] implements everything, [`sqlite::WebCatalog`] can neither commit nor delete.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod accounts;
mod cohorts;
mod commit;
mod definitions;
mod error;
mod jobs;
mod lease;
mod ports;
mod rules;
mod settings;
mod snapshot;
pub mod sqlite;

pub use accounts::{AuditEntry, NewUser, Session, SetupAnswer, User};
pub use cohorts::{CohortKind, MembershipInfo, NewCohort, StoredCohort};
pub use commit::{Advance, Commit, CommitAnswer, CommitRecord, LeftOut, Origin};
pub use definitions::{Definition, DefinitionKind};
pub use error::CatalogError;
pub use jobs::{Job, JobKind, JobProgress, JobState, JobWish, NewJob};
pub use lease::{Lease, LeaseAnswer, LeaseName};
pub use ports::{
    Accounts, Cohorts, Commits, Definitions, Feed, Garbage, Instance, Jobs, Leases, Rules, Settings,
    Snapshots, Tombstones,
};
pub use rules::{ErasureDocument, RuleDocument};
pub use settings::{
    CreatedKey, CreatedProject, KeyInfo, KeyKind, NewKey, NewProject, Project, Verified, WeekStart, token_of,
};
pub use snapshot::{Books, Cursor, LedgerRow, Mask, RestatedRow, Snapshot};
pub use tallymark_ledger::{SegmentKind, SegmentMeta, Source};
