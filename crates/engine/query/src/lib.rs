//! The event scan over a snapshot: pruning, identity overlay, property timelines, vectorised predicates on
//! Arrow arrays, the parallel executor and its budget.
//!
//! Guarantees: a snapshot pins one commit sequence for segments, identity and property timelines together (I7);
//! limits end a query with a typed error; nothing here writes.
//! Deliberately not here: what charts mean (`insights`), SQL (`sql`), the log.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod calendar;
mod cohorts;
mod completeness;
mod context;
mod error;
mod filter;
mod folding;
mod follower;
mod hidden;
mod interner;
mod person_property;
mod property_op;
mod reads;
mod rows;
mod scan;
mod selector;
mod snapshot;
mod source;
mod sql;
mod timeline;
mod values;
mod vocabulary;

pub use calendar::{BUCKETS_MAX, Buckets, Calendar, Range, Unit, WeekStart, parse_instant};
pub use cohorts::{Cohorts, Membership};
pub use completeness::{Completeness, Gap, RECENT_MS, Restated};
pub use context::{Budget, Cancel, Context, Progress, ProgressReading, Reservation};
pub use error::QueryError;
pub use folding::Folding;
pub use follower::StateFollower;
pub use hidden::Hidden;
pub use interner::Interner;
pub use person_property::PersonProperty;
pub use reads::{Evidence, ReadFiles, ReadReport, Reads, Served};
pub use rows::{FoundRow, Place, RowQuery, count_events, fresh, newest};
pub use scan::{Batch, Located, Prepared, RowText, SELECTORS_MAX, Scan, ScanPlan, fold_parallel};
pub use selector::{Actor, Names, Nth, Selector};
pub use snapshot::{ProjectInfo, SESSION_TIMEOUT, Snapshot, Source};
pub use source::{CatalogSource, Watermark};
pub use sql::{SQL_BYTES_MAX, Sql, SqlAnswer, SqlColumn, SqlProblem, SqlQuestion};
pub use timeline::{PropertyTimeline, properties_of_many};
pub use values::{SharedValues, ValueColumn, ValueRef};
pub use vocabulary::{Alternative, Vocabulary};

pub use tallymark_catalog::{Definition, DefinitionKind, Origin};
pub use tallymark_identity::Merge;
pub use tallymark_identity::{MergeKind, UNSEEN, View, person_key};
pub use tallymark_state::{Activity, ProjectStats, PropertyScope};
pub use tallymark_store::number_value as json_number;
