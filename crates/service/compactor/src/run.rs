//! The loop: hold the lease, look, merge, collect, again.

use crate::erase::due;
use crate::execute::{Committer, Done, execute, now};
use crate::failpoint::failpoint;
use crate::follow::Follower;
use crate::garbage::{Collected, Collector, Grace};
use crate::plan::{Action, Task, plan};
use crate::rewriter::Rewriter;
use crate::{Catalog, CompactError, CompactorConfig, Deps, ErasedRows, Result};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tallymark_catalog::{Lease, LeaseAnswer, LeaseName};
use tallymark_ledger::SegmentMeta;
use tallymark_model::{Millis, SegmentId};
use tallymark_store::{ObjectStore, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A segment that made a merge fail is left alone for this long, so that it does not keep others waiting.
const BACKOFF_MS: Millis = 300_000;

/// Compacts until cancelled. Trouble is logged and tried again; only losing the lease makes it wait for another.
pub async fn run(config: CompactorConfig, deps: Deps, cancel: CancellationToken) -> Result<()> {
    let mut compactor = Compactor::open(config, deps)?;
    while !cancel.is_cancelled() {
        let worked = match compactor.round(&cancel).await {
            Ok(worked) => worked,
            Err(CompactError::Cancelled) => break,
            Err(CompactError::Fenced(epoch)) => {
                tracing::info!(epoch = epoch.0, "another compactor took over");
                compactor.lease = None;
                false
            }
            Err(error) => {
                tracing::warn!(%error, "compaction failed; trying again");
                metrics::counter!("tallymark_compaction_errors_total").increment(1);
                false
            }
        };
        if !worked {
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(compactor.config.interval) => {}
            }
        }
    }
    compactor.close().await
}

/// The state of the loop; tests drive it round by round.
#[derive(Debug)]
pub struct Compactor {
    config: CompactorConfig,
    deps: Deps,
    follower: Follower,
    lease: Option<Held>,
    /// Segments that made a merge fail, and until when they are left alone.
    failed: FxHashMap<SegmentId, Millis>,
    collected_at: Option<Instant>,
    collector: Collector,
    rewriter: Rewriter,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    committer: Committer,
    renewed: Instant,
}

impl Compactor {
    /// Ready for the first round.
    pub fn open(config: CompactorConfig, deps: Deps) -> Result<Compactor> {
        let follower = Follower::open(config.checkpoints.as_deref())?;
        Ok(Compactor {
            config,
            deps,
            follower,
            lease: None,
            failed: FxHashMap::default(),
            collected_at: None,
            collector: Collector::default(),
            rewriter: Rewriter::default(),
        })
    }

    /// One look: at most one merge, and garbage if it is time. True if there may be more to do at once.
    pub async fn round(&mut self, cancel: &CancellationToken) -> Result<bool> {
        if !self.hold_lease().await? {
            return Ok(false);
        }
        if self.collected_at.is_none_or(|at| at.elapsed() >= self.config.collect) {
            self.collect().await?;
            self.collected_at = Some(Instant::now());
        }
        let now = now();
        self.failed.retain(|_, until| *until > now);
        let mut live = self.catalog().live().await?;
        live.retain(|segment| !self.failed.contains_key(&segment.id));
        let tasks = plan(&live, now, &self.config.plan);
        metrics::gauge!("tallymark_compaction_tasks_due").set(tasks.len() as f64);
        let due =
            tasks.into_iter().find(|t| t.inputs.first().is_some_and(|s| !self.failed.contains_key(&s.id)));
        match due {
            Some(task) => self.carry_out(&task, &ErasedRows::None, now, cancel).await,
            None => self.rewrite(&live, now, cancel).await,
        }
    }

    /// With nothing to merge: writes masks in, and erases whoever is to be forgotten for good.
    async fn rewrite(
        &mut self,
        live: &[SegmentMeta],
        now: Millis,
        cancel: &CancellationToken,
    ) -> Result<bool> {
        if !self.rewriter.is_time(self.config.rewrite) {
            return Ok(false);
        }
        let catalog = Arc::clone(&self.deps.catalog);
        if let Some(task) = self.rewriter.masked(catalog.as_ref(), live).await? {
            return self.carry_out(&task, &ErasedRows::None, now, cancel).await;
        }
        self.follower.catch_up(catalog.as_ref(), &self.deps.store).await?;
        for due in due(catalog.as_ref(), &self.follower, now).await? {
            if let Some(task) = self.rewriter.next(&due, live, &self.deps.store)? {
                return self.carry_out(&task, &due.rows, now, cancel).await;
            }
            failpoint("erase_before_complete");
            for wish in due.wishes {
                // Asked of the catalog again: a commit may have added rows since the segments were listed.
                if self.rewriter.is_done(catalog.as_ref(), due.project, live).await? {
                    catalog.erasure_completed(wish).await?;
                    tracing::info!(project = due.project.0, erasure = wish, "a person is erased");
                }
            }
        }
        self.rewriter.rested();
        Ok(false)
    }

