//! Where findings go. The server implements it with the monitor's store.

use crate::Finding;
use async_trait::async_trait;
use serde::Serialize;
use tallymark_model::{CommitSeq, Millis, ProjectId};

/// Takes findings and signs of life.
#[async_trait]
pub trait FindingSink: Send + Sync {
    /// Something is wrong; reporting the same key again replaces what was said.
    async fn report(&self, finding: &Finding) -> Result<(), String>;
    /// It is right again.
    async fn resolve(&self, key: &str) -> Result<(), String>;
    /// Keys of everything reported and not resolved, of earlier lives as well.
    async fn open(&self) -> Result<Vec<String>, String>;
    /// Duplicates of a commit whose content is another than their original's, by project and hour of receipt. Told
    /// again, it is the same.
    async fn conflicts(&self, commit: CommitSeq, found: &[(ProjectId, Millis, u64)]) -> Result<(), String> {
        let _ = (commit, found);
        Ok(())
    }
    /// The auditor lives; called after every round.
    async fn heartbeat(&self, progress: &Progress) -> Result<(), String>;
}

/// How far the auditor is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Rounds done in this life.
    pub rounds: u64,
    /// How often the books were checked as a whole in this life.
    pub books: u64,
    /// Commits compared with the log in this life.
    pub commits: u64,
    /// Segment files read in full in this life.
    pub segments: u64,
    /// Newest commit that was compared with the log.
    pub audited: CommitSeq,
    /// Commits that wait to be compared for the first time.
    pub waiting: u64,
    /// When all files were last read in full, ms UTC.
    pub files_read_at: Option<Millis>,
    /// When all commits were last compared with the log, ms UTC.
    pub commits_read_at: Option<Millis>,
    /// Findings that stand.
    pub open: u64,
}
