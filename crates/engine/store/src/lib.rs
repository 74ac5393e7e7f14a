//! Segment files: write, read, footer, object keys.
//!
//! Guarantees: a stored object survives power loss (R2, R3); a segment file says by itself what it holds, every
//! byte of it is covered by a checksum, and damage is an error that names the file, never a wrong answer.
//! Deliberately not here: which segments are live (`catalog`), who a subject is (`identity`), merging (`compactor`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod columns;
mod error;
mod group;
mod object;
pub mod properties;
mod read;
mod row;
mod values;
mod verify;
mod write;

pub use columns::event::{MAX_GROUP_TYPES, MAX_PROPERTY_COLUMNS};
pub use columns::text::{Interner, Texts};
pub use columns::{Column, EVENT_COLUMNS, PROPERTY_COLUMNS, PropertyType};
pub use error::{Result, StoreError};
pub use group::{group_op, group_operand, group_row_name, group_rows};
pub use object::{Bucket, BucketObject, ObjectInfo, ObjectStore, PartError, open, open_with};
pub use read::SegmentReader;
pub use row::{EventRow, PropertyRow, RowSpan, SEGMENTS, SegmentSpec, SourceTally, segment_key};
pub use values::{json_value, number_value};
pub use verify::{Verified, verify_segment};
pub use write::layout::{MAX_GROUP_ROWS, OWN_GROUP_ROWS, groups_by_name, groups_by_size};
pub use write::{
    Encoded, EncodedColumn, RowGroup, assemble, encode_events, encode_properties, write_events,
    write_properties,
};
