//! One object per commit, written right after it.
//!
//! Guarantees: objects are written in order, so the copies are a prefix of the feed and the newest one is the cursor;
//! an object is never replaced by another commit's: what belongs to a history that was left behind (the catalog was
//! restored to an earlier point) is moved to `commits-left/` first.
//! Deliberately not here: settings.

use crate::RecoveryError;
use crate::document;
use crate::failpoint::{Failpoint, NoFailpoint, Step, pass};
use serde::Serialize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_catalog::{CommitRecord, Feed};
use tallymark_model::{CommitSeq, Millis};
use tallymark_store::{ObjectStore, StoreError};

/// Prefix of the copies.
pub const COMMITS: &str = "commits";
/// Prefix of copies of a history that was left behind.
const LEFT: &str = "commits-left";
/// Commits read at a time.
const PAGE: usize = 200;

/// Key of a commit's copy.
pub fn commit_key(seq: CommitSeq) -> String {
    format!("{COMMITS}/{:020}.json", seq.0)
}

/// Reads a copy; `None` if there is none.
pub async fn read_commit(store: &ObjectStore, seq: CommitSeq) -> Result<Option<CommitRecord>, RecoveryError> {
    let key = commit_key(seq);
    let bytes = match store.get(&key).await {
        Ok(bytes) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let record: CommitRecord = document::open(&key, &bytes)?;
    if record.seq != seq {
        return Err(RecoveryError::damaged(key, format!("it is commit {}", record.seq.0)));
    }
    Ok(Some(record))
}

/// Refuses a catalog that has none of the commits that are copied. Ask this before processing starts: on an empty
/// catalog everything would be processed from the beginning, for projects that do not exist.
pub async fn check_not_lost(catalog: &SqliteCatalog, store: &ObjectStore) -> Result<(), RecoveryError> {
    CommitCopier::find(catalog.clone(), store.clone()).await.map(|_| ())
}

/// How far the copies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CopyState {
    /// Newest commit that is copied.
    pub copied: CommitSeq,
    /// Newest commit there is.
    pub latest: CommitSeq,
    /// Age of the oldest commit that is not copied, ms; 0 if all are.
    pub lag_ms: Millis,
}

/// Copies commits.
pub struct CommitCopier {
    catalog: SqliteCatalog,
    store: ObjectStore,
    state: CopyState,
    failpoint: Arc<dyn Failpoint>,
}

impl CommitCopier {
    /// Finds out what is copied already, and moves aside what is of a history that the catalog does not have.
    pub async fn open(catalog: SqliteCatalog, store: ObjectStore) -> Result<CommitCopier, RecoveryError> {
        let (copier, newest) = CommitCopier::find(catalog, store).await?;
        if copier.state.copied < newest {
            copier.leave(copier.state.copied, newest).await?;
        }
        Ok(copier)
    }

    /// The newest commit on which copies and catalog agree, and the newest copy. Changes nothing.
    async fn find(
        catalog: SqliteCatalog,
        store: ObjectStore,
    ) -> Result<(CommitCopier, CommitSeq), RecoveryError> {
        let mut copier =
            CommitCopier { catalog, store, state: CopyState::default(), failpoint: Arc::new(NoFailpoint) };
        let newest = copier.newest_object()?;
        copier.state.copied = copier.common(newest).await?;
        if copier.state.copied == CommitSeq(0) && newest > CommitSeq(0) {
            // Moving everything aside would take away what the catalog can be rebuilt from.
            return Err(RecoveryError::CatalogLost { copied: newest.0 });
        }
        Ok((copier, newest))
    }

    /// With failpoints, for tests.
    pub fn with_failpoint(mut self, failpoint: Arc<dyn Failpoint>) -> CommitCopier {
        self.failpoint = failpoint;
        self
    }

