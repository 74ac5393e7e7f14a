//! Segment files out.
//!
//! A segment is a Parquet file with two additions, which other readers ignore:
//!
//! ```text
//!  "PAR1" | column chunks of all row groups | occupants | page checks | page indexes | check (16 bytes) | footer | length | "PAR1"
//!  check  = "TMK1" | crc32c(page indexes) | crc32c(footer) | length of the page indexes, all little-endian u32
//!  footer : key `tallymark.segment` = SegmentMeta as JSON (bytes = 0)
//!           key `tallymark.index`   = version, log, columns, row groups, one crc32c per column chunk, blocks of occupants,
//!                                     place of the page checks
//! ```
//!
//! Guarantees: every byte of the file is covered by a checksum; the file alone says which rows of which intervals
//! it holds, so the catalog can be rebuilt and verified from files.

pub(crate) mod index;
pub mod layout;
pub(crate) mod occupants;
pub(crate) mod pages;
pub(crate) mod segment;

use crate::columns::event::EventColumns;
use crate::columns::text::Interner;
use crate::columns::{PROPERTY_COLUMNS, dictionary};
use crate::object::ObjectStore;
use crate::row::{RowSpan, SourceTally};
use crate::{EventRow, PropertyRow, Result, SegmentSpec, StoreError};
use arrow::array::{ArrayRef, Int64Array, UInt8Array, UInt32Array, UInt64Array};
use bytes::Bytes;
pub use index::RowGroup;
use ledger::{SegmentKind, SegmentMeta};
pub use segment::{EncodedColumn, assemble};
use std::ops::Range;
use std::sync::Arc;
use tallymark_ledger as ledger;

/// A complete file in memory, not stored yet.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What it holds, with its size.
    pub meta: SegmentMeta,
    /// The file.
    pub bytes: Bytes,
}

impl Encoded {
    /// Stores the file under its key. When this returns, the file survives power loss.
    pub async fn store(self, store: &ObjectStore) -> Result<SegmentMeta> {
        store.put(&self.meta.key, self.bytes).await?;
        Ok(self.meta)
    }
}

/// Encodes and stores an events segment, in the order of the rows (level 2: sorted by event name first).
/// Encoding runs on a blocking thread.
pub async fn write_events(
    store: &ObjectStore,
    rows: Vec<EventRow>,
    spec: SegmentSpec,
) -> Result<SegmentMeta> {
    encode_aside(spec.key(), move || encode_events(&rows, &spec)).await?.store(store).await
}

/// Encodes and stores a properties segment, in the order of the rows (level 2: sorted by name first).
/// Encoding runs on a blocking thread.
pub async fn write_properties(
    store: &ObjectStore,
    rows: Vec<PropertyRow>,
    spec: SegmentSpec,
) -> Result<SegmentMeta> {
    encode_aside(spec.key(), move || encode_properties(&rows, &spec)).await?.store(store).await
}

async fn encode_aside(
    key: String,
    work: impl FnOnce() -> Result<Encoded> + Send + 'static,
) -> Result<Encoded> {
    match tokio::task::spawn_blocking(work).await {
        Ok(encoded) => encoded,
        Err(panic) => Err(StoreError::encode(&key, panic)),
    }
}

/// Encodes an events segment.
pub fn encode_events(rows: &[EventRow], spec: &SegmentSpec) -> Result<Encoded> {
    let sources = tally(rows.iter().map(|r| r.position), spec)?;
    let meta =
        spec.meta(SegmentKind::Events, RowSpan::of(rows.iter().map(|r| (r.time, r.received_at))), sources);
    let (columns, overflow) = EventColumns::build(rows).finish();
    let layout = columns.layout();
    let cuts = cuts(spec, &columns.event_keys, layout.len());
    let group = |range: &Range<usize>| {
        let names =
            columns.event_keys[range.clone()].iter().map(|&k| columns.event_words[k as usize].as_str());
        RowGroup::of(names, &columns.subjects[range.clone()], &columns.times[range.clone()])
    };
    let groups = cuts.iter().map(group).collect();
    let encoded: Result<Vec<_>> = layout
        .into_iter()
        .enumerate()
        .map(|(nth, column)| {
            let values = columns.column(nth).map_err(|e| StoreError::encode(&meta.key, e))?;
            EncodedColumn::encode(column, cuts.len(), |at| {
                values.array(cuts[at].clone()).map_err(|e| StoreError::encode(&meta.key, e))
            })
        })
        .collect();
    let subjects: Vec<Vec<u32>> = cuts.iter().map(|c| columns.subjects[c.clone()].to_vec()).collect();
    assemble(meta, spec.log, groups, encoded?, Some(overflow), Some(&subjects))
}