    /// Deletes files that may go.
    pub async fn collect(&mut self) -> Result<Collected> {
        let Some(held) = &self.lease else { return Ok(Collected::default()) };
        let grace = Grace {
            before: now() - self.config.grace.as_millis() as Millis,
            commits: self.config.grace_commits,
        };
        let epoch = held.lease.epoch;
        let catalog = Arc::clone(&self.deps.catalog);
        let collected = self.collector.collect(catalog.as_ref(), &self.deps.store, epoch, grace).await?;
        if collected != Collected::default() {
            tracing::info!(?collected, "collected garbage");
        }
        for (kind, count) in [("replaced", collected.replaced), ("orphan", collected.orphans)] {
            metrics::counter!("tallymark_garbage_files_total", "kind" => kind).increment(count as u64);
        }
        Ok(collected)
    }

    /// Gives the lease back.
    pub async fn close(self) -> Result<()> {
        if let Some(held) = &self.lease {
            self.deps.catalog.release(&held.lease).await?;
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        task: &Task,
        erased: &ErasedRows,
        now: Millis,
        cancel: &CancellationToken,
    ) -> Result<bool> {
        let started = Instant::now();
        if matches!(task.action, Action::Split | Action::Day(_)) {
            // Only these sort by person.
            self.follower.catch_up(self.deps.catalog.as_ref(), &self.deps.store).await?;
        }
        let identity = self.follower.snapshot(task.project);
        let Some(held) = &mut self.lease else { return Ok(false) };
        let store: &ObjectStore = &self.deps.store;
        let catalog: &dyn Catalog = self.deps.catalog.as_ref();
        let merging =
            execute(task, erased, &identity, &mut held.committer, catalog, store, &self.config, cancel);
        let done = keep(merging, &mut held.lease, &mut held.renewed, catalog, self.config.lease).await;
        match &done {
            Ok(Done::Committed { rows, .. }) => {
                let name = match task.action {
                    Action::Gather => "gather",
                    Action::Split => "split",
                    Action::Day(_) => "day",
                    Action::Names(_) => "names",
                };
                metrics::counter!("tallymark_compaction_rows_total", "action" => name).increment(*rows);
                metrics::histogram!("tallymark_compaction_seconds").record(started.elapsed().as_secs_f64());
                tracing::info!(
                    project = task.project.0,
                    action = name,
                    inputs = task.inputs.len(),
                    rows,
                    elapsed_ms = started.elapsed().as_millis() as u64,
                    "compacted"
                );
            }
            Ok(Done::Conflict) => tracing::info!(project = task.project.0, "the segments changed meanwhile"),
            Ok(Done::TooBig) => self.set_aside(task, None, now),
            Err(CompactError::Cancelled | CompactError::Fenced(_)) => {}
            Err(error) => self.set_aside(task, Some(error), now),
        }
        done.map(|_| true)
    }

    /// Leaves the segment that is to blame out of the next plans; the first one if none can be told.
    fn set_aside(&mut self, task: &Task, error: Option<&CompactError>, now: Millis) {
        let blamed = task.inputs.iter().find(|segment| match error {
            Some(CompactError::Damaged { id }) => segment.id == *id,
            Some(CompactError::Store(StoreError::Corrupt { key, .. } | StoreError::NotFound { key })) => {
                segment.key == *key
            }
            _ => false,
        });
        if let Some(segment) = blamed.or(task.inputs.first()) {
            self.failed.insert(segment.id, now + BACKOFF_MS);
        }
    }

    fn catalog(&self) -> &dyn Catalog {
        self.deps.catalog.as_ref()
    }

    /// True if this process may compact now.
    async fn hold_lease(&mut self) -> Result<bool> {
        let ttl = self.config.lease;
        if let Some(held) = &mut self.lease {
            if held.renewed.elapsed() < ttl / 3 {
                return Ok(true);
            }
            match self.deps.catalog.renew(&held.lease, ttl).await? {
                Some(lease) => {
                    held.lease = lease;
                    held.renewed = Instant::now();
                    return Ok(true);
                }
                None => self.lease = None,
            }
        }
        match self.deps.catalog.acquire(LeaseName::Compact, &self.config.owner, ttl).await? {
            LeaseAnswer::Granted(lease) => {
                let committer = Committer { epoch: lease.epoch, parent: None };
                self.lease = Some(Held { lease, committer, renewed: Instant::now() });
                Ok(true)
            }
            LeaseAnswer::Held { owner, .. } => {
                tracing::debug!(owner, "another compactor is at work");
                Ok(false)
            }
        }
    }
}

/// Waits for a merge and keeps the lease alive meanwhile.
async fn keep(
    merging: impl Future<Output = Result<Done>>,
    lease: &mut Lease,
    renewed: &mut Instant,
    catalog: &dyn Catalog,
    ttl: std::time::Duration,
) -> Result<Done> {
    tokio::pin!(merging);
    loop {
        tokio::select! {
            done = &mut merging => return done,
            () = tokio::time::sleep(ttl / 3) => {
                // Losing it is no reason to stop: the commit will be refused.
                if let Some(longer) = catalog.renew(lease, ttl).await? {
                    *lease = longer;
                    *renewed = Instant::now();
                }
            }
        }
    }
}
