//! The catalog by noun: small traits, so that a role can be given only what it needs.
//!
//! Guarantees: answers of the domain are values, `Err` means the catalog itself failed or was misused.
//! Deliberately not here: storage.

use crate::{
    AuditEntry, Books, CatalogError, Commit, CommitAnswer, CommitRecord, CreatedKey, CreatedProject, Cursor,
    Definition, DefinitionKind, ErasureDocument, Job, JobKind, JobProgress, JobWish, KeyInfo, KeyKind, Lease,
    LeaseAnswer, LeaseName, LedgerRow, Mask, MembershipInfo, NewCohort, NewJob, NewKey, NewProject, NewUser,
    Project, RestatedRow, RuleDocument, SegmentMeta, Session, SetupAnswer, Snapshot, StoredCohort, User,
    Verified,
};
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use tallymark_ledger::Tally;
use tallymark_model::{
    CommitId, CommitSeq, Erasure, LogId, Millis, ProjectId, ProjectToken, Rule, SegmentId, Shard,
};

/// Reading commits in order; state is folded from this.
#[async_trait]
pub trait Feed: Send + Sync {
    /// At most `limit` commits after `after`, in order.
    async fn feed(&self, after: CommitSeq, limit: usize) -> Result<Vec<CommitRecord>, CatalogError>;
    /// The newest commit (0 before the first).
    async fn latest_seq(&self) -> Result<CommitSeq, CatalogError>;
}

/// Making things visible.
#[async_trait]
pub trait Commits: Feed {
    /// Applies a commit as a whole, or changes nothing.
    async fn commit(&self, commit: &Commit) -> Result<CommitAnswer, CatalogError>;
    /// Whether a commit is in; ask this after an ambiguous failure.
    async fn status(&self, id: CommitId) -> Result<Option<CommitSeq>, CatalogError>;
}

/// Deciding who may commit.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease that is free, run out, or already this owner's; always with a new epoch.
    async fn acquire(&self, name: LeaseName, owner: &str, ttl: Duration)
    -> Result<LeaseAnswer, CatalogError>;
    /// Prolongs a lease; `None` if somebody else has taken it.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>, CatalogError>;
    /// Gives a lease back, so that the next owner need not wait.
    async fn release(&self, lease: &Lease) -> Result<(), CatalogError>;
}

