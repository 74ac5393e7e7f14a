//! A checksum for every page, so that one row can be read without the rest of its column chunks.
//!
//! ```text
//!  block = per row group, per column: [crc32c of the dictionary page] crc32c of each data page, little-endian u32
//! ```
//!
//! How many pages there are, and where, Parquet's own offset index says. Guarantees: what is read page by page is
//! checked as what is read chunk by chunk; files without it (older ones) are read chunk by chunk.

use super::index::PageChecks;
use std::ops::Range;

/// Sizes of the data pages of one column chunk, as they stand in the file.
pub(crate) type PageSizes = Vec<u32>;

/// Where the pages of a chunk are, its dictionary first; `None` if they do not fit into it.
pub(crate) fn split(chunk: Range<u64>, sizes: &[u32]) -> Option<Vec<Range<u64>>> {
    let data: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
    let dictionary = (chunk.end - chunk.start).checked_sub(data)?;
    let mut at = chunk.start;
    let mut pages = Vec::with_capacity(sizes.len() + 1);
    let all = Some(dictionary).filter(|d| *d > 0).into_iter().chain(sizes.iter().map(|s| u64::from(*s)));
    for size in all {
        pages.push(at..at + size);
        at += size;
    }
    Some(pages)
}

/// The checksums of all pages of these chunks of `file`, to be written at its end.
pub(crate) fn encode(file: &[u8], chunks: &[(Range<u64>, PageSizes)]) -> Option<(PageChecks, Vec<u8>)> {
    let mut bytes = Vec::new();
    for (chunk, sizes) in chunks {
        for page in split(chunk.clone(), sizes)? {
            let page = file.get(page.start as usize..page.end as usize)?;
            bytes.extend_from_slice(&crc32c::crc32c(page).to_le_bytes());
        }
    }
    let length = u32::try_from(bytes.len()).ok()?;
    Some((PageChecks { at: file.len() as u64, length, check: crc32c::crc32c(&bytes) }, bytes))
}
