//! Single pages of column chunks: what it takes to read a few rows.
//!
//! Guarantees: every page is compared with its checksum before it is decoded, as whole chunks are.

use super::chunks::Chunks;
use super::footer::Footer;
use crate::object::ObjectStore;
use crate::write::index::PageChecks;
use crate::write::pages::split;
use crate::{Result, StoreError};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

/// Gaps up to this size are read over: one longer read is cheaper than two.
const GAP_BYTES: u64 = 16 << 10;

/// Where the pages of a file are, and their checksums.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The meta data with the offset indexes.
    pub arrow: ArrowReaderMetadata,
    checks: Vec<u32>,
    /// Per chunk, group by group: the first of its checksums.
    first: Vec<u32>,
}

/// A page, and which of the checksums is its own.
struct Place {
    range: Range<u64>,
    check: u32,
}

impl Pages {
    /// Reads the page indexes and the checksums of a file.
    pub fn read(store: &ObjectStore, footer: &Footer, place: PageChecks) -> Result<Pages> {
        let (range, check) = footer.indexes.clone();
        let checks = place.at..place.at + u64::from(place.length);
        let mut parts = store.read_ranges(&footer.key, &[checks, range.clone()])?;
        let (indexes, checks) = (parts.pop().unwrap_or_default(), parts.pop().unwrap_or_default());
        if crc32c::crc32c(&indexes) != check {
            return Err(StoreError::corrupt(&footer.key, "the checksum of its page index does not match"));
        }
        check_block(footer, place, &checks)?;
        let corrupt = |e: ParquetError| StoreError::corrupt(&footer.key, e);
        let source = Chunks::of(footer.size, range.start, indexes);
        let mut reader = ParquetMetaDataReader::new_with_metadata(footer.parquet().clone())
            .with_offset_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes_sized(&source, footer.size).map_err(corrupt)?;
        let metadata = Arc::new(reader.finish().map_err(corrupt)?);
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let arrow = ArrowReaderMetadata::try_new(metadata, options).map_err(corrupt)?;
        let checks = checks.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        let mut pages = Pages { arrow, checks, first: Vec::new() };
        let mut first = Vec::new();
        let mut next = 0;
        for group in 0..footer.groups.len() {
            for column in 0..footer.columns.len() {
                first.push(next);
                next += pages.chunk(footer, group, column)?.len() as u32;
            }
        }
        if next as usize != pages.checks.len() {
            return Err(StoreError::corrupt(&footer.key, "it has not one checksum for each page"));
        }
        pages.first = first;
        Ok(pages)
    }

    /// The pages of these columns (ascending) in which any of these rows (ascending) is, and their dictionaries.
    pub fn of_rows(
        &self,
        store: &ObjectStore,
        footer: &Footer,
        group: usize,
        columns: &[usize],
        rows: &[u32],
    ) -> Result<Chunks> {
        let mut places = Vec::new();
        for &column in columns {
            self.wanted(footer, group, column, rows, &mut places)?;
        }
        let mut spans: Vec<Range<u64>> = Vec::new();
        for place in &places {
            match spans.last_mut() {
                Some(span) if span.end <= place.range.start && place.range.start - span.end <= GAP_BYTES => {
                    span.end = place.range.end;
                }
                _ => spans.push(place.range.clone()),
            }
        }
        let bytes = store.read_ranges(&footer.key, &spans)?;
        let mut parts = Vec::with_capacity(places.len());
        let mut nth = 0;
        for place in places {
            while spans.get(nth).is_some_and(|span| span.end < place.range.end) {
                nth += 1;
            }
            let missing = || StoreError::corrupt(&footer.key, "a page is missing");
            let (span, bytes) = spans.get(nth).zip(bytes.get(nth)).ok_or_else(missing)?;
            let from = (place.range.start - span.start) as usize;
            let page = bytes.slice(from..from + (place.range.end - place.range.start) as usize);
            if self.checks.get(place.check as usize) != Some(&crc32c::crc32c(&page)) {
                let Range { start, end } = place.range;
                let detail = format!(
                    "the checksum of a page in row group {group} (bytes {start} to {end}) does not match"
                );
                return Err(StoreError::corrupt(&footer.key, detail));
            }
            parts.push((place.range.start, page));
        }
        Ok(Chunks::of_parts(footer.size, parts))
    }

    fn wanted(
        &self,
        footer: &Footer,
        group: usize,
        column: usize,
        rows: &[u32],
        places: &mut Vec<Place>,
    ) -> Result<()> {
        let ranges = self.chunk(footer, group, column)?;
        let missing = || StoreError::corrupt(&footer.key, "the places of its pages are missing");
        let first = *self.first.get(group * footer.columns.len() + column).ok_or_else(missing)?;
        let index = self.arrow.metadata().offset_index().and_then(|all| all.get(group)?.get(column));
        let locations = index.ok_or_else(missing)?.page_locations();
        // With a dictionary there is a range more than there are data pages.
        let before = ranges.len() - locations.len();
        let place = |nth: usize| Place { range: ranges[nth].clone(), check: first + nth as u32 };
        places.extend((0..before).map(place));
        let mut rows = rows.iter().map(|row| i64::from(*row)).peekable();
        for (nth, page) in locations.iter().enumerate() {
            let end = locations.get(nth + 1).map_or(i64::MAX, |next| next.first_row_index);
            if rows.peek().is_some_and(|row| (page.first_row_index..end).contains(row)) {
                places.push(place(before + nth));
                while rows.next_if(|row| *row < end).is_some() {}
            }
        }
        Ok(())
    }

    /// The pages of a chunk, its dictionary first.
    fn chunk(&self, footer: &Footer, group: usize, column: usize) -> Result<Vec<Range<u64>>> {
        let index = self.arrow.metadata().offset_index().and_then(|all| all.get(group)?.get(column));
        let sizes = index.map(|index| {
            index.page_locations().iter().map(|page| page.compressed_page_size as u32).collect::<Vec<_>>()
        });
        let found = sizes.and_then(|sizes| {
            let pages = split(footer.chunk(group, column)?.0, &sizes)?;
            (pages.len() - sizes.len() <= 1).then_some(pages)
        });
        found.ok_or_else(|| StoreError::corrupt(&footer.key, "its pages are not where they should be"))
    }
}

/// Compares the block of checksums with its own.
pub(crate) fn check_block(footer: &Footer, place: PageChecks, bytes: &[u8]) -> Result<()> {
    match crc32c::crc32c(bytes) == place.check && bytes.len() == place.length as usize {
        true => Ok(()),
        false => Err(StoreError::corrupt(&footer.key, "the checksum of its page checksums does not match")),
    }
}
