//! Vacuum: files of buckets and folders become events, each file exactly once.
//!
//! ```text
//! list ──▶ what the record does not know ──▶ read, unpack, map (a thread per object) ──▶ door ──▶ record
//! ```
//! **Identity.** An object is (project, where it lies, version). Where: `s3://BUCKET/KEY` or `file:PATH`, so two
//! sources that overlap, or one that is renamed, never take an object twice. Version: the ETag, or the SHA-256 of a
//! local file. A known object with another version is *reported as changed* and not taken, until somebody accepts it.
//!
//! **Exactly once.** Rows go in through the collector's native endpoint, bulk lane. A row without an insert id gets
//! `sha256(where, version, row number)`, so sending it again adds nothing. The [`record`] is a file of its own in the
//! data folder, appended to and fsynced *after* the collector has answered that rows are durable, never before: it may
//! only say less than the log. What a crash leaves between the two (at most the batches in flight) is sent again under
//! the same ids and counted as duplicates. The log forgets fingerprints after 30 days, the record never does; so an
//! object taken years ago is not read again. The one window that is left: a crash in between, and no start for 30 days.
//!
//! **A backup** copies the record before the log, so a restored record says less than the restored log, too.
//!
//! **Lineage.** Every row carries the properties `$source`, `$source_object` and `$source_row` (the line of a text
//! file, the row of a Parquet file), and is found by them like by any other property.
//!
//! Guarantees: a bad row never stops its object, a bad object never stops its source, a source never stops the others;
//! reading is bounded in memory whatever a file holds; overload is waited for, however long it takes.
//! Deliberately not here: processes (`server`), printing (`cli`), credentials (the environment's `AWS_*`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod check;
mod convert;
mod door;
mod error;
mod failpoint;
mod formats;
mod place;
mod plan;
mod progress;
pub mod record;
mod rejects;
mod round;
pub mod rows;
mod sources;
mod take;

pub use convert::{Format, Lineage};
pub use door::{Answer, Door, DoorError, Entrance, HttpDoor, Refused};
pub use error::VacuumError;
pub use failpoint::{CrashAt, EnvFailpoint, Failpoint, NoFailpoint, Step};
pub use place::{Listed, Place};
pub use plan::{Plan, PlanOptions, Seen, plan};
pub use progress::{Board, SourceProgress, read_board};
pub use record::{Entry, Record, State};
pub use rejects::{Reject, read_rejects};
pub use round::{Context, Report, accept, round};
pub use sources::{Source, Sources};
