//! Does a file hold what it says? (I4)
//!
//! Everything is recomputed from the Parquet data: rows, fingerprint, sources; and every byte is checked against a
//! checksum, those that queries seldom read included.

use crate::columns::Column;
use crate::object::ObjectStore;
use crate::read::{SegmentReader, footer::Footer, pages::check_block, rows};
use crate::row::SourceTally;
use crate::{Result, StoreError};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use ledger::{Fingerprint, SegmentMeta, Source};
use std::sync::Arc;
use tallymark_ledger as ledger;

/// What a file was found to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What the file says about itself.
    pub meta: SegmentMeta,
    /// Rows counted.
    pub rows: u64,
    /// Sum over the positions of the rows.
    pub fingerprint: Fingerprint,
}

/// Reads a whole segment file and recomputes its rows, fingerprint and sources. Any disagreement, within the file or
/// with `expected`, is a [`StoreError::Corrupt`].
pub fn verify_segment(store: &ObjectStore, expected: &SegmentMeta) -> Result<Verified> {
    let key = &expected.key;
    // Past the cache: the point is to look at the disk.
    let footer = Arc::new(Footer::read(store, key)?);
    let reader = SegmentReader::of(store, footer);
    if reader.meta() != expected {
        return Err(StoreError::corrupt(key, "its footer does not agree with the catalog"));
    }
    check_rest(&reader)?;
    let intervals: Vec<_> = expected.sources.iter().map(|s| s.interval).collect();
    let mut tally = SourceTally::new(reader.log(), &intervals);
    let mut rows = 0;
    for group in 0..reader.row_groups().len() {
        // All columns, so that all checksums are compared and all values decode.
        let batch = reader.read(group, reader.columns())?;
        let place = reader.columns().iter().position(|c| *c == Column::Position);
        let positions = place.and_then(|nth| batch.column(nth).as_primitive_opt::<UInt64Type>());
        for &packed in positions.ok_or_else(|| reader.corrupt("it has no positions"))?.values() {
            tally.add(rows::position(&reader, packed)?).map_err(|e| reader.corrupt(e))?;
            rows += 1;
        }
    }
    compare(&reader, rows, &tally.finish())
}

fn compare(reader: &SegmentReader, rows: u64, sources: &[Source]) -> Result<Verified> {
    let meta = reader.meta();
    let fingerprint = sources.iter().fold(Fingerprint::default(), |sum, s| sum + s.fingerprint);
    let sorted = |sources: &[Source]| {
        let mut sources = sources.to_vec();
        sources.sort_by_key(|s| s.interval);
        sources
    };
    if rows != meta.rows || fingerprint != meta.fingerprint || sorted(sources) != sorted(&meta.sources) {
        let detail = format!(
            "its rows are not those it announces: {rows} rows with fingerprint {fingerprint}, announced {} with {}",
            meta.rows, meta.fingerprint
        );
        return Err(reader.corrupt(detail));
    }
    Ok(Verified { meta: meta.clone(), rows, fingerprint })
}

/// The bytes that no column chunk and no footer covers: the leading magic, the index of subjects, the checksums of
/// pages, the page indexes.
fn check_rest(reader: &SegmentReader) -> Result<()> {
    let footer = reader.footer();
    let (range, check) = footer.indexes.clone();
    let parts = reader.store().read_ranges(&footer.key, &[0..4, range])?;
    if let Some(occupants) = &footer.occupants {
        for (at, block) in occupants.all() {
            let found = reader.store().read_ranges(&footer.key, &[at..at + u64::from(block.1)])?;
            footer.check_block(&block, &found[0])?;
        }
    }
    if let Some(place) = footer.page_checks {
        let found =
            reader.store().read_ranges(&footer.key, &[place.at..place.at + u64::from(place.length)])?;
        check_block(footer, place, &found[0])?;
        footer.pages(reader.store())?;
    }
    if &parts[0][..] != b"PAR1" || crc32c::crc32c(&parts[1]) != check {
        return Err(reader.corrupt("the checksum of its page index does not match"));
    }
    Ok(())
}
