//! The catalog for the process that answers the public: no commits, no leases, no deletions.
//!
//! Guarantees: what is not implemented here cannot be called, whatever a bug in the API would like to do.
//!
//! ```compile_fail
//! fn commits<T: tallymark_catalog::Commits>() {}
//! commits::<tallymark_catalog::sqlite::WebCatalog>();
//! ```
//!
//! ```compile_fail
//! fn deletes<T: tallymark_catalog::Garbage>() {}
//! deletes::<tallymark_catalog::sqlite::WebCatalog>();
//! ```
//! Deliberately not here: any logic.

use super::SqliteCatalog;
use crate::{
    Accounts, AuditEntry, Books, CatalogError, Cohorts, CommitRecord, CreatedKey, CreatedProject, Cursor,
    Definition, DefinitionKind, Definitions, ErasureDocument, Feed, Instance, Job, JobKind, JobProgress,
    JobState, JobWish, Jobs, KeyInfo, KeyKind, LedgerRow, MembershipInfo, NewCohort, NewJob, NewKey,
    NewProject, NewUser, Project, RestatedRow, RuleDocument, Rules, Session, Settings, SetupAnswer, Snapshot,
    Snapshots, StoredCohort, Tombstones, User, Verified,
};
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use tallymark_ledger::Tally;
use tallymark_model::{CommitSeq, Erasure, LogId, Millis, ProjectId, ProjectToken, Rule, Shard};

type Answer<T> = Result<T, CatalogError>;

/// Reads commits, keeps settings and accounts; nothing else.
#[derive(Debug, Clone)]
pub struct WebCatalog(SqliteCatalog);

impl From<SqliteCatalog> for WebCatalog {
    fn from(catalog: SqliteCatalog) -> Self {
        WebCatalog(catalog)
    }
}

#[async_trait]
impl Feed for WebCatalog {
    async fn feed(&self, after: CommitSeq, limit: usize) -> Answer<Vec<CommitRecord>> {
        self.0.feed(after, limit).await
    }
    async fn latest_seq(&self) -> Answer<CommitSeq> {
        self.0.latest_seq().await
    }
}