/// Reading what is committed.
#[async_trait]
pub trait Snapshots: Feed {
    /// A project's live segments as of a commit (the newest if `None`), consistently (I7).
    async fn snapshot(&self, project: ProjectId, at: Option<CommitSeq>) -> Result<Snapshot, CatalogError>;
    /// How far each shard is processed now.
    async fn cursors(&self) -> Result<Vec<Cursor>, CatalogError>;
    /// How far each shard was processed as of a commit.
    async fn cursors_at(&self, at: CommitSeq) -> Result<Vec<(Shard, u64)>, CatalogError>;
    /// The books, rows that touch `[from, to)` in receive time, by shard and offset. With a project, tallies are
    /// the project's; skipped and lost rows are always listed.
    async fn ledger(
        &self,
        project: Option<ProjectId>,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Result<Vec<LedgerRow>, CatalogError>;
    /// Ledger rows, cursors and sums of one commit sequence.
    async fn books(
        &self,
        project: ProjectId,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Result<Books, CatalogError>;
    /// Sum of everything accounted, of one project or of all.
    async fn tally(&self, project: Option<ProjectId>) -> Result<Tally, CatalogError>;
    /// Replaced accounts, newest first; of records received in `[from, to)` if given.
    async fn restatements(
        &self,
        from: Option<Millis>,
        to: Option<Millis>,
        limit: usize,
    ) -> Result<Vec<RestatedRow>, CatalogError>;
    /// Every skipped interval, by shard and offset.
    async fn skipped(&self) -> Result<Vec<LedgerRow>, CatalogError>;
    /// Every interval that is not accounted but skipped or lost, by shard and offset.
    async fn anomalies(&self) -> Result<Vec<LedgerRow>, CatalogError> {
        let mut rows = self.ledger(None, None, None).await?;
        rows.retain(|r| !matches!(r.account, tallymark_ledger::Account::Accounted { .. }));
        Ok(rows)
    }
    /// The log the catalog belongs to, once it was bound.
    async fn log_id(&self) -> Result<Option<LogId>, CatalogError>;
}

/// Deciding which segment files may go.
#[async_trait]
pub trait Garbage: Send + Sync {
    /// True if the newest snapshot of its project reads this segment.
    async fn is_live(&self, id: SegmentId) -> Result<bool, CatalogError>;
    /// Segments that were removed by commits up to and including `seq`, and not forgotten yet.
    async fn removed_before(&self, seq: CommitSeq) -> Result<Vec<SegmentMeta>, CatalogError>;
    /// Drops the rows of removed segments whose files are gone. Live ones are left alone.
    async fn forget(&self, ids: &[SegmentId]) -> Result<u64, CatalogError>;
    /// Every live segment of every project.
    async fn live(&self) -> Result<Vec<SegmentMeta>, CatalogError>;
    /// Positions whose rows do not count, of these live segments, as of the newest commit.
    async fn masked(&self, ids: &[SegmentId]) -> Result<Vec<(SegmentId, Vec<Mask>)>, CatalogError>;
    /// Drops masks that no live segment is old enough for; returns how many.
    async fn drop_spent_masks(&self) -> Result<u64, CatalogError>;
}

/// Long work that an operator asked for.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Queues a job.
    async fn create_job(&self, new: NewJob) -> Result<Job, CatalogError>;
    /// One job.
    async fn job(&self, id: i64) -> Result<Option<Job>, CatalogError>;
    /// The newest jobs, newest first.
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, CatalogError>;
    /// Takes the oldest job of these kinds that is queued, or running (its worker died: there is one worker per kind)
    /// and not wished paused or cancelled; it is running then.
    async fn claim_job(&self, kinds: &[JobKind]) -> Result<Option<Job>, CatalogError>;
    /// Says how far a job is and learns what is wanted of it.
    async fn report_job(&self, id: i64, progress: &JobProgress) -> Result<JobWish, CatalogError>;
    /// Ends the work on a job: done with a report, failed with an error, cancelled or paused.
    async fn end_job(
        &self,
        id: i64,
        state: crate::JobState,
        report: Value,
        error: Option<&str>,
    ) -> Result<(), CatalogError>;
    /// Wishes a job to run, pause or end. A queued or paused one that is to end is cancelled at once; a paused one
    /// that is to run is queued again. `None`: no such job, or it is over.
    async fn steer_job(&self, id: i64, wish: JobWish) -> Result<Option<Job>, CatalogError>;
}

/// Rules and erasures as people edit them.
#[async_trait]
pub trait Rules: Send + Sync {
    /// Adds a version of a rule: with `id` 0 a new rule gets the next number. `version`, `made_at` are set here.
    async fn put_rule(&self, rule: Rule) -> Result<RuleDocument, CatalogError>;
    /// The newest version of each rule of a project, by number.
    async fn rules(&self, project: ProjectId) -> Result<Vec<RuleDocument>, CatalogError>;
    /// Every version of one rule, oldest first.
    async fn rule_versions(&self, id: u32) -> Result<Vec<RuleDocument>, CatalogError>;
    /// Rule versions that are not in the log yet, in order of making.
    async fn unpublished_rules(&self) -> Result<Vec<Rule>, CatalogError>;
    /// Notes that a version is in the log.
    async fn rule_published(&self, id: u32, version: u32) -> Result<(), CatalogError>;
    /// Adds a wish to forget a person (`id` 0: the next number), or takes one back (`undone`).
    async fn put_erasure(&self, erasure: Erasure) -> Result<ErasureDocument, CatalogError>;
    /// Every wish of a project (or all), newest first.
    async fn erasures(&self, project: Option<ProjectId>) -> Result<Vec<ErasureDocument>, CatalogError>;
    /// Notes that a wish (as it stands now) is in the log.
    async fn erasure_published(&self, id: u32) -> Result<(), CatalogError>;
    /// Notes that the last row was removed from files.
    async fn erasure_completed(&self, id: u32) -> Result<(), CatalogError>;
}

/// Cohorts that projects keep, and their members when they were last looked at.
#[async_trait]
pub trait Cohorts: Send + Sync {
    /// Keeps a cohort.
    async fn create_cohort(&self, new: NewCohort) -> Result<StoredCohort, CatalogError>;
    /// All of a project, by name.
    async fn cohorts(&self, project: ProjectId) -> Result<Vec<StoredCohort>, CatalogError>;
    /// One of them.
    async fn cohort(&self, project: ProjectId, id: i64) -> Result<Option<StoredCohort>, CatalogError>;
    /// Changes name or definition; false if there is no such cohort.
    async fn change_cohort(
        &self,
        project: ProjectId,
        id: i64,
        name: Option<&str>,
        definition: Option<&Value>,
        by: &str,
    ) -> Result<bool, CatalogError>;
    /// Forgets it; false if there is no such cohort.
    async fn delete_cohort(&self, project: ProjectId, id: i64, by: &str) -> Result<bool, CatalogError>;
    /// Stores who is in it; false if its definition has another version by now.
    async fn set_members(
        &self,
        id: i64,
        membership: &MembershipInfo,
        members: &[u8],
    ) -> Result<bool, CatalogError>;
    /// What was stored, if it is of the current definition.
    async fn members(&self, project: ProjectId, id: i64) -> Result<Option<Vec<u8>>, CatalogError>;
}

/// Virtual events, custom properties, lookup tables, renames.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// Adds a version of a definition; without a body it is deleted.
    async fn define(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
        body: Option<&Value>,
        by: &str,
    ) -> Result<Definition, CatalogError>;
    /// The newest version of each that is not deleted, by kind and name.
    async fn definitions(&self, project: ProjectId) -> Result<Vec<Definition>, CatalogError>;
    /// Every version of one, newest first.
    async fn definition_versions(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
    ) -> Result<Vec<Definition>, CatalogError>;
    /// A number that grows with every change of the project's definitions, for caches.
    async fn definitions_mark(&self, project: ProjectId) -> Result<i64, CatalogError>;
}

