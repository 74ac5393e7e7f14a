//! A catalog that fails: before it did anything, or after it did everything (the answer is lost).

use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{
    Books, CatalogError, Commit, CommitAnswer, CommitRecord, Commits, CreatedKey, CreatedProject, Cursor,
    Feed, Job, JobKind, JobProgress, JobState, JobWish, Jobs, KeyInfo, KeyKind, Lease, LeaseAnswer,
    LeaseName, Leases, LedgerRow, NewJob, NewKey, NewProject, Project, RestatedRow, Settings, Snapshot,
    Snapshots, Verified,
};
use tallymark_ledger::Tally;
use tallymark_model::{CommitId, CommitSeq, LogId, Millis, ProjectId, ProjectToken, Shard};
use tokio::sync::Notify;

type Answer<T> = Result<T, CatalogError>;

/// How calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Never.
    None,
    /// Every n-th call fails before it had an effect, every other n-th after it had.
    Often(u32),
    /// Commits wait until they are released.
    Frozen,
    /// Every other commit is refused, as if the cursors were elsewhere.
    Refused,
}

/// The catalog, with trouble.
#[derive(Clone)]
pub struct Flaky {
    pub inner: SqliteCatalog,
    trouble: Trouble,
    calls: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    /// Told when a commit is waiting.
    pub waiting: Arc<Notify>,
    /// Lets a waiting commit go.
    pub release: Arc<Notify>,
}

impl Flaky {
    pub fn new(inner: SqliteCatalog, trouble: Trouble) -> Flaky {
        Flaky {
            inner,
            trouble,
            calls: Arc::default(),
            refused: Arc::default(),
            waiting: Arc::default(),
            release: Arc::default(),
        }
    }

    /// How many calls were made.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn call<T>(&self, call: impl Future<Output = Answer<T>>) -> Answer<T> {
        let n = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.trouble {
            Trouble::Often(every) if n.is_multiple_of(2 * every) => Err(failure().await),
            Trouble::Often(every) if n.is_multiple_of(every) => {
                call.await?;
                Err(failure().await)
            }
            _ => call.await,
        }
    }
}

/// A database error as the real one makes them.
async fn failure() -> CatalogError {
    let nowhere = std::path::Path::new("/nonexistent/catalog.db");
    SqliteCatalog::open(nowhere, OpenMode::Existing).await.expect_err("there is no such folder")
}

#[async_trait]
impl Feed for Flaky {
    async fn feed(&self, after: CommitSeq, limit: usize) -> Answer<Vec<CommitRecord>> {
        self.call(self.inner.feed(after, limit)).await
    }
    async fn latest_seq(&self) -> Answer<CommitSeq> {
        self.call(self.inner.latest_seq()).await
    }
}

#[async_trait]
impl Commits for Flaky {
    async fn commit(&self, commit: &Commit) -> Answer<CommitAnswer> {
        if self.trouble == Trouble::Frozen {
            self.waiting.notify_one();
            self.release.notified().await;
        }
        let n = self.calls();
        if self.trouble == Trouble::Refused && self.refused.swap(n, Ordering::SeqCst) == 0 {
            return Ok(match (commit.advances.first(), commit.restate.first()) {
                (Some(a), _) => CommitAnswer::Behind { shard: a.shard, cursor: a.to },
                (None, Some(r)) => CommitAnswer::Mismatch { interval: r.interval },
                (None, None) => CommitAnswer::Conflict { missing: commit.remove.clone() },
            });
        }
        self.refused.store(0, Ordering::SeqCst);
        self.call(self.inner.commit(commit)).await
    }
    async fn status(&self, id: CommitId) -> Answer<Option<CommitSeq>> {
        self.call(self.inner.status(id)).await
    }
}

#[async_trait]
impl Leases for Flaky {
    async fn acquire(&self, name: LeaseName, owner: &str, ttl: Duration) -> Answer<LeaseAnswer> {
        self.call(self.inner.acquire(name, owner, ttl)).await
    }
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Answer<Option<Lease>> {
        if self.trouble == Trouble::Frozen {
            // A frozen process renews nothing.
            return Ok(Some(lease.clone()));
        }
        self.call(self.inner.renew(lease, ttl)).await
    }
    async fn release(&self, lease: &Lease) -> Answer<()> {
        self.call(self.inner.release(lease)).await
    }
}

