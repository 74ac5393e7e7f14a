//! What a query reads: one project as of one commit (I7).

use crate::{Calendar, Cohorts, Completeness, Hidden, QueryError, Vocabulary, WeekStart};
use std::collections::HashSet;
use std::sync::Arc;
use tallymark_identity::View;
use tallymark_ledger::{SegmentKind, SegmentMeta};
use tallymark_model::{CommitSeq, Millis, ProjectId, SubjectId, SubjectKind};
use tallymark_state::{Activity, ProjectStats, SubjectNames};
use tallymark_store::ObjectStore;

/// A project's settings as far as queries depend on them.
#[derive(Debug, Clone)]
pub struct ProjectInfo {
    /// Which project.
    pub id: ProjectId,
    /// IANA zone of its days.
    pub timezone: String,
    /// First day of its weeks.
    pub week_start: WeekStart,
    /// Events that are not activity (`$active` skips them).
    pub inactive_events: Arc<HashSet<String>>,
    /// What it calls things.
    pub vocabulary: Arc<Vocabulary>,
    /// Longest pause within a session, unless a query says otherwise.
    pub session_timeout: Millis,
}

/// Longest pause within a session of a project that does not say: 30 minutes.
pub const SESSION_TIMEOUT: Millis = 30 * 60_000;

impl ProjectInfo {
    /// A project in UTC without inactive events.
    pub fn plain(id: ProjectId) -> ProjectInfo {
        ProjectInfo {
            id,
            timezone: "UTC".to_owned(),
            week_start: WeekStart::Monday,
            inactive_events: Arc::default(),
            vocabulary: Arc::default(),
            session_timeout: SESSION_TIMEOUT,
        }
    }
    /// Inactive events by the names they were sent with.
    pub fn sent_inactive(&self) -> Arc<HashSet<String>> {
        match self.vocabulary.renames_nothing() {
            true => Arc::clone(&self.inactive_events),
            false => Arc::new(self.vocabulary.inactive(&self.inactive_events)),
        }
    }
    /// Its calendar.
    pub fn calendar(&self) -> Result<Calendar, QueryError> {
        Calendar::new(&self.timezone, self.week_start)
    }
}

/// Everything a query reads, as of one commit. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The project's settings.
    pub project: ProjectInfo,
    /// The commit.
    pub seq: CommitSeq,
    /// Live segments of both kinds.
    pub segments: Arc<Vec<SegmentMeta>>,
    /// Who is who.
    pub identity: Arc<View>,
    /// Raw ids.
    pub names: SubjectNames,
    /// Rows of the segments that do not count.
    pub hidden: Arc<Hidden>,
    /// Everything received before this instant is in it; `None` = not known.
    pub complete_through: Option<Millis>,
    /// What is known to be missing, and what changed lately.
    pub completeness: Arc<Completeness>,
    /// Where the segments are.
    pub store: ObjectStore,
    /// Decides about conditions on cohorts; without it they are refused.
    pub cohorts: Option<Arc<dyn Cohorts>>,
}

impl Snapshot {
    /// Puts a snapshot together; the parts must be of the same commit.
    pub fn new(
        project: ProjectInfo,
        seq: CommitSeq,
        segments: impl Into<Arc<Vec<SegmentMeta>>>,
        identity: Arc<View>,
        names: SubjectNames,
        store: ObjectStore,
    ) -> Snapshot {
        let segments = segments.into();
        Snapshot {
            project,
            seq,
            segments,
            identity,
            names,
            hidden: Arc::default(),
            complete_through: None,
            completeness: Arc::default(),
            store,
            cohorts: None,
        }
    }

    /// Live segments of one kind.
    pub fn segments_of(&self, kind: SegmentKind) -> impl Iterator<Item = &SegmentMeta> {
        self.segments.iter().filter(move |s| s.kind == kind)
    }
}

/// Where snapshots come from: the catalog and the fold of its commits, or a test's own segments.
pub trait Source: Send + Sync {
    /// The newest snapshot of a project.
    fn pin(&self, project: ProjectId) -> Result<Snapshot, QueryError>;
    /// Event segments that were added by commits after `after`, oldest first, and the last commit looked at.
    fn added(
        &self,
        project: ProjectId,
        after: CommitSeq,
        limit: usize,
    ) -> Result<(Vec<SegmentMeta>, CommitSeq), QueryError>;
    /// The newest commit.
    fn latest(&self) -> Result<CommitSeq, QueryError>;
    /// The number of a raw id.
    fn find(&self, project: ProjectId, kind: SubjectKind, raw: &str) -> Option<SubjectId>;
    /// What these subjects did, together; may be newer than a snapshot taken before.
    fn activity(&self, project: ProjectId, subjects: &[SubjectId]) -> Activity;
    /// What every subject did, from number 1.
    fn activities(&self, project: ProjectId) -> Vec<Activity>;
    /// Names that were sent to the project.
    fn stats(&self, project: ProjectId) -> ProjectStats;
    /// The definition of a cohort that the project keeps under this id.
    fn cohort(&self, _project: ProjectId, _id: &str) -> Result<Option<serde_json::Value>, QueryError> {
        Ok(None)
    }
}