/// Settings of the instance, small JSON documents by key (`environment`, `retention`, `backup`, `alerts`, …).
#[async_trait]
pub trait Instance: Send + Sync {
    /// A setting.
    async fn setting(&self, key: &str) -> Result<Option<Value>, CatalogError>;
    /// Every setting.
    async fn settings(&self) -> Result<Vec<(String, Value)>, CatalogError>;
    /// Sets it.
    async fn set_setting(&self, key: &str, value: &Value) -> Result<(), CatalogError>;
    /// Replaces the options of a project (`Project::settings`); false if there is no such project.
    async fn set_project_options(&self, project: ProjectId, options: &Value) -> Result<bool, CatalogError>;
}

/// Deleting projects so that it can be taken back.
#[async_trait]
pub trait Tombstones: Send + Sync {
    /// Marks a project as deleted until `undo_until`, after which its files may go. False if there is none.
    async fn delete_project(&self, project: ProjectId, undo_until: Millis) -> Result<bool, CatalogError>;
    /// Takes that back. False if it is too late or nothing was deleted.
    async fn undelete_project(&self, project: ProjectId) -> Result<bool, CatalogError>;
    /// Deleted projects with the time until which that can be taken back.
    async fn deleted_projects(&self) -> Result<Vec<(Project, Millis)>, CatalogError>;
}

/// Projects and keys.
#[async_trait]
pub trait Settings: Send + Sync {
    /// Creates a project with one write and one secret key.
    async fn create_project(&self, new: NewProject) -> Result<CreatedProject, CatalogError>;
    /// Every project, by id.
    async fn projects(&self) -> Result<Vec<Project>, CatalogError>;
    /// A project by id or by name; an id wins.
    async fn project(&self, id_or_name: &str) -> Result<Option<Project>, CatalogError>;
    /// Whose events a token's are. Admin and revoked keys belong to no project.
    async fn resolve(&self, token: ProjectToken) -> Result<Option<(ProjectId, KeyKind)>, CatalogError>;
    /// What a credential is, if it is valid; notes that it was used.
    async fn verify_key(&self, credential: &str) -> Result<Option<Verified>, CatalogError>;
    /// Creates a key.
    async fn create_key(&self, new: NewKey) -> Result<CreatedKey, CatalogError>;
    /// The keys of a project, or the admin keys, newest first.
    async fn keys(&self, project: Option<ProjectId>) -> Result<Vec<KeyInfo>, CatalogError>;
    /// Ends a key of this project (`None`: an admin key); false if there is no such live key.
    async fn revoke_key(&self, project: Option<ProjectId>, id: i64) -> Result<bool, CatalogError>;
}

/// People and sessions.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// True as long as nobody can log in.
    async fn setup_required(&self) -> Result<bool, CatalogError>;
    /// Makes this the one valid set-up code; false if the instance is set up already.
    async fn offer_setup(&self, code: &str) -> Result<bool, CatalogError>;
    /// Uses the code up, creating the first user and, if asked, the first project: all or nothing.
    async fn complete_setup(
        &self,
        code: &str,
        user: NewUser,
        project: Option<NewProject>,
    ) -> Result<SetupAnswer, CatalogError>;
    /// Adds a person.
    async fn create_user(&self, user: NewUser) -> Result<User, CatalogError>;
    /// A person with their PHC string, by address.
    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, CatalogError>;
    /// Replaces a person's PHC string.
    async fn set_password(&self, user: i64, password: &str) -> Result<(), CatalogError>;
    /// Opens a session for a token made by the caller.
    async fn open_session(&self, user: i64, token: &str) -> Result<(), CatalogError>;
    /// The session of a token, if it is neither idle for longer nor older than this; marks it as used.
    async fn session(
        &self,
        token: &str,
        idle: Duration,
        absolute: Duration,
    ) -> Result<Option<Session>, CatalogError>;
    /// Ends a session.
    async fn close_session(&self, token: &str) -> Result<(), CatalogError>;
    /// Ends all sessions of a person.
    async fn close_sessions(&self, user: i64) -> Result<(), CatalogError>;
    /// Writes a line of the audit trail.
    async fn audit(&self, actor: &str, action: &str, subject: &str) -> Result<(), CatalogError>;
    /// The newest lines of the audit trail, newest first.
    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>, CatalogError>;
}