/// Encodes a properties segment.
pub fn encode_properties(rows: &[PropertyRow], spec: &SegmentSpec) -> Result<Encoded> {
    let sources = tally(rows.iter().map(|r| r.position), spec)?;
    let meta = spec.meta(
        SegmentKind::Properties,
        RowSpan::of(rows.iter().map(|r| (r.time, r.received_at))),
        sources,
    );
    let (mut names, mut values) = (Interner::default(), Interner::default());
    let keys: Vec<u32> = rows.iter().map(|r| names.intern(&r.name)).collect();
    let value_keys: Vec<u32> = rows.iter().map(|r| values.intern(&r.value_json)).collect();
    let (names, values) = (names.words(), values.words());
    let subjects: Vec<u32> = rows.iter().map(|r| r.subject.0).collect();
    let times: Vec<i64> = rows.iter().map(|r| r.time).collect();
    let cuts = cuts(spec, &keys, PROPERTY_COLUMNS.len());

    let group = |range: &Range<usize>| {
        let group_names = keys[range.clone()].iter().map(|&k| names[k as usize].as_str());
        RowGroup::of(group_names, &subjects[range.clone()], &times[range.clone()])
    };
    let array = |nth: usize, range: Range<usize>| -> Result<ArrayRef, String> {
        let some = &rows[range.clone()];
        Ok(match nth {
            0 => dictionary(keys[range].iter().map(|&k| k as i32).collect(), &names)?,
            1 => Arc::new(UInt32Array::from(subjects[range].to_vec())),
            2 => Arc::new(Int64Array::from(times[range].to_vec())),
            3 => Arc::new(Int64Array::from_iter_values(some.iter().map(|r| r.received_at))),
            4 => Arc::new(UInt64Array::from_iter_values(some.iter().map(|r| r.position.pack()))),
            5 => Arc::new(UInt32Array::from_iter_values(some.iter().map(|r| r.index))),
            6 => Arc::new(UInt8Array::from_iter_values(some.iter().map(|r| r.op as u8))),
            _ => dictionary(value_keys[range].iter().map(|&k| k as i32).collect(), &values)?,
        })
    };
    let groups = cuts.iter().map(group).collect();
    let encoded: Result<Vec<_>> = PROPERTY_COLUMNS
        .into_iter()
        .enumerate()
        .map(|(nth, column)| {
            EncodedColumn::encode(column, cuts.len(), |at| {
                array(nth, cuts[at].clone()).map_err(|e| StoreError::encode(&meta.key, e))
            })
        })
        .collect();
    assemble(meta, spec.log, groups, encoded?, Some(Default::default()), None)
}

fn tally(
    positions: impl Iterator<Item = tallymark_model::Position>,
    spec: &SegmentSpec,
) -> Result<Vec<ledger::Source>> {
    let mut tally = SourceTally::new(spec.log, &spec.sources);
    for position in positions {
        tally.add(position)?;
    }
    Ok(tally.finish())
}

/// Row groups: cut at names from level 2 on, by size below.
fn cuts(spec: &SegmentSpec, keys: &[u32], columns: usize) -> Vec<Range<usize>> {
    if spec.level < 2 {
        return layout::groups_by_size(keys.len());
    }
    let runs: Vec<usize> = keys.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    layout::groups_by_name(&runs, columns)
}