    /// Copies everything that is committed and not copied.
    pub async fn round(&mut self) -> Result<CopyState, RecoveryError> {
        loop {
            let records = self.catalog.feed(self.state.copied, PAGE).await?;
            if records.is_empty() && self.catalog.latest_seq().await? < self.state.copied {
                // Emptied or exchanged under us: whoever opens the copies again finds out which.
                return Err(RecoveryError::CatalogLost { copied: self.state.copied.0 });
            }
            for record in &records {
                self.copy(record).await?;
            }
            self.state.latest = self.catalog.latest_seq().await?.max(self.state.copied);
            if records.len() < PAGE {
                break;
            }
        }
        self.state.lag_ms = match self.catalog.feed(self.state.copied, 1).await?.first() {
            Some(waiting) => (now() - waiting.created_at).max(0),
            None => 0,
        };
        metrics::gauge!("tallymark_commit_copy_lag_seconds").set(self.state.lag_ms as f64 / 1000.0);
        Ok(self.state)
    }

    /// As of the last round.
    pub fn state(&self) -> CopyState {
        self.state
    }

    async fn copy(&mut self, record: &CommitRecord) -> Result<(), RecoveryError> {
        // Sorted, so that two copies of one commit are the same bytes.
        let mut record = record.clone();
        record.added.sort_by_key(|s| s.id);
        let sealed = document::seal("copy of a commit", &record)?;
        self.store.put(&commit_key(record.seq), sealed).await?;
        self.state.copied = record.seq;
        pass(self.failpoint.as_ref(), Step::CommitCopied)
    }

    fn exists(&self, seq: u64) -> Result<bool, RecoveryError> {
        match self.store.size(&commit_key(CommitSeq(seq))) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The newest object of the prefix without holes. Asked by halving: a list of millions would take longer.
    fn newest_object(&self) -> Result<CommitSeq, RecoveryError> {
        let (mut low, mut high) = (0u64, 1u64);
        while self.exists(high)? {
            (low, high) = (high, high.saturating_mul(2));
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.exists(middle)? { low = middle } else { high = middle }
        }
        Ok(CommitSeq(low))
    }

    /// The newest commit up to `newest` on which copies and catalog agree. Histories part once, so everything before
    /// it agrees too.
    async fn common(&self, newest: CommitSeq) -> Result<CommitSeq, RecoveryError> {
        let latest = self.catalog.latest_seq().await?;
        let (mut low, mut high) = (0u64, newest.0.min(latest.0));
        if high > 0 && self.agrees(high).await? {
            return Ok(CommitSeq(high));
        }
        while high > low {
            let middle = low + (high - low).div_ceil(2);
            if self.agrees(middle).await? { low = middle } else { high = middle - 1 }
        }
        Ok(CommitSeq(low))
    }

    async fn agrees(&self, seq: u64) -> Result<bool, RecoveryError> {
        let copied = match read_commit(&self.store, CommitSeq(seq)).await {
            Ok(copied) => copied,
            // Copied again from here on.
            Err(RecoveryError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(copied) = copied else { return Ok(false) };
        let recorded = self.catalog.feed(CommitSeq(seq - 1), 1).await?;
        Ok(recorded.first().is_some_and(|r| r.seq == copied.seq && r.id == copied.id))
    }

    /// Moves copies of another history aside, newest first, so that what is left is always a prefix.
    async fn leave(&self, common: CommitSeq, newest: CommitSeq) -> Result<(), RecoveryError> {
        tracing::warn!(
            common = common.0,
            newest = newest.0,
            "copies of commits that this catalog does not have are moved aside"
        );
        let at = now();
        for seq in (common.0 + 1..=newest.0).rev() {
            let key = commit_key(CommitSeq(seq));
            let bytes = self.store.get(&key).await?;
            self.store.put(&format!("{LEFT}/{at}/{seq:020}.json"), bytes).await?;
            self.store.delete(&key).await?;
        }
        Ok(())
    }
}

pub(super) fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as Millis)
}
