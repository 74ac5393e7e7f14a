//! Identity as of the newest commit: the read-only fold of committed deltas, followed through the catalog's feed.

use crate::{CompactError, Result};
use model::{CommitSeq, ProjectId, Shard};
use std::collections::BTreeMap;
use std::path::Path;
use tallymark_catalog::{CatalogError, Feed};
use tallymark_model as model;
use tallymark_state::{Delta, ProjectSnapshot, StateReader};
use tallymark_store::ObjectStore;

/// Commits fetched at once.
const BATCH: usize = 256;

/// A fold that follows the feed.
#[derive(Debug)]
pub(crate) struct Follower {
    reader: StateReader,
    /// The fold came from a checkpoint that was not compared with the catalog yet.
    unchecked: bool,
}

impl Follower {
    pub fn open(checkpoints: Option<&Path>) -> Result<Follower> {
        let reader = match checkpoints {
            Some(dir) => StateReader::open(dir)?,
            None => StateReader::default(),
        };
        Ok(Follower { reader, unchecked: true })
    }

    /// Applies every commit there is.
    pub async fn catch_up<F: Feed + ?Sized>(&mut self, feed: &F, store: &ObjectStore) -> Result<()> {
        self.check(feed).await?;
        loop {
            let commits = feed.feed(self.reader.applied(), BATCH).await?;
            if commits.is_empty() {
                return Ok(());
            }
            for commit in commits {
                match &commit.delta {
                    Some(key) => {
                        let delta = Delta::decode(&store.get(key).await?)?;
                        self.reader.apply(commit.seq, &delta)?;
                    }
                    None => {
                        self.reader.pass(commit.seq, commit.id)?;
                    }
                }
            }
        }
    }

    /// Who is who in a project.
    pub fn snapshot(&self, project: ProjectId) -> ProjectSnapshot {
        self.reader.snapshot(project)
    }

    /// Where each shard passed a wish to forget somebody; `None` if the fold does not know it, or it is undone.
    pub fn erasure(&self, project: ProjectId, wish: u32) -> Option<BTreeMap<Shard, u64>> {
        let known = self.reader.erasures(project).into_iter().find(|w| w.erasure.id == wish);
        known.filter(|w| !w.erasure.undone).map(|w| w.from.into_iter().collect())
    }

    /// A checkpoint of another history (a restored catalog) is dropped, not continued.
    async fn check<F: Feed + ?Sized>(&mut self, feed: &F) -> Result<(), CompactError> {
        if !self.unchecked {
            return Ok(());
        }
        if let Some((seq, id)) = self.reader.tip() {
            let before = CommitSeq(seq.0.saturating_sub(1));
            let found: Result<_, CatalogError> = feed.feed(before, 1).await;
            if found?.first().is_none_or(|commit| commit.id != id) {
                tracing::warn!(
                    seq = seq.0,
                    "the checkpoint belongs to another history; folding from the start"
                );
                self.reader = StateReader::default();
            }
        }
        self.unchecked = false;
        Ok(())
    }
}
