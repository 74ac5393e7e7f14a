//! Snapshots of a running instance: catalog and fold pinned to one commit.

use crate::{
    Completeness, Gap, Hidden, ProjectInfo, QueryError, SESSION_TIMEOUT, Snapshot, Source, StateFollower,
    Vocabulary, WeekStart,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tallymark_catalog::Cohorts as KeptCohorts;
use tallymark_catalog::{CatalogError, Definitions, Settings, Snapshots};
use tallymark_identity::{IdentityConfig, SharedDevice};
use tallymark_ledger::{Interval, SegmentKind, SegmentMeta};
use tallymark_model::{CommitSeq, Millis, ProjectId, SegmentId, SubjectId, SubjectKind};
use tallymark_state::{Activity, ProjectStats};
use tallymark_store::ObjectStore;
use tokio::runtime::Handle;

const FEED_BATCH: usize = 256;
/// Most restatements that are looked through for news.
const RESTATED_MAX: usize = 500;

/// Says up to which receive time everything acknowledged is processed; `None` = not known. It needs the end of
/// the log, which this crate must not read, so the composition root brings it.
pub type Watermark = Arc<dyn Fn() -> Option<Millis> + Send + Sync>;

/// Says what was found to be missing of a project without the catalog knowing it. Who checks the books keeps that
/// apart from them, so the composition root brings it too. It answers at once, and nothing if it does not know.
pub type FoundGaps = Arc<dyn Fn(ProjectId) -> Vec<Gap> + Send + Sync>;

/// Snapshots from the catalog. Its methods block on the runtime: never call them from an async task.
pub struct CatalogSource {
    snapshots: Arc<dyn Snapshots>,
    settings: Arc<dyn Settings>,
    follower: Arc<StateFollower>,
    store: ObjectStore,
    runtime: Handle,
    watermark: Option<Watermark>,
    found: Option<FoundGaps>,
    definitions: Option<Arc<dyn Definitions>>,
    cohorts: Option<Arc<dyn KeptCohorts>>,
    /// By project: the mark of the definitions they were made of.
    vocabularies: Mutex<HashMap<ProjectId, (i64, Arc<Vocabulary>)>>,
    /// By project: the newest list of live segments that was asked for. Charts of one page ask at one commit.
    lists: Mutex<HashMap<ProjectId, Live>>,
}

/// What the catalog says of a project as of one commit; it never says anything else of that commit.
#[derive(Clone)]
struct Live {
    seq: CommitSeq,
    created_at: Millis,
    segments: Arc<Vec<SegmentMeta>>,
    masked: Arc<BTreeMap<SegmentId, Vec<Interval>>>,
}

impl CatalogSource {
    /// Over these parts; `runtime` drives the catalog's futures, and keeps the follower up to date meanwhile.
    pub fn new(
        snapshots: Arc<dyn Snapshots>,
        settings: Arc<dyn Settings>,
        follower: Arc<StateFollower>,
        store: ObjectStore,
        runtime: Handle,
    ) -> CatalogSource {
        runtime.spawn(StateFollower::keep_up(Arc::downgrade(&follower)));
        CatalogSource {
            snapshots,
            settings,
            follower,
            store,
            runtime,
            watermark: None,
            found: None,
            definitions: None,
            cohorts: None,
            vocabularies: Mutex::default(),
            lists: Mutex::default(),
        }
    }

    /// With a watermark for `complete_through`.
    pub fn with_watermark(mut self, watermark: Watermark) -> CatalogSource {
        self.watermark = Some(watermark);
        self
    }

    /// With gaps that the books do not tell.
    pub fn with_found_gaps(mut self, found: FoundGaps) -> CatalogSource {
        self.found = Some(found);
        self
    }

    /// With the cohorts that projects keep.
    pub fn with_cohorts(mut self, cohorts: Arc<dyn KeptCohorts>) -> CatalogSource {
        self.cohorts = Some(cohorts);
        self
    }

    /// With what projects call things.
    pub fn with_definitions(mut self, definitions: Arc<dyn Definitions>) -> CatalogSource {
        self.definitions = Some(definitions);
        self
    }

    async fn vocabulary(&self, project: ProjectId) -> Result<Arc<Vocabulary>, QueryError> {
        let Some(definitions) = &self.definitions else { return Ok(Arc::default()) };
        let mark = definitions.definitions_mark(project).await.map_err(catalog)?;
        let kept = || self.vocabularies.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((_, known)) = kept().get(&project).filter(|(of, _)| *of == mark) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(Vocabulary::of(&definitions.definitions(project).await.map_err(catalog)?));
        kept().insert(project, (mark, Arc::clone(&made)));
        Ok(made)
    }

    /// The live segments as of a commit.
    async fn live(&self, project: ProjectId, seq: CommitSeq) -> Result<Live, QueryError> {
        let kept = || self.lists.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = kept().get(&project).filter(|live| live.seq == seq) {
            return Ok(known.clone());
        }
        let found = self.snapshots.snapshot(project, Some(seq)).await.map_err(catalog)?;
        let live = Live {
            seq,
            created_at: found.created_at,
            segments: Arc::new(found.segments),
            masked: Arc::new(found.masked),
        };
        kept().insert(project, live.clone());
        Ok(live)
    }

    async fn info(&self, id: ProjectId) -> Result<(ProjectInfo, IdentityConfig), QueryError> {
        let project = self.settings.project(&id.to_string()).await.map_err(catalog)?;
        let project = project.filter(|p| p.id == id).ok_or(QueryError::NoProject(id))?;
        let inactive = project.settings.get("inactive_events").and_then(|v| v.as_array());
        let inactive: HashSet<String> =
            inactive.into_iter().flatten().filter_map(|v| v.as_str()).map(str::to_owned).collect();
        let shared_device = match project.settings["identity"]["shared_device"].as_str() {
            Some("first_user") => SharedDevice::FirstUser,
            _ => SharedDevice::LastUser,
        };
        let info = ProjectInfo {
            id,
            timezone: if project.timezone.is_empty() { "UTC".to_owned() } else { project.timezone },
            week_start: match project.week_start {
                tallymark_catalog::WeekStart::Monday => WeekStart::Monday,
                tallymark_catalog::WeekStart::Sunday => WeekStart::Sunday,
                tallymark_catalog::WeekStart::Saturday => WeekStart::Saturday,
            },
            inactive_events: Arc::new(inactive),
            vocabulary: self.vocabulary(id).await?,
            session_timeout: project.settings["session_timeout_min"]
                .as_f64()
                .map_or(SESSION_TIMEOUT, |minutes| (minutes * 60_000.0) as Millis),
        };
        Ok((info, IdentityConfig { shared_device, ..IdentityConfig::default() }))
    }
}

impl Source for CatalogSource {
    fn cohort(&self, project: ProjectId, id: &str) -> Result<Option<serde_json::Value>, QueryError> {
        match (&self.cohorts, id.parse()) {
            (Some(cohorts), Ok(id)) => {
                let found = self.runtime.block_on(cohorts.cohort(project, id)).map_err(catalog)?;
                Ok(found.map(|stored| stored.cohort.definition))
            }
            _ => Ok(None),
        }
    }

    fn pin(&self, project: ProjectId) -> Result<Snapshot, QueryError> {
        // Taken first: what is complete now is in every later snapshot.
        let complete_through = self.watermark.as_ref().and_then(|w| w());
        self.runtime.block_on(async {
            let (info, identity) = self.info(project).await?;
            let before = self.snapshots.anomalies().await.map_err(catalog)?;
            self.follower.catch_up().await?;
            self.follower.state().decide_identity_by(project, identity);
            let state = self.follower.state().snapshot(project);
            let live = self.live(project, state.seq).await?;
            let mut snapshot = Snapshot::new(
                info,
                state.seq,
                live.segments,
                state.identity,
                state.names,
                self.store.clone(),
            );
            snapshot.complete_through = complete_through;
            let after = self.snapshots.anomalies().await.map_err(catalog)?;
            let restated = self.snapshots.restatements(None, None, RESTATED_MAX).await.map_err(catalog)?;
            // The catalog's clock, so that what is recent does not depend on who asks.
            let told = Completeness::of(&before, &after, &restated, live.created_at);
            let found = self.found.as_ref().map_or_else(Vec::new, |found| found(project));
            snapshot.completeness = Arc::new(told.and(found));
            snapshot.hidden = Arc::new(Hidden::new(&live.masked, state.erased));
            Ok(snapshot)
        })
    }

    fn added(
        &self,
        project: ProjectId,
        after: CommitSeq,
        limit: usize,
    ) -> Result<(Vec<SegmentMeta>, CommitSeq), QueryError> {
        self.runtime.block_on(async {
            let records = self.snapshots.feed(after, limit.min(FEED_BATCH)).await.map_err(catalog)?;
            let last = records.last().map_or(after, |r| r.seq);
            let ours =
                |s: &SegmentMeta| s.project == project && s.kind == SegmentKind::Events && s.level == 0;
            Ok((records.into_iter().flat_map(|r| r.added).filter(ours).collect(), last))
        })
    }

    fn latest(&self) -> Result<CommitSeq, QueryError> {
        self.runtime.block_on(self.snapshots.latest_seq()).map_err(catalog)
    }

    fn find(&self, project: ProjectId, kind: SubjectKind, raw: &str) -> Option<SubjectId> {
        self.follower.state().find(project, kind, raw)
    }

    fn activity(&self, project: ProjectId, subjects: &[SubjectId]) -> Activity {
        self.follower.state().activity(project, subjects)
    }

    fn activities(&self, project: ProjectId) -> Vec<Activity> {
        self.follower.state().activities(project)
    }

    fn stats(&self, project: ProjectId) -> ProjectStats {
        self.follower.state().stats(project)
    }
}

fn catalog(error: CatalogError) -> QueryError {
    QueryError::storage("reading the catalog", error)
}
