//! Files that may go.
//!
//! Two kinds, told apart without trusting clocks for anything that could lose data:
//! * *Replaced*: a compaction removed the segment. Its file stays for a grace period, in commits and in time,
//!   because a reader may hold an older snapshot; deleting it too early fails that reader's query, nothing else.
//! * *Never committed*: no row of the catalog names the file, and none ever can. For a level 0 file that is so once
//!   a cursor has passed the start of one of its intervals (commits demand equality); for a merged file, once its
//!   epoch is older than the compacting lease that this process holds (commits demand the current epoch).
//!
//! A file whose footer cannot be read is never deleted: it is evidence.

use crate::{Catalog, Result};
use model::{CommitSeq, Epoch, Millis, Shard};
use std::collections::{HashMap, HashSet};
use tallymark_catalog::CatalogError;
use tallymark_ledger::SegmentMeta;
use tallymark_model as model;
use tallymark_store::{ObjectStore, SEGMENTS, SegmentReader, StoreError};

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files that compactions replaced.
    pub replaced: usize,
    /// Files that were never committed.
    pub orphans: usize,
    /// Unfinished files of writers that died.
    pub unfinished: usize,
}

/// Which replaced files are old enough.
#[derive(Debug, Clone, Copy)]
pub struct Grace {
    /// Commits made up to this moment, ms UTC.
    pub before: Millis,
    /// ... and followed by at least this many others.
    pub commits: u64,
}

/// Deletes what may go. `epoch` = the compacting lease that the caller holds now.
pub async fn collect(
    catalog: &dyn Catalog,
    store: &ObjectStore,
    epoch: Epoch,
    grace: Grace,
) -> Result<Collected> {
    let replaced = replaced(catalog, store, grace).await?;
    let orphans = orphans(catalog, store, epoch).await?;
    let unfinished = store.sweep_unfinished().await?;
    Ok(Collected { replaced, orphans, unfinished })
}

async fn replaced(catalog: &dyn Catalog, store: &ObjectStore, grace: Grace) -> Result<usize> {
    let Some(upto) = last_before(catalog, grace).await? else { return Ok(0) };
    let gone = catalog.removed_before(upto).await?;
    for segment in &gone {
        // The file first: a crash in between leaves a row without a file, which the next round finishes.
        store.delete(&segment.key).await?;
    }
    let ids: Vec<_> = gone.iter().map(|s| s.id).collect();
    if !ids.is_empty() {
        catalog.forget(&ids).await?;
    }
    Ok(gone.len())
}

/// The newest commit that is old enough. Commit times rise with the sequence but for small steps of the clock, which
/// only make the grace period a little longer or shorter.
async fn last_before(catalog: &dyn Catalog, grace: Grace) -> Result<Option<CommitSeq>, CatalogError> {
    let latest = catalog.latest_seq().await?;
    let (mut low, mut high) = (0, latest.0.saturating_sub(grace.commits));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let commits = catalog.feed(CommitSeq(middle - 1), 1).await?;
        match commits.first() {
            Some(commit) if commit.created_at <= grace.before => low = middle,
            _ => high = middle - 1,
        }
    }
    Ok((low > 0).then_some(CommitSeq(low)))
}

async fn orphans(catalog: &dyn Catalog, store: &ObjectStore, epoch: Epoch) -> Result<usize> {
    // The order matters. Files are listed first, then cursors are read, then the catalog is asked what it knows:
    // a file that was committed at any time before the cursors were read is known by then.
    let listed = store.list(SEGMENTS).await?;
    let cursors: HashMap<Shard, u64> =
        catalog.cursors().await?.into_iter().map(|c| (c.shard, c.position)).collect();
    let latest = catalog.latest_seq().await?;
    let mut known: HashSet<String> = catalog.live().await?.into_iter().map(|s| s.key).collect();
    known.extend(catalog.removed_before(latest).await?.into_iter().map(|s| s.key));

    let mut deleted = 0;
    for object in listed.into_iter().filter(|o| !known.contains(&o.key)) {
        let meta = match SegmentReader::open_key(store, &object.key) {
            Ok(reader) => reader.meta().clone(),
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => {
                tracing::warn!(key = object.key, %error, "an unknown file cannot be read; it is left alone");
                continue;
            }
        };
        // Asked again for this one file: between the two questions above a commit may have replaced its inputs.
        if never_committable(&meta, &cursors, epoch) && !catalog.is_live(meta.id).await? {
            tracing::info!(key = object.key, "deleting a file that was never committed");
            store.delete(&object.key).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn never_committable(meta: &SegmentMeta, cursors: &HashMap<Shard, u64>, epoch: Epoch) -> bool {
    if meta.level > 0 {
        return meta.epoch < epoch;
    }
    let passed = |interval: &tallymark_ledger::Interval| {
        cursors.get(&interval.shard).is_some_and(|&cursor| cursor > interval.from)
    };
    meta.sources.iter().any(|source| passed(&source.interval))
}
