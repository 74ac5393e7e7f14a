//! Which segment is to be rewritten next, because rows in it are not to be there any more.
//!
//! Guarantees: a segment is looked through once per set of rows to erase, however long the erasing takes.
//! Deliberately not here: the merge itself.

use crate::erase::{Due, holds};
use crate::plan::{Task, rewrite};
use crate::{Catalog, Result};
use model::{CommitSeq, ProjectId, SegmentId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tallymark_ledger::SegmentMeta;
use tallymark_model as model;
use tallymark_store::ObjectStore;
use tokio::time::Instant;

/// Masks are written in when none came for this many looks, or after ten times as many.
const PATIENCE: u32 = 10;

#[derive(Debug, Default)]
pub(crate) struct Rewriter {
    looked: Option<Instant>,
    /// Newest mask at the last look, and for how many looks masks have been waiting.
    newest: CommitSeq,
    waited: u32,
    /// Segments without rows that are to go, per project, and for which wishes that holds.
    clean: HashMap<ProjectId, (Vec<u32>, HashSet<SegmentId>)>,
}

impl Rewriter {
    /// True if another look is due; looks follow each other at once while there is work.
    pub fn is_time(&self, every: Duration) -> bool {
        self.looked.is_none_or(|at| at.elapsed() >= every)
    }

    /// Nothing is left to do for now.
    pub fn rested(&mut self) {
        self.looked = Some(Instant::now());
    }

    /// The masked segment to rewrite next. While masks keep coming (a reprocess is running), it waits: every
    /// rewriting of a large file would be in vain.
    pub async fn masked(&mut self, catalog: &dyn Catalog, live: &[SegmentMeta]) -> Result<Option<Task>> {
        let ids: Vec<SegmentId> = live.iter().map(|s| s.id).collect();
        let masked = catalog.masked(&ids).await?;
        let newest = masked.iter().flat_map(|(_, masks)| masks).map(|m| m.seq).max().unwrap_or_default();
        let quiet = newest == self.newest || self.looked.is_none();
        self.newest = newest;
        self.waited = if masked.is_empty() { 0 } else { self.waited + 1 };
        if !quiet && self.waited < PATIENCE {
            return Ok(None);
        }
        let first = live.iter().find(|s| masked.iter().any(|(id, _)| *id == s.id));
        Ok(first.map(rewrite))
    }

    /// The next segment that holds rows to erase.
    pub fn next(&mut self, due: &Due, live: &[SegmentMeta], store: &ObjectStore) -> Result<Option<Task>> {
        let (wishes, clean) = self.clean.entry(due.project).or_default();
        if *wishes != due.wishes {
            (*wishes, *clean) = (due.wishes.clone(), HashSet::new());
        }
        for segment in live.iter().filter(|s| s.project == due.project) {
            if clean.contains(&segment.id) {
                continue;
            }
            if holds(store, segment, &due.rows)? {
                return Ok(Some(rewrite(segment)));
            }
            clean.insert(segment.id);
        }
        Ok(None)
    }

    /// True if a project has no segments but those that were looked through.
    pub async fn is_done(
        &self,
        catalog: &dyn Catalog,
        project: ProjectId,
        seen: &[SegmentMeta],
    ) -> Result<bool> {
        let known: HashSet<SegmentId> = seen.iter().map(|s| s.id).collect();
        let live = catalog.live().await?;
        Ok(live.iter().filter(|s| s.project == project).all(|s| known.contains(&s.id)))
    }
}
