//! The end of a segment file: checked, parsed, ready for reading columns.
//!
//! Guarantees: nothing of a footer is interpreted before its checksum holds, so damage is an error that names the
//! file, never a wrong answer.

use super::pages::Pages;
use crate::columns::{Column, PropertyType};
use crate::object::ObjectStore;
use crate::write::index::{
    Block, INDEX_KEY, INDEX_VERSION, Index, Occupants, PageChecks, RowGroup, SEGMENT_KEY,
};
use crate::write::occupants::groups_in;
use crate::write::segment::{CHECK_LEN, CHECK_MAGIC, TAIL_LEN};
use crate::{Result, StoreError};
use bytes::Bytes;
use ledger::SegmentMeta;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tallymark_ledger as ledger;
use tallymark_model::LogId;

/// Read at once from the end of a file; most footers fit.
const FIRST_READ: u64 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Footer {
    pub key: String,
    pub size: u64,
    pub meta: SegmentMeta,
    pub log: LogId,
    pub groups: Vec<RowGroup>,
    pub columns: Vec<Column>,
    pub place: FxHashMap<Column, usize>,
    pub properties: BTreeMap<Arc<str>, Vec<PropertyType>>,
    /// Properties that occur in `_overflow`; `None` = unknown.
    pub overflow: Option<BTreeSet<String>>,
    pub arrow: ArrowReaderMetadata,
    /// Where to look for the row groups of a subject.
    pub occupants: Option<Occupants>,
    /// Checksums of chunks, group by group.
    checks: Vec<u32>,
    /// Page indexes: where they are and their checksum.
    pub indexes: (Range<u64>, u32),
    /// Where the checksums of pages are, if there are any.
    pub page_checks: Option<PageChecks>,
    /// Read when first needed.
    pages: OnceLock<Arc<Pages>>,
}

impl Footer {
    /// The footer of a file, from the cache if it is there.
    pub fn load(store: &ObjectStore, key: &str) -> Result<Arc<Footer>> {
        if let Some(known) = store.footers().get(key) {
            return Ok(known);
        }
        let footer = Arc::new(Footer::read(store, key)?);
        store.footers().put(key, Arc::clone(&footer));
        Ok(footer)
    }

    /// The footer of a file, read now.
    pub fn read(store: &ObjectStore, key: &str) -> Result<Footer> {
        let size = store.size(key)?;
        if size < (CHECK_LEN + TAIL_LEN) as u64 {
            return Err(StoreError::corrupt(key, format!("{size} bytes are too few for a segment")));
        }
        let mut tail = read_tail(store, key, size, FIRST_READ)?;
        let needed =
            block_len(&tail).ok_or_else(|| StoreError::corrupt(key, "it does not end like a segment"))?;
        if needed > tail.len() as u64 {
            if needed > size {
                return Err(StoreError::corrupt(key, "its footer is longer than the file"));
            }
            tail = read_tail(store, key, size, needed)?;
        }
        let block = tail.slice(tail.len() - needed as usize..);
        parse(key, size, &block)
    }

    /// Byte range and checksum of a column chunk.
    pub fn chunk(&self, group: usize, column: usize) -> Option<(Range<u64>, u32)> {
        let chunk = self.parquet().row_groups().get(group)?.columns().get(column)?;
        let (from, len) = chunk.byte_range();
        let check = *self.checks.get(group * self.columns.len() + column)?;
        Some((from..from + len, check))
    }

    /// Where all pages are, with their checksums, to read single rows; `None` if the file has no such checksums.
    pub fn pages(&self, store: &ObjectStore) -> Result<Option<Arc<Pages>>> {
        let Some(place) = self.page_checks else { return Ok(None) };
        if let Some(known) = self.pages.get() {
            return Ok(Some(Arc::clone(known)));
        }
        let pages = Arc::new(Pages::read(store, self, place)?);
        Ok(Some(Arc::clone(self.pages.get_or_init(|| pages))))
    }

