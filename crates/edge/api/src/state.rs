//! What handlers share.
//!
//! Guarantees: cheap to clone; holds no backend, only ports.
//! Deliberately not here: opening anything.

use crate::access::Access;
use crate::access::{LoginLimits, Standby};
use crate::admission::Admission;
use crate::limits::QueryLimits;
use crate::stale::LastAnswers;
use crate::{
    ApiError, Backlog, Catalog, Components, ControlDoor, InForce, Keepsake, Outcomes, Questions, Records,
    Watch,
};
use std::sync::Arc;
use std::time::Duration;
use tallymark_model::Millis;
use tallymark_query::{Budget, Cancel, Context};
use tokio::sync::Semaphore;

/// How much the API may use at one time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Queries that compute at one time.
    pub queries_max: usize,
    /// Of these, for one project.
    pub queries_per_project_max: usize,
    /// Queries that may wait for their turn; one more is refused.
    pub queries_waiting_max: usize,
    /// Live tails at one time.
    pub tails_max: usize,
    /// Memory that all running queries share.
    pub query_memory_bytes: u64,
    /// Longest time a query may compute.
    pub query_time: Duration,
    /// How often a live tail looks for new commits.
    pub tail_interval: Duration,
    /// How often a stream checks that its credential is still valid.
    pub recheck_interval: Duration,
    /// Idle sessions end after this.
    pub session_idle: Duration,
    /// All sessions end after this.
    pub session_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Limits {
            queries_max: cores.max(2) * 2,
            queries_per_project_max: cores.max(2),
            queries_waiting_max: 256,
            tails_max: 64,
            query_memory_bytes: Budget::DEFAULT_BYTES,
            query_time: Duration::from_secs(120),
            tail_interval: Duration::from_millis(400),
            recheck_interval: Duration::from_secs(4),
            session_idle: Duration::from_secs(14 * 86_400),
            session_max: Duration::from_secs(60 * 86_400),
        }
    }
}

/// What the server hands over.
pub struct ApiParts {
    /// Commits to read, projects, keys, people.
    pub catalog: Arc<dyn Catalog>,
    /// The query engine.
    pub questions: Arc<dyn Questions>,
    /// What is pending.
    pub backlog: Arc<dyn Backlog>,
    /// What became of single records.
    pub outcomes: Arc<dyn Outcomes>,
    /// What single records are.
    pub records: Arc<dyn Records>,
    /// The way into the log for control records.
    pub control: Arc<dyn ControlDoor>,
    /// What control records brought about.
    pub in_force: Arc<dyn InForce>,
    /// What the watch knows.
    pub watch: Arc<dyn Watch>,
    /// Since when the catalog's file is gone, if it is: an open handle would go on answering, and take writes that
    /// nobody will ever see.
    pub catalog_lost: Arc<dyn Fn() -> Option<Millis> + Send + Sync>,
    /// Where the copy of accounts is kept.
    pub keepsake: Arc<dyn Keepsake>,
    /// Health of the instance.
    pub components: Arc<dyn Components>,
    /// Prometheus text of everything measured.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// True if the instance shows demo data.
    pub demo: bool,
    /// How much may be used.
    pub limits: Limits,
}

/// Shared state of the API. Cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

/// Not nameable outside; reached through [`ApiState`].
pub struct Inner {
    pub(crate) parts: ApiParts,
    pub(crate) logins: LoginLimits,
    pub(crate) standby: Standby,
    pub(crate) last_answers: LastAnswers,
    /// Analyses: long, many row groups.
    pub(crate) queries: Admission,
    /// Lists and lookups: short; a queue of analyses must not hold them up.
    pub(crate) lookups: Admission,
    pub(crate) tails: Arc<Semaphore>,
    pub(crate) hashing: Semaphore,
    budget: Budget,
}

impl ApiState {
    /// State over these parts.
    pub fn new(parts: ApiParts) -> ApiState {
        let limits = &parts.limits;
        let waiting = limits.queries_waiting_max;
        ApiState(Arc::new(Inner {
            logins: LoginLimits::default(),
            standby: Standby::new(parts.keepsake.clone()),
            last_answers: LastAnswers::default(),
            queries: Admission::new(limits.queries_max, limits.queries_per_project_max, waiting),
            lookups: Admission::new(limits.queries_max * 2, limits.queries_per_project_max * 2, waiting),
            tails: Arc::new(Semaphore::new(limits.tails_max)),
            // One password hash takes 19 MiB and tens of ms of a core: a flood of logins must not take both.
            hashing: Semaphore::new(2),
            budget: Budget::of(limits.query_memory_bytes),
            parts,
        }))
    }

    /// Writes a line of the audit trail.
    pub(crate) async fn audit(&self, access: &Access, action: &str, subject: &str) -> Result<(), ApiError> {
        Ok(self.parts.catalog.audit(&access.principal.actor(), action, subject).await?)
    }

    /// A context for one query: own cancellation and time, shared memory.
    pub(crate) fn context(&self) -> Context {
        self.context_of(QueryLimits::default())
    }

    /// The same for a project with limits of its own.
    pub(crate) fn context_of(&self, limits: QueryLimits) -> Context {
        let budget = self.0.budget.clone();
        Context {
            cancel: Cancel::within(limits.time(self.parts.limits.query_time)),
            budget: limits.memory().map_or(budget.clone(), |bytes| budget.within(bytes)),
            rows_max: limits.rows(),
            ..Context::default()
        }
    }
}

impl std::ops::Deref for ApiState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
