//! Files that may go.
//!
//! Two kinds, told apart without trusting clocks for anything that could lose data:
//! * *Replaced*: a compaction removed the segment. Its file stays for a grace period, in commits and in time,
//!   because a reader may hold an older snapshot; deleting it too early fails that reader's query, nothing else.
//! * *Never committed*: no row of the catalog names the file, and none ever can. For a level 0 file that is so once
//!   a cursor has passed the start of one of its intervals (commits demand equality); for a merged file, once its
//!   epoch is older than the compacting lease that this process holds (commits demand the current epoch). Replays
//!   write files behind the cursors, so either must also have been seen, unknown, several of the processor's commits
//!   ago. The same holds for a delta whose commit is not in the catalog; committed ones stay: state is their fold.
//!
//! A file whose footer cannot be read is never deleted: it is evidence.

use crate::{Catalog, Result};
use model::{CommitId, CommitSeq, Epoch, Millis, Shard};
use rustc_hash::FxHashMap;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tallymark_catalog::{CatalogError, Origin};
use tallymark_ledger::SegmentMeta;
use tallymark_model as model;
use tallymark_store::{ObjectStore, SEGMENTS, SegmentReader, StoreError};
use tokio::time::Instant;

/// Prefix of all deltas.
const DELTAS: &str = "deltas";
/// Listing all deltas is work that grows with commits, so it is done seldom.
const DELTAS_EVERY: Duration = Duration::from_secs(3600);
/// Commits looked at to see whether a writer has gone on.
const LOOK_BACK: usize = 200;

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files that compactions replaced.
    pub replaced: usize,
    /// Segments and deltas that were never committed.
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

/// What was seen before and may be garbage.
#[derive(Debug, Default)]
pub struct Collector {
    /// Unknown objects, with the newest commit when they were seen first.
    suspects: FxHashMap<String, CommitSeq>,
    /// Deltas up to this key are known to be committed.
    deltas_upto: String,
    deltas_at: Option<Instant>,
}

impl Collector {
    /// Deletes what may go. `epoch` = the compacting lease that the caller holds now.
    pub async fn collect(
        &mut self,
        catalog: &dyn Catalog,
        store: &ObjectStore,
        epoch: Epoch,
        grace: Grace,
    ) -> Result<Collected> {
        let replaced = replaced(catalog, store, grace).await?;
        let mut suspects = Vec::new();
        let mut orphans = self.segments(catalog, store, epoch, grace, &mut suspects).await?;
        if self.deltas_at.is_none_or(|at| at.elapsed() >= DELTAS_EVERY) || grace.commits == 0 {
            orphans += self.deltas(catalog, store, grace, &mut suspects).await?;
            self.deltas_at = Some(Instant::now());
            self.suspects.retain(|key, _| suspects.contains(key));
        }
        if replaced > 0 {
            catalog.drop_spent_masks().await?;
        }
        let unfinished = store.sweep_unfinished().await?;
        Ok(Collected { replaced, orphans, unfinished })
    }

    async fn segments(
        &mut self,
        catalog: &dyn Catalog,
        store: &ObjectStore,
        epoch: Epoch,
        grace: Grace,
        suspects: &mut Vec<String>,
    ) -> Result<usize> {
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
            if !never_committable(&meta, &cursors, epoch) {
                continue;
            }
            suspects.push(object.key.clone());
            // Asked again for this one file: between the two questions above a commit may have replaced its inputs.
            if self.is_abandoned(catalog, &object.key, latest, grace).await?
                && !catalog.is_live(meta.id).await?
            {
                tracing::info!(key = object.key, "deleting a file that was never committed");
                store.delete(&object.key).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Deltas whose commit is not in the catalog.
    async fn deltas(
        &mut self,
        catalog: &dyn Catalog,
        store: &ObjectStore,
        grace: Grace,
        suspects: &mut Vec<String>,
    ) -> Result<usize> {
        let listed = store.list(DELTAS).await?;
        let latest = catalog.latest_seq().await?;
        let (mut deleted, mut all_committed) = (0, true);
        let known = self.deltas_upto.clone();
        for object in listed.into_iter().filter(|o| o.key > known) {
            let Some(id) = commit_of(&object.key) else { continue };
            if catalog.status(id).await?.is_some() {
                if all_committed {
                    self.deltas_upto = object.key;
                }
                continue;
            }
            all_committed = false;
            suspects.push(object.key.clone());
            if self.is_abandoned(catalog, &object.key, latest, grace).await?
                && catalog.status(id).await?.is_none()
            {
                tracing::info!(key = object.key, "deleting a delta that was never committed");
                store.delete(&object.key).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// True if whoever wrote an object has gone on since it was seen first. A processor works on one group at a time
    /// and never comes back to an older one; a few commits more than one are waited for all the same.
    async fn is_abandoned(
        &mut self,
        catalog: &dyn Catalog,
        key: &str,
        latest: CommitSeq,
        grace: Grace,
    ) -> Result<bool> {
        if grace.commits == 0 {
            return Ok(true);
        }
        let since = *self.suspects.entry(key.to_owned()).or_insert(latest);
        let after = catalog.feed(since, LOOK_BACK).await?;
        let worked = after.iter().filter(|c| c.origin != Origin::Compaction).count() as u64;
        Ok(worked >= grace.commits)
    }
}

/// The commit a delta was written for.
fn commit_of(key: &str) -> Option<CommitId> {
    let name = key.strip_prefix(DELTAS)?.strip_prefix('/')?.strip_suffix(".delta")?;
    uuid::Uuid::try_parse(name).ok().map(CommitId)
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

fn never_committable(meta: &SegmentMeta, cursors: &HashMap<Shard, u64>, epoch: Epoch) -> bool {
    if meta.level > 0 {
        return meta.epoch < epoch;
    }
    let passed = |interval: &tallymark_ledger::Interval| {
        cursors.get(&interval.shard).is_some_and(|&cursor| cursor > interval.from)
    };
    meta.sources.iter().any(|source| passed(&source.interval))
}