    /// The row groups in which any of these subjects (ascending) occurs; `None` if the file does not say.
    pub fn groups_of(&self, store: &ObjectStore, subjects: &[u32]) -> Result<Option<Vec<usize>>> {
        let Some(occupants) = &self.occupants else { return Ok(None) };
        let blocks = occupants.blocks_of(subjects);
        let ranges: Vec<Range<u64>> =
            blocks.iter().map(|(at, block, _)| *at..at + u64::from(block.1)).collect();
        let mut found = Vec::new();
        let parts = if ranges.is_empty() { Vec::new() } else { store.read_ranges(&self.key, &ranges)? };
        for ((_, block, wanted), bytes) in blocks.iter().zip(parts) {
            self.check_block(block, &bytes)?;
            for subject in wanted {
                groups_in(&bytes, block.0, *subject, &mut found)
                    .ok_or_else(|| StoreError::corrupt(&self.key, "its index of subjects is malformed"))?;
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.last().is_some_and(|last| *last >= self.groups.len()) {
            return Err(StoreError::corrupt(&self.key, "its index of subjects names row groups it lacks"));
        }
        Ok(Some(found))
    }

    /// Compares a block of the index of subjects with its checksum.
    pub fn check_block(&self, block: &Block, bytes: &[u8]) -> Result<()> {
        match crc32c::crc32c(bytes) == block.2 {
            true => Ok(()),
            false => {
                Err(StoreError::corrupt(&self.key, "the checksum of its index of subjects does not match"))
            }
        }
    }

    pub fn parquet(&self) -> &ParquetMetaData {
        self.arrow.metadata()
    }

    /// Estimate for the cache.
    pub fn memory_bytes(&self) -> usize {
        let names: usize =
            self.groups.iter().flat_map(|g| g.names.iter().flatten()).map(|n| n.len() + 24).sum();
        let overflow: usize = self.overflow.iter().flatten().map(|n| n.len() + 32).sum();
        let occupants = self.occupants.as_ref().map_or(0, |o| 12 * o.blocks.len());
        self.parquet().memory_size()
            + names
            + overflow
            + occupants
            + 4 * self.checks.len()
            + 200 * self.columns.len()
            + 1024
    }
}

fn read_tail(store: &ObjectStore, key: &str, size: u64, length: u64) -> Result<Bytes> {
    let mut parts = store.read_ranges(key, std::slice::from_ref(&(size.saturating_sub(length)..size)))?;
    parts.pop().ok_or_else(|| StoreError::corrupt(key, "no bytes"))
}

/// Length of check block, footer and tail together; `None` if these bytes are not the end of a segment.
fn block_len(tail: &[u8]) -> Option<u64> {
    let end = tail.len().checked_sub(TAIL_LEN)?;
    if &tail[end + 4..] != b"PAR1" {
        return None;
    }
    let footer = u32::from_le_bytes(tail[end..end + 4].try_into().ok()?);
    Some(u64::from(footer) + (CHECK_LEN + TAIL_LEN) as u64)
}

fn parse(key: &str, size: u64, block: &Bytes) -> Result<Footer> {
    let corrupt = |detail: &str| StoreError::corrupt(key, detail);
    let (check, footer) = block.split_at(CHECK_LEN);
    let word = |at: usize| u32::from_le_bytes([check[at], check[at + 1], check[at + 2], check[at + 3]]);
    if &check[..4] != CHECK_MAGIC || word(8) != crc32c::crc32c(footer) {
        return Err(corrupt("the checksum of its footer does not match"));
    }
    let before = size - block.len() as u64;
    let indexes =
        before.checked_sub(u64::from(word(12))).ok_or_else(|| corrupt("its page index lies outside"))?;
    let thrift = &footer[..footer.len() - TAIL_LEN];
    let parquet = ParquetMetaDataReader::decode_metadata(thrift).map_err(|e| StoreError::corrupt(key, e))?;

    let meta: SegmentMeta = entry(key, &parquet, SEGMENT_KEY)?;
    let index: Index = entry(key, &parquet, INDEX_KEY)?;
    if index.version > INDEX_VERSION {
        return Err(corrupt("it was written by a newer version; update this program"));
    }
    let shape_holds = index.groups.len() == parquet.num_row_groups()
        && index.groups.iter().zip(parquet.row_groups()).all(|(i, p)| i.rows as i64 == p.num_rows())
        && index.groups.iter().map(|g| g.rows).sum::<u64>() == meta.rows
        && parquet.row_groups().iter().all(|g| g.num_columns() == index.columns.len());
    if !shape_holds {
        return Err(corrupt("its row groups are not those announced"));
    }
    let columns: Option<Vec<Column>> = index.columns.iter().map(|name| Column::parse(name)).collect();
    let columns = columns.ok_or_else(|| corrupt("it has a column of an unknown kind"))?;
    let checks =
        checks(&index, columns.len()).ok_or_else(|| corrupt("its list of checksums is malformed"))?;
    let arrow = ArrowReaderMetadata::try_new(Arc::new(parquet), ArrowReaderOptions::new())
        .map_err(|e| StoreError::corrupt(key, e))?;

    let mut properties: BTreeMap<Arc<str>, Vec<PropertyType>> = BTreeMap::new();
    for column in &columns {
        if let Column::Property(name, kind) = column {
            properties.entry(Arc::clone(name)).or_default().push(*kind);
        }
    }
    Ok(Footer {
        key: key.to_owned(),
        size,
        meta: SegmentMeta { bytes: size, ..meta },
        log: index.log,
        groups: index.groups,
        place: columns.iter().cloned().zip(0..).collect(),
        columns,
        properties,
        overflow: index.overflow,
        arrow,
        occupants: index.occupants,
        checks,
        indexes: (indexes..before, word(4)),
        page_checks: index.pages,
        pages: OnceLock::new(),
    })
}

fn entry<T: serde::de::DeserializeOwned>(key: &str, parquet: &ParquetMetaData, name: &str) -> Result<T> {
    let pairs = parquet.file_metadata().key_value_metadata();
    let text = pairs.and_then(|kv| kv.iter().find(|kv| kv.key == name)).and_then(|kv| kv.value.as_deref());
    let text = text.ok_or_else(|| StoreError::corrupt(key, format!("its footer has no `{name}`")))?;
    serde_json::from_str(text).map_err(|e| StoreError::corrupt(key, format!("`{name}`: {e}")))
}

fn checks(index: &Index, columns: usize) -> Option<Vec<u32>> {
    if index.checks.len() != index.groups.len() {
        return None;
    }
    let mut all = Vec::with_capacity(columns * index.groups.len());
    for text in &index.checks {
        if text.len() != 8 * columns {
            return None;
        }
        for column in 0..columns {
            all.push(u32::from_str_radix(text.get(8 * column..8 * column + 8)?, 16).ok()?);
        }
    }
    Some(all)
}
