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
    Accounts, AuditEntry, Books, CatalogError, CommitRecord, CreatedKey, CreatedProject, Cursor, Feed,
    KeyInfo, KeyKind, LedgerRow, NewKey, NewProject, NewUser, Project, Session, Settings, SetupAnswer,
    Snapshot, Snapshots, User, Verified,
};
use async_trait::async_trait;
use std::time::Duration;
use tallymark_ledger::Tally;
use tallymark_model::{CommitSeq, LogId, Millis, ProjectId, ProjectToken, Shard};

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
