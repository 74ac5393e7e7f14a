//! Opening the files of a scan.

use super::{fold_parallel, storage};
use crate::{Context, QueryError, Snapshot};
use tallymark_ledger::SegmentMeta;
use tallymark_store::SegmentReader;

/// From so many footers on, reading them is worth threads.
const OPEN_TOGETHER: usize = 8;

/// Readers of these segments. Footers that are not in memory yet are read by two threads, because a cold start over
/// many files is mostly parsing them.
pub(super) fn open_all(
    snapshot: &Snapshot,
    segments: &[&SegmentMeta],
    context: &Context,
) -> Result<Vec<SegmentReader>, QueryError> {
    let unknown: Vec<&SegmentMeta> =
        segments.iter().copied().filter(|s| !SegmentReader::known(&snapshot.store, s)).collect();
    if unknown.len() >= OPEN_TOGETHER {
        fold_parallel(
            2,
            unknown,
            || (),
            |(), segment| {
                context.cancel.check()?;
                SegmentReader::open(&snapshot.store, segment).map(|_| ()).map_err(storage)
            },
        )?;
    }
    segments.iter().map(|s| SegmentReader::open(&snapshot.store, s).map_err(storage)).collect()
}
