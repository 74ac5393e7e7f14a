//! From the log to what queries see: outcomes, segments, delta, commit.
//!
//! ```text
//!  intake (live lane first)   group                     committer
//!  read ─▶ decode (threads) ─▶ up to 1 s or N events ─▶ decide ─▶ segments ─▶ delta ─▶ catalog.commit ─▶ state.apply
//!   ▲                                                                                     │ Behind, Gap: back to the cursors
//!   └─────────────────────────────────────────────────────────────────────────────────────┘ Fenced: stop
//! ```
//! Guarantees:
//! * Every position ends in exactly one outcome, booked in the same transaction that makes its row visible (I2-I6).
//! * Commit first, then apply the committed delta; a group is decided and committed whole (`tests/dedup_model.rs`
//!   shows why both matter). What a crash interrupts is forgotten and decided again.
//! * A record that cannot be decoded, or whose rows cannot be written, is a dead letter with its bytes; its
//!   neighbours are kept and the partition moves on.
//! * Memory is bounded while catalog or object store are down; nothing is skipped, freshness lags.
//!
//! * Jobs (skip, replay, reprocess, rebuild) are chunks between live groups, by the same committer; live goes first.
//!   What of a job is done is read from the books, so it may be killed anywhere.
//! * A shard that stands before a gap an operator has to decide about waits alone.
//!
//! Outcomes are a function of the log and committed state (I12), with one exception that is configuration: which
//! project owns a token is read from the catalog's settings. Rules, erasures and mended dead letters come through the
//! log as control records and count from their own positions on.
//!
//! Tests only: `TALLYMARK_FAILPOINT=replay_after_commit:2` aborts the process at a step ([`Step`]);
//! `TALLYMARK_TEST_SKIP=live/0:5000` makes it pass records by and lie about it, once, for drills of the auditor.
//!
//! Deliberately not here: HTTP, queries, merging segments, trimming the log.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod committer;
mod config;
mod deltas;
mod error;
mod failpoint;
mod group;
mod intake;
mod jobs;
mod land;
mod lease;
mod persist;
mod projects;
mod recovery;
mod redrive;
mod restate;
mod rows;
mod run;
mod sights;
mod source;
pub mod steps;
mod telemetry;
mod write;

pub use config::{OnGap, ProcessorConfig};
pub use error::ProcessorError;
pub use failpoint::{EnvFailpoint, Failpoint, NoFailpoint, Place, Step, Verb};
pub use projects::{ProjectTable, Projects};
pub use recovery::catch_up;
pub use run::{Catalog, Deps, run};
pub use sights::find_sights;
