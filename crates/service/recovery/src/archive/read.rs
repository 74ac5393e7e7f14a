//! The log with its archive behind it: one reader over both.
//!
//! Guarantees: what the live log can read comes from there; what it reports as a gap comes from the archive if the
//! archive has it whole; otherwise the live log's gap, with its cause, stands. Positions are the same.
//! Deliberately not here: writing.

use super::index::{Archive, ArchivedEntry};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tallymark_ledger::{GapCause, TrimPermit};
use tallymark_log::file::ArchivedFile;
use tallymark_log::{
    Bounds, Item, LogContract, LogReader, LogTerms, ReadError, ReadLimit, SealedFile, TrimError, Usage,
};
use tallymark_model::{Lane, LogId, Position, Shard};
use tokio::sync::Mutex;

/// A lookup that fails asks the store again at most so often.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// The file that was decoded last, per lane.
type Opened = HashMap<Lane, (u64, Arc<ArchivedFile>)>;

/// Reads the live log, and the archive where that has gaps. Clones share one decoded file per lane.
#[derive(Clone)]
pub struct ArchivedLog {
    live: Arc<dyn LogReader>,
    archive: Archive,
    opened: Arc<Mutex<Opened>>,
    refreshed: Arc<Mutex<Instant>>,
}

impl ArchivedLog {
    /// The live log with this archive behind it.
    pub fn new(live: Arc<dyn LogReader>, archive: Archive) -> ArchivedLog {
        ArchivedLog { live, archive, opened: Arc::default(), refreshed: Arc::new(Mutex::new(Instant::now())) }
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// What the archive has from `at` on; `None` if it does not have that offset, or not whole.
    async fn archived_from(&self, at: Position, limit: ReadLimit) -> Option<Vec<Item>> {
        let entry = match self.archive.holding(at.shard(), at.offset) {
            Some(entry) => entry,
            None => {
                self.refresh_sometimes().await;
                self.archive.holding(at.shard(), at.offset)?
            }
        };
        let file = match self.file(&entry).await {
            Ok(file) => file,
            Err(error) => {
                tracing::error!(%at, key = entry.key(), %error, "the archived file cannot be used");
                return None;
            }
        };
        let items = file.read(at, limit).ok()?;
        // A gap at the beginning was damage when the file was archived; behind it the file may go on.
        Some(until_gap(items)).filter(|items| !items.is_empty())
    }

    async fn file(&self, entry: &ArchivedEntry) -> Result<Arc<ArchivedFile>, crate::RecoveryError> {
        // Held while fetching: two readers of one lane want the same file more often than not.
        let mut opened = self.opened.lock().await;
        if let Some((number, file)) = opened.get(&entry.lane)
            && *number == entry.number
        {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.archive.file(entry).await?);
        opened.insert(entry.lane, (entry.number, Arc::clone(&file)));
        Ok(file)
    }

    async fn refresh_sometimes(&self) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.elapsed() < REFRESH_EVERY {
            return;
        }
        if let Err(error) = self.archive.refresh().await {
            tracing::warn!(%error, "the archive cannot be listed");
        }
        *refreshed = Instant::now();
    }
}

/// The items before the first gap that is not the first item: the next read begins there, with a chance to find it
/// elsewhere.
fn until_gap(mut items: Vec<Item>) -> Vec<Item> {
    let gap = items.iter().skip(1).position(|i| matches!(i, Item::Gap { .. }));
    items.truncate(gap.map_or(items.len(), |behind_first| behind_first + 1));
    items
}

fn may_be_archived(cause: GapCause) -> bool {
    match cause {
        GapCause::Trimmed | GapCause::Missing | GapCause::Corrupt => true,
        // There never was a record.
        GapCause::Hole => false,
    }
}

#[async_trait]
impl LogReader for ArchivedLog {
    fn id(&self) -> LogId {
        self.live.id()
    }

    fn partitions(&self) -> u16 {
        self.live.partitions()
    }

    async fn read(&self, at: Position, limit: ReadLimit) -> Result<Vec<Item>, ReadError> {
        let items = self.live.read(at, limit).await?;
        match items.first() {
            Some(Item::Gap { cause, .. }) if may_be_archived(*cause) => {
                match self.archived_from(at, limit).await {
                    Some(archived) => Ok(archived),
                    None => Ok(gap_up_to_archive(&self.archive, at, items)),
                }
            }
            _ => Ok(until_gap(items)),
        }
    }

    async fn bounds(&self, shard: Shard) -> Result<Bounds, ReadError> {
        let live = self.live.bounds(shard).await?;
        Ok(Bounds { start: self.archive.begins(shard, live.start), end: live.end })
    }

    async fn trim(&self, permit: TrimPermit) -> Result<(), TrimError> {
        self.live.trim(permit).await
    }

    async fn wait(&self, at: &[Position], timeout: Duration) {
        self.live.wait(at, timeout).await;
    }

    async fn usage(&self) -> Result<Usage, ReadError> {
        self.live.usage().await
    }

    async fn sealed(&self) -> Result<Vec<SealedFile>, ReadError> {
        self.live.sealed().await
    }

    async fn contract(&self, terms: &LogTerms, cursors: &[Position]) -> Result<LogContract, ReadError> {
        self.live.contract(terms, cursors).await
    }
}

/// The live log's gap, cut where the archive may help again, and nothing behind it.
fn gap_up_to_archive(archive: &Archive, at: Position, items: Vec<Item>) -> Vec<Item> {
    let Some(Item::Gap { from, to, cause, evidence }) = items.into_iter().next() else { return Vec::new() };
    let p = usize::from(at.partition);
    let starts = archive.of_lane(at.lane);
    let next = starts.iter().filter_map(|e| e.ranges.get(p)).map(|(start, _)| *start);
    let cut = next.filter(|start| *start > at.offset).min().map_or(to, |start| start.min(to));
    vec![Item::Gap { from, to: cut, cause, evidence }]
}
