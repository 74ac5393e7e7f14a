//! What the archive holds, and fetching one file of it.
//!
//! Guarantees: a file is handed out only if its bytes match both checksums of its entry.
//! Deliberately not here: making copies (`upload`), reading by position (`read`).

use super::ARCHIVE;
use crate::RecoveryError;
use crate::document::{self, sha256};
use crate::failpoint::{Failpoint, NoFailpoint};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tallymark_log::file::{ArchivedFile, decode_archived};
use tallymark_model::{Lane, LogId, Millis, Shard};
use tallymark_store::ObjectStore;

/// One archived file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedEntry {
    /// Whose log.
    pub log: LogId,
    /// Which lane.
    pub lane: Lane,
    /// Files of a lane are ordered by it.
    pub number: u64,
    /// Its name in the log.
    pub name: String,
    /// Offsets `[from, to)` of each partition.
    pub ranges: Vec<(u64, u64)>,
    /// Smallest and largest receive time in it, ms UTC; `None`: no event in it.
    pub received: Option<(Millis, Millis)>,
    /// Size of the content.
    pub bytes: u64,
    /// Checksum of the content.
    pub sha256: String,
    /// Size as stored.
    pub stored_bytes: u64,
    /// Checksum as stored.
    pub stored_sha256: String,
    /// Stretches that were damaged in the log already.
    pub damaged: u64,
}

impl ArchivedEntry {
    /// Key of the packed content.
    pub fn key(&self) -> String {
        key(self.lane, &self.name, "zst")
    }
}

pub(super) fn key(lane: Lane, name: &str, ending: &str) -> String {
    format!("{ARCHIVE}/{lane}/{name}.{ending}")
}

type Entries = BTreeMap<(Lane, u64), Arc<ArchivedEntry>>;

/// The archive of one log. Cheap to clone; clones share what they know of it.
#[derive(Clone)]
pub struct Archive {
    pub(super) store: ObjectStore,
    pub(super) log: LogId,
    pub(super) failpoint: Arc<dyn Failpoint>,
    entries: Arc<Mutex<Entries>>,
}

impl Archive {
    /// Learns what is there. Entries of another log are an error: two logs must not share a store.
    pub async fn open(store: ObjectStore, log: LogId) -> Result<Archive, RecoveryError> {
        let archive =
            Archive { store, log, failpoint: Arc::new(NoFailpoint), entries: Arc::new(Mutex::default()) };
        archive.refresh().await?;
        Ok(archive)
    }

    /// With failpoints, for tests.
    pub fn with_failpoint(mut self, failpoint: Arc<dyn Failpoint>) -> Archive {
        self.failpoint = failpoint;
        self
    }

    /// Learns what others have added or taken away. Damaged entries are passed by with a warning: their files are
    /// archived again if the log still has them.
    pub async fn refresh(&self) -> Result<(), RecoveryError> {
        for lane in Lane::ALL {
            let listed = self.store.list(&format!("{ARCHIVE}/{lane}")).await?;
            let keys: Vec<String> =
                listed.into_iter().map(|o| o.key).filter(|k| k.ends_with(".json")).collect();
            let known: std::collections::HashSet<String> =
                self.of_lane(lane).iter().map(|e| key(e.lane, &e.name, "json")).collect();
            self.entries().retain(|(l, _), e| *l != lane || keys.contains(&key(e.lane, &e.name, "json")));
            for fresh in keys.into_iter().filter(|k| !known.contains(k)) {
                self.learn(&fresh).await?;
            }
        }
        Ok(())
    }