#[async_trait]
impl Snapshots for WebCatalog {
    async fn snapshot(&self, project: ProjectId, at: Option<CommitSeq>) -> Answer<Snapshot> {
        self.0.snapshot(project, at).await
    }
    async fn cursors(&self) -> Answer<Vec<Cursor>> {
        self.0.cursors().await
    }
    async fn cursors_at(&self, at: CommitSeq) -> Answer<Vec<(Shard, u64)>> {
        self.0.cursors_at(at).await
    }
    async fn ledger(
        &self,
        project: Option<ProjectId>,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Answer<Vec<LedgerRow>> {
        self.0.ledger(project, from, to).await
    }
    async fn books(&self, project: ProjectId, from: Option<Millis>, to: Option<Millis>) -> Answer<Books> {
        self.0.books(project, from, to).await
    }
    async fn tally(&self, project: Option<ProjectId>) -> Answer<Tally> {
        self.0.tally(project).await
    }
    async fn restatements(
        &self,
        from: Option<Millis>,
        to: Option<Millis>,
        limit: usize,
    ) -> Answer<Vec<RestatedRow>> {
        self.0.restatements(from, to, limit).await
    }
    async fn skipped(&self) -> Answer<Vec<LedgerRow>> {
        self.0.skipped().await
    }
    async fn anomalies(&self) -> Answer<Vec<LedgerRow>> {
        self.0.anomalies().await
    }
    async fn log_id(&self) -> Answer<Option<LogId>> {
        self.0.log_id().await
    }
}

#[async_trait]
impl Settings for WebCatalog {
    async fn create_project(&self, new: NewProject) -> Answer<CreatedProject> {
        self.0.create_project(new).await
    }
    async fn projects(&self) -> Answer<Vec<Project>> {
        self.0.projects().await
    }
    async fn project(&self, id_or_name: &str) -> Answer<Option<Project>> {
        self.0.project(id_or_name).await
    }
    async fn resolve(&self, token: ProjectToken) -> Answer<Option<(ProjectId, KeyKind)>> {
        self.0.resolve(token).await
    }
    async fn verify_key(&self, credential: &str) -> Answer<Option<Verified>> {
        self.0.verify_key(credential).await
    }
    async fn create_key(&self, new: NewKey) -> Answer<CreatedKey> {
        self.0.create_key(new).await
    }
    async fn keys(&self, project: Option<ProjectId>) -> Answer<Vec<KeyInfo>> {
        self.0.keys(project).await
    }
    async fn revoke_key(&self, project: Option<ProjectId>, id: i64) -> Answer<bool> {
        self.0.revoke_key(project, id).await
    }
}

#[async_trait]
impl Accounts for WebCatalog {
    async fn setup_required(&self) -> Answer<bool> {
        self.0.setup_required().await
    }
    async fn offer_setup(&self, code: &str) -> Answer<bool> {
        self.0.offer_setup(code).await
    }
    async fn complete_setup(
        &self,
        code: &str,
        user: NewUser,
        project: Option<NewProject>,
    ) -> Answer<SetupAnswer> {
        self.0.complete_setup(code, user, project).await
    }
    async fn create_user(&self, user: NewUser) -> Answer<User> {
        self.0.create_user(user).await
    }
    async fn user_by_email(&self, email: &str) -> Answer<Option<(User, String)>> {
        self.0.user_by_email(email).await
    }
    async fn set_password(&self, user: i64, password: &str) -> Answer<()> {
        self.0.set_password(user, password).await
    }
    async fn open_session(&self, user: i64, token: &str) -> Answer<()> {
        self.0.open_session(user, token).await
    }
    async fn session(&self, token: &str, idle: Duration, absolute: Duration) -> Answer<Option<Session>> {
        self.0.session(token, idle, absolute).await
    }
    async fn close_session(&self, token: &str) -> Answer<()> {
        self.0.close_session(token).await
    }
    async fn close_sessions(&self, user: i64) -> Answer<()> {
        self.0.close_sessions(user).await
    }
    async fn audit(&self, actor: &str, action: &str, subject: &str) -> Answer<()> {
        self.0.audit(actor, action, subject).await
    }
    async fn audit_log(&self, limit: usize) -> Answer<Vec<AuditEntry>> {
        self.0.audit_log(limit).await
    }
}

#[async_trait]
impl Jobs for WebCatalog {
    async fn create_job(&self, new: NewJob) -> Answer<Job> {
        self.0.create_job(new).await
    }
    async fn job(&self, id: i64) -> Answer<Option<Job>> {
        self.0.job(id).await
    }
    async fn jobs(&self, limit: usize) -> Answer<Vec<Job>> {
        self.0.jobs(limit).await
    }
    async fn claim_job(&self, kinds: &[JobKind]) -> Answer<Option<Job>> {
        self.0.claim_job(kinds).await
    }
    async fn report_job(&self, id: i64, progress: &JobProgress) -> Answer<JobWish> {
        self.0.report_job(id, progress).await
    }
    async fn end_job(&self, id: i64, state: JobState, report: Value, error: Option<&str>) -> Answer<()> {
        self.0.end_job(id, state, report, error).await
    }
    async fn steer_job(&self, id: i64, wish: JobWish) -> Answer<Option<Job>> {
        self.0.steer_job(id, wish).await
    }
}

#[async_trait]
impl Rules for WebCatalog {
    async fn put_rule(&self, rule: Rule) -> Answer<RuleDocument> {
        self.0.put_rule(rule).await
    }
    async fn rules(&self, project: ProjectId) -> Answer<Vec<RuleDocument>> {
        self.0.rules(project).await
    }
    async fn rule_versions(&self, id: u32) -> Answer<Vec<RuleDocument>> {
        self.0.rule_versions(id).await
    }
    async fn unpublished_rules(&self) -> Answer<Vec<Rule>> {
        self.0.unpublished_rules().await
    }
    async fn rule_published(&self, id: u32, version: u32) -> Answer<()> {
        self.0.rule_published(id, version).await
    }
    async fn put_erasure(&self, erasure: Erasure) -> Answer<ErasureDocument> {
        self.0.put_erasure(erasure).await
    }
    async fn erasures(&self, project: Option<ProjectId>) -> Answer<Vec<ErasureDocument>> {
        self.0.erasures(project).await
    }
    async fn erasure_published(&self, id: u32) -> Answer<()> {
        self.0.erasure_published(id).await
    }
    async fn erasure_completed(&self, id: u32) -> Answer<()> {
        self.0.erasure_completed(id).await
    }
}

#[async_trait]
impl Instance for WebCatalog {
    async fn setting(&self, key: &str) -> Answer<Option<Value>> {
        self.0.setting(key).await
    }
    async fn settings(&self) -> Answer<Vec<(String, Value)>> {
        self.0.settings().await
    }
    async fn set_setting(&self, key: &str, value: &Value) -> Answer<()> {
        self.0.set_setting(key, value).await
    }
    async fn set_project_options(&self, project: ProjectId, options: &Value) -> Answer<bool> {
        self.0.set_project_options(project, options).await
    }
}

#[async_trait]
impl Tombstones for WebCatalog {
    async fn delete_project(&self, project: ProjectId, undo_until: Millis) -> Answer<bool> {
        self.0.delete_project(project, undo_until).await
    }
    async fn undelete_project(&self, project: ProjectId) -> Answer<bool> {
        self.0.undelete_project(project).await
    }
    async fn deleted_projects(&self) -> Answer<Vec<(Project, Millis)>> {
        self.0.deleted_projects().await
    }
}

#[async_trait]
impl Cohorts for WebCatalog {
    async fn create_cohort(&self, new: NewCohort) -> Answer<StoredCohort> {
        self.0.create_cohort(new).await
    }
    async fn cohorts(&self, project: ProjectId) -> Answer<Vec<StoredCohort>> {
        self.0.cohorts(project).await
    }
    async fn cohort(&self, project: ProjectId, id: i64) -> Answer<Option<StoredCohort>> {
        self.0.cohort(project, id).await
    }
    async fn change_cohort(
        &self,
        project: ProjectId,
        id: i64,
        name: Option<&str>,
        definition: Option<&Value>,
        by: &str,
    ) -> Answer<bool> {
        self.0.change_cohort(project, id, name, definition, by).await
    }
    async fn delete_cohort(&self, project: ProjectId, id: i64, by: &str) -> Answer<bool> {
        self.0.delete_cohort(project, id, by).await
    }
    async fn set_members(&self, id: i64, membership: &MembershipInfo, members: &[u8]) -> Answer<bool> {
        self.0.set_members(id, membership, members).await
    }
    async fn members(&self, project: ProjectId, id: i64) -> Answer<Option<Vec<u8>>> {
        self.0.members(project, id).await
    }
}

#[async_trait]
impl Definitions for WebCatalog {
    async fn define(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
        body: Option<&Value>,
        by: &str,
    ) -> Answer<Definition> {
        self.0.define(project, kind, name, body, by).await
    }
    async fn definitions(&self, project: ProjectId) -> Answer<Vec<Definition>> {
        self.0.definitions(project).await
    }
    async fn definition_versions(
        &self,
        project: ProjectId,
        kind: DefinitionKind,
        name: &str,
    ) -> Answer<Vec<Definition>> {
        self.0.definition_versions(project, kind, name).await
    }
    async fn definitions_mark(&self, project: ProjectId) -> Answer<i64> {
        self.0.definitions_mark(project).await
    }
}