#[async_trait]
impl Snapshots for Flaky {
    async fn snapshot(&self, project: ProjectId, at: Option<CommitSeq>) -> Answer<Snapshot> {
        self.call(self.inner.snapshot(project, at)).await
    }
    async fn cursors(&self) -> Answer<Vec<Cursor>> {
        self.call(self.inner.cursors()).await
    }
    async fn cursors_at(&self, at: CommitSeq) -> Answer<Vec<(Shard, u64)>> {
        self.call(self.inner.cursors_at(at)).await
    }
    async fn ledger(
        &self,
        project: Option<ProjectId>,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Answer<Vec<LedgerRow>> {
        self.call(self.inner.ledger(project, from, to)).await
    }
    async fn books(&self, project: ProjectId, from: Option<Millis>, to: Option<Millis>) -> Answer<Books> {
        self.call(self.inner.books(project, from, to)).await
    }
    async fn tally(&self, project: Option<ProjectId>) -> Answer<Tally> {
        self.call(self.inner.tally(project)).await
    }
    async fn restatements(
        &self,
        from: Option<Millis>,
        to: Option<Millis>,
        limit: usize,
    ) -> Answer<Vec<RestatedRow>> {
        self.call(self.inner.restatements(from, to, limit)).await
    }
    async fn skipped(&self) -> Answer<Vec<LedgerRow>> {
        self.call(self.inner.skipped()).await
    }
    async fn log_id(&self) -> Answer<Option<LogId>> {
        self.call(self.inner.log_id()).await
    }
}

#[async_trait]
impl Jobs for Flaky {
    async fn create_job(&self, new: NewJob) -> Answer<Job> {
        self.inner.create_job(new).await
    }
    async fn job(&self, id: i64) -> Answer<Option<Job>> {
        self.inner.job(id).await
    }
    async fn jobs(&self, limit: usize) -> Answer<Vec<Job>> {
        self.inner.jobs(limit).await
    }
    async fn claim_job(&self, kinds: &[JobKind]) -> Answer<Option<Job>> {
        self.call(self.inner.claim_job(kinds)).await
    }
    async fn report_job(&self, id: i64, progress: &JobProgress) -> Answer<JobWish> {
        self.call(self.inner.report_job(id, progress)).await
    }
    async fn end_job(&self, id: i64, state: JobState, report: Value, error: Option<&str>) -> Answer<()> {
        self.call(self.inner.end_job(id, state, report, error)).await
    }
    async fn steer_job(&self, id: i64, wish: JobWish) -> Answer<Option<Job>> {
        self.inner.steer_job(id, wish).await
    }
}

#[async_trait]
impl Settings for Flaky {
    async fn create_project(&self, new: NewProject) -> Answer<CreatedProject> {
        self.inner.create_project(new).await
    }
    async fn projects(&self) -> Answer<Vec<Project>> {
        self.inner.projects().await
    }
    async fn project(&self, id_or_name: &str) -> Answer<Option<Project>> {
        self.inner.project(id_or_name).await
    }
    async fn resolve(&self, token: ProjectToken) -> Answer<Option<(ProjectId, KeyKind)>> {
        self.call(self.inner.resolve(token)).await
    }
    async fn verify_key(&self, credential: &str) -> Answer<Option<Verified>> {
        self.inner.verify_key(credential).await
    }
    async fn create_key(&self, new: NewKey) -> Answer<CreatedKey> {
        self.inner.create_key(new).await
    }
    async fn keys(&self, project: Option<ProjectId>) -> Answer<Vec<KeyInfo>> {
        self.inner.keys(project).await
    }
    async fn revoke_key(&self, project: Option<ProjectId>, id: i64) -> Answer<bool> {
        self.inner.revoke_key(project, id).await
    }
}