    async fn learn(&self, key: &str) -> Result<(), RecoveryError> {
        let bytes = match self.store.get(key).await {
            Ok(bytes) => bytes,
            Err(tallymark_store::StoreError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match document::open::<ArchivedEntry>(key, &bytes) {
            Ok(entry) if entry.log != self.log => Err(RecoveryError::Foreign {
                place: key.to_owned(),
                found: entry.log.to_string(),
                expected: self.log.to_string(),
            }),
            Ok(entry) => {
                self.add(entry);
                Ok(())
            }
            Err(error @ RecoveryError::Newer { .. }) => Err(error),
            Err(error) => {
                tracing::error!(key, %error, "an entry of the archive cannot be read; it is passed by");
                Ok(())
            }
        }
    }

    /// Every entry of a lane, oldest first.
    pub fn of_lane(&self, lane: Lane) -> Vec<Arc<ArchivedEntry>> {
        self.entries().range((lane, 0)..=(lane, u64::MAX)).map(|(_, e)| Arc::clone(e)).collect()
    }

    /// The entry of one file.
    pub fn entry(&self, lane: Lane, number: u64) -> Option<Arc<ArchivedEntry>> {
        self.entries().get(&(lane, number)).cloned()
    }

    /// The file that holds this offset.
    pub fn holding(&self, shard: Shard, offset: u64) -> Option<Arc<ArchivedEntry>> {
        let p = usize::from(shard.partition);
        let inside =
            |e: &ArchivedEntry| e.ranges.get(p).is_some_and(|(from, to)| (*from..*to).contains(&offset));
        self.of_lane(shard.lane).into_iter().find(|e| inside(e))
    }

    /// Up to which offset the archive reaches without a hole from `from` on.
    pub fn reaches(&self, shard: Shard, from: u64) -> u64 {
        let p = usize::from(shard.partition);
        let mut at = from;
        // In order of number the ranges of a partition follow each other.
        for entry in self.of_lane(shard.lane) {
            match entry.ranges.get(p) {
                Some((start, end)) if *start <= at && *end > at => at = *end,
                _ => {}
            }
        }
        at
    }

    /// From which offset on the archive holds everything up to `upto`; `upto` if it does not hold the last before.
    pub fn begins(&self, shard: Shard, upto: u64) -> u64 {
        let p = usize::from(shard.partition);
        let mut at = upto;
        for entry in self.of_lane(shard.lane).into_iter().rev() {
            match entry.ranges.get(p) {
                Some((start, end)) if *start < at && *end >= at => at = *start,
                _ => {}
            }
        }
        at
    }

    /// Fetches and verifies one file.
    pub async fn fetch(&self, entry: &ArchivedEntry) -> Result<Bytes, RecoveryError> {
        let key = entry.key();
        let stored = self.store.get(&key).await?;
        let (wanted, entry) = (key.clone(), entry.clone());
        blocking(move || unpack(&wanted, &stored, &entry)).await
    }

    /// Fetches one file for reading by position.
    pub async fn file(&self, entry: &ArchivedEntry) -> Result<ArchivedFile, RecoveryError> {
        let bytes = self.fetch(entry).await?;
        let (lane, key) = (entry.lane, entry.key());
        let ends: Vec<u64> = entry.ranges.iter().map(|(_, to)| *to).collect();
        let decoded = blocking(move || {
            decode_archived(bytes, lane).map_err(|e| RecoveryError::damaged(key, e.to_string()))
        });
        Ok(decoded.await?.with_ends(&ends))
    }

    pub(super) fn add(&self, entry: ArchivedEntry) {
        self.entries().insert((entry.lane, entry.number), Arc::new(entry));
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Every change is one insertion or removal.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content of a stored file, if it is what the entry says.
fn unpack(key: &str, stored: &[u8], entry: &ArchivedEntry) -> Result<Bytes, RecoveryError> {
    if stored.len() as u64 != entry.stored_bytes || sha256(stored) != entry.stored_sha256 {
        return Err(RecoveryError::damaged(key, "it is not the object that its entry describes"));
    }
    let most = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
    let bytes = zstd::bulk::decompress(stored, most)
        .map_err(|e| RecoveryError::damaged(key, format!("it does not unpack: {e}")))?;
    if bytes.len() as u64 != entry.bytes || sha256(&bytes) != entry.sha256 {
        return Err(RecoveryError::damaged(key, "its content is not what its entry describes"));
    }
    Ok(Bytes::from(bytes))
}

/// Runs work that takes a while off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecoveryError> + Send + 'static,
) -> Result<T, RecoveryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => Err(RecoveryError::damaged("the work", panic.to_string())),
    }
}
