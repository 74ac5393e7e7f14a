//! Keeps the read-only fold up with the catalog's commits.
//!
//! Guarantees: deltas are applied in commit order, each once; a checkpoint that does not belong to this catalog
//! is refused rather than used. One caller at a time fetches; others wait for it and see the result.
//! Deliberately not here: what the fold holds (`state`).

use crate::QueryError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tallymark_catalog::{CommitRecord, Feed};
use tallymark_model::CommitSeq;
use tallymark_state::{Delta, StateReader};
use tallymark_store::ObjectStore;
use tokio::sync::Mutex;

const FEED_BATCH: usize = 256;
/// How often the fold is brought up to date without a query.
const POLL: Duration = Duration::from_secs(1);

/// A fold of all commits that follows the catalog.
pub struct StateFollower {
    feed: Arc<dyn Feed>,
    objects: ObjectStore,
    state: Arc<StateReader>,
    turn: Mutex<()>,
}

impl StateFollower {
    /// Starts from the newest usable checkpoint of `checkpoints` (the processor's folder), or from nothing.
    pub async fn open(
        feed: Arc<dyn Feed>,
        objects: ObjectStore,
        checkpoints: Option<PathBuf>,
    ) -> Result<StateFollower, QueryError> {
        let state = match checkpoints.as_deref().filter(|dir| dir.exists()) {
            Some(dir) => from_checkpoint(&*feed, dir).await?,
            None => StateReader::default(),
        };
        Ok(StateFollower { feed, objects, state: Arc::new(state), turn: Mutex::new(()) })
    }

    /// The fold; newer than what was last asked for, perhaps.
    pub fn state(&self) -> &Arc<StateReader> {
        &self.state
    }

    /// Applies every commit that the catalog has now.
    pub async fn catch_up(&self) -> Result<CommitSeq, QueryError> {
        let wanted =
            self.feed.latest_seq().await.map_err(|e| QueryError::storage("reading the catalog", e))?;
        if self.state.applied() >= wanted {
            return Ok(self.state.applied());
        }
        let _turn = self.turn.lock().await;
        while self.state.applied() < wanted {
            let records = self
                .feed
                .feed(self.state.applied(), FEED_BATCH)
                .await
                .map_err(|e| QueryError::storage("reading the commit feed", e))?;
            if records.is_empty() {
                return Err(QueryError::damaged("reading the commit feed", "commits are missing from it"));
            }
            for record in &records {
                self.apply(record).await?;
            }
        }
        Ok(self.state.applied())
    }

    /// Catches up every [`POLL`] for as long as anybody else holds the follower, so that a query after a quiet
    /// night finds little left to fold. A failure is told once, not at every turn.
    pub(crate) async fn keep_up(follower: Weak<StateFollower>) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(POLL).await;
            let Some(follower) = follower.upgrade() else { return };
            let problem = follower.catch_up().await.err().map(|e| e.to_string()).unwrap_or_default();
            if problem != told && !problem.is_empty() {
                tracing::warn!(%problem, "the fold of commits does not keep up; queries will say the same");
            }
            told = problem;
        }
    }

    async fn apply(&self, record: &CommitRecord) -> Result<(), QueryError> {
        let fold = |e| QueryError::damaged("folding a commit", e);
        match &record.delta {
            None => self.state.pass(record.seq, record.id).map_err(fold)?,
            Some(key) => {
                let bytes = self.objects.get(key).await.map_err(crate::scan::storage)?;
                let delta = Delta::decode(&bytes).map_err(fold)?;
                self.state.apply(record.seq, &delta).map_err(fold)?
            }
        };
        Ok(())
    }
}

/// The newest checkpoint, if the catalog knows its last commit under the same number.
async fn from_checkpoint(feed: &dyn Feed, dir: &Path) -> Result<StateReader, QueryError> {
    let state = StateReader::open(dir).map_err(|e| QueryError::damaged("opening a state checkpoint", e))?;
    let Some((seq, commit)) = state.tip() else { return Ok(state) };
    let before = CommitSeq(seq.0.saturating_sub(1));
    let records =
        feed.feed(before, 1).await.map_err(|e| QueryError::storage("reading the commit feed", e))?;
    match records.first() {
        Some(record) if record.seq == seq && record.id == commit => Ok(state),
        _ => {
            tracing::warn!(
                seq = seq.0,
                "the state checkpoint is not of this catalog; folding from the start"
            );
            Ok(StateReader::default())
        }
    }
}
