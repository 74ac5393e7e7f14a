//! The scan: segments and row groups that can matter, columns that are needed, rows that are meant.
//!
//! Guarantees: a row reaches the operator exactly once, with the selectors it matches, its person by the
//! snapshot's identity, and the values asked for; row groups are visited by several threads, about in order of time,
//! but operators must not depend on it; cancellation and limits are looked at before every row group.

mod choose;
mod codes;
mod late;
mod loaded;
mod located;
mod nth;
mod open;
mod persons;
mod run;
mod threads;

pub use located::{Located, RowText};
pub(crate) use persons::Persons;
pub use threads::fold_parallel;

use crate::interner::Interner;
use crate::timeline::GroupTimeline;
use crate::{
    Actor, Buckets, Context, Folding, Membership, PropertyTimeline, QueryError, Selector, Snapshot,
    ValueColumn,
};
use arrow::array::{AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use codes::Codes;
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};
use tallymark_model::Millis;
use tallymark_predicate::{Expr, PropertyRef};
use tallymark_store::{SegmentReader, StoreError};

/// Most selectors of one scan: they are bits of a word.
pub const SELECTORS_MAX: usize = 32;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// A row is wanted if it matches any of these; at most [`SELECTORS_MAX`].
    pub selectors: Vec<Selector>,
    /// A condition on all rows.
    pub filter: Option<Expr>,
    /// First instant.
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
    /// Only files with rows that were received at this instant or later. Rows received before may be among them.
    pub received_from: Option<Millis>,
    /// Values wanted of every row.
    pub columns: Vec<PropertyRef>,
    /// Whether the place in the log is wanted.
    pub order: bool,
    /// Whether the event's name is wanted, as a code of [`Prepared::event_names`].
    pub named: bool,
    /// Whether the session id that the SDK sent is wanted, as a code.
    pub sessions: bool,
    /// Whether the places of the rows are wanted, so that more can be read of them.
    pub located: bool,
    /// Whose rows they are.
    pub actor: Actor,
    /// If actors go by the text of a value: which; `nth` of selectors counts by it. Batches leave it to their
    /// reader, who asks for it as a column.
    pub actor_text: Option<PropertyRef>,
    /// Empty text is a value like others, where values are read.
    pub empty_is_value: bool,
    /// How properties of persons are folded.
    pub folding: Folding,
    /// What "latest" means for `person` properties, and the end of time for `user` properties.
    pub as_of: Millis,
    /// If only the stretch of time in which a row lies matters: the stretches. Rows of a row group that lies inside
    /// one of them may then come with any instant of it as their time, which saves reading times.
    pub stretches: Option<Buckets>,
    /// Per selector `[from, to)` outside of which its rows do not matter, though they may come along; may be
    /// shorter than the selectors, whose other rows all matter.
    pub spans: Vec<(Millis, Millis)>,
}

/// Rows of one row group that match at least one selector.
#[derive(Debug)]
pub struct Batch {
    /// Bit `i`: matches selector `i`; never 0.
    pub masks: Vec<u32>,
    /// An instant that stands for the times of all rows; only with [`Scan::stretches`].
    pub instant: Option<Millis>,
    /// Event times.
    pub times: ScalarBuffer<i64>,
    /// Actors; 0 = nobody.
    pub actors: Vec<u32>,
    /// Receive times, if the order was asked for, else empty.
    pub received: ScalarBuffer<i64>,
    /// Packed positions, if the order was asked for, else empty.
    pub positions: ScalarBuffer<u64>,
    /// Codes of event names from 1 (see [`Prepared::event_names`]), if they were asked for, else empty.
    pub names: Vec<u32>,
    /// Codes of session ids from 1, if they were asked for, else empty; 0 = no id was sent,
    /// [`Batch::OUT_OF_SESSION`] = the SDK says that it belongs to none.
    pub sessions: Vec<u64>,
    /// The values asked for, in that order.
    pub columns: Vec<ValueColumn>,
    /// Where the rows are, if that was asked for.
    pub located: Option<Located>,
}

impl Batch {
    /// The code of the session id `-1`: an event outside of any session.
    pub const OUT_OF_SESSION: u64 = u64::MAX;

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.masks.len()
    }
    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty()
    }
}

/// Figures about a scan, without running it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ScanPlan {
    /// Live event segments of the project.
    pub segments: usize,
    /// Those that can hold wanted rows.
    pub segments_read: usize,
    /// Those that were not opened: no row of theirs lies in the time.
    pub segments_out_of_time: usize,
    /// Those that were not opened: all of their rows were received before.
    pub segments_received_before: usize,
    /// Row groups of all event segments that were opened.
    pub row_groups: usize,
    /// Row groups that can hold wanted rows.
    pub row_groups_read: usize,
    /// Those of which no row lies in the time.
    pub row_groups_out_of_time: usize,
    /// Those that lie in the time and hold other events.
    pub row_groups_of_others: usize,
    /// Rows of these row groups.
    pub rows: u64,
    /// Bytes of the columns to read.
    pub bytes: u64,
    /// Columns read in at least one file.
    pub columns: Vec<String>,
}

struct Task {
    reader: SegmentReader,
    group: usize,
}

/// A scan ready to run: segments chosen, timelines loaded.
pub struct Prepared<'a> {
    scan: &'a Scan,
    snapshot: &'a Snapshot,
    context: &'a Context,
    tasks: Vec<Task>,
    plan: ScanPlan,
    /// By property, and whether persons are those of the time of processing.
    timelines: FxHashMap<(String, bool), PropertyTimeline>,
    /// By group type and property.
    of_groups: FxHashMap<(String, String), GroupTimeline>,
    /// Cohorts that conditions ask for, by their text and whether as of each event.
    members: FxHashMap<(String, bool), Arc<dyn Membership>>,
    names: Interner,
    codes: Codes,
    /// Rows of selectors with `nth`, once the scan runs.
    nth: OnceLock<Option<nth::Found>>,
}

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &RecordBatch,
    nth: usize,
) -> Result<ScalarBuffer<T::Native>, QueryError> {
    Ok(batch.column(nth).as_primitive_opt::<T>().ok_or_else(mistyped)?.values().clone())
}

pub(crate) fn mistyped() -> QueryError {
    QueryError::damaged("a segment", "a column has an unexpected type")
}

pub(crate) fn storage(error: StoreError) -> QueryError {
    // A missing file was merged away meanwhile; a newer snapshot does not need it.
    let retryable = error.retryable() || matches!(error, StoreError::NotFound { .. });
    QueryError::Storage { what: "reading a segment", retryable, detail: error.to_string() }
}
