//! Column chunks of one row group in memory, checked, served to the Parquet decoder.

use super::footer::Footer;
use crate::object::ObjectStore;
use crate::{Result, StoreError};
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Chunks {
    size: u64,
    /// Ascending by offset.
    parts: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// Reads the chunks of these columns (ascending) and verifies their checksums.
    pub fn read(store: &ObjectStore, footer: &Footer, group: usize, columns: &[usize]) -> Result<Chunks> {
        let missing = || StoreError::corrupt(&footer.key, "a column chunk is missing");
        let places: Option<Vec<_>> = columns.iter().map(|&c| footer.chunk(group, c)).collect();
        let places = places.ok_or_else(missing)?;
        // Chunks side by side in the file are one read.
        let mut spans: Vec<Range<u64>> = Vec::new();
        for (range, _) in &places {
            match spans.last_mut() {
                Some(span) if span.end == range.start => span.end = range.end,
                _ => spans.push(range.clone()),
            }
        }
        let bytes = store.read_ranges(&footer.key, &spans)?;
        let mut parts = Vec::with_capacity(places.len());
        for ((range, check), &column) in places.into_iter().zip(columns) {
            let nth = spans.partition_point(|s| s.end < range.end);
            let (span, bytes) = spans.get(nth).zip(bytes.get(nth)).ok_or_else(missing)?;
            let from = (range.start - span.start) as usize;
            let bytes = bytes.slice(from..from + (range.end - range.start) as usize);
            if crc32c::crc32c(&bytes) != check {
                let name = footer.columns[column].file_name();
                let detail = format!(
                    "the checksum of column `{name}`, row group {group} (bytes {} to {}) does not match",
                    range.start, range.end
                );
                return Err(StoreError::corrupt(&footer.key, detail));
            }
            parts.push((range.start, bytes));
        }
        parts.sort_by_key(|(at, _)| *at);
        Ok(Chunks { size: footer.size, parts })
    }

    /// Checked parts of a file, ascending.
    pub fn of_parts(size: u64, parts: Vec<(u64, Bytes)>) -> Chunks {
        Chunks { size, parts }
    }

    /// One part of a file.
    pub fn of(size: u64, at: u64, bytes: Bytes) -> Chunks {
        Chunks { size, parts: vec![(at, bytes)] }
    }

    fn from(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let after = self.parts.partition_point(|(at, _)| *at <= start);
        let part = after.checked_sub(1).and_then(|nth| self.parts.get(nth));
        match part {
            Some((at, bytes)) if start - at <= bytes.len() as u64 => Ok(bytes.slice((start - at) as usize..)),
            _ => Err(ParquetError::EOF(format!("offset {start} was not read"))),
        }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunks {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let rest = self.from(start)?;
        if rest.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} were not read")));
        }
        Ok(rest.slice(..length))
    }
}
