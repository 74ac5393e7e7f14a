//! What the API needs from others, as small traits; the server connects them.
//!
//! Guarantees: everything a handler can do to the instance is visible here and in `state`.
//! Deliberately not here: implementations, except that of the query engine's own façade.

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::HashMap;
use tallymark_catalog::{Accounts, Settings, Snapshots};
use tallymark_insights::{Engine, Error, EventsRequest, PersonsRequest, QueryContext, TimelineRequest};
use tallymark_ledger::{Interval, Tally};
use tallymark_model::{DeadReason, Millis, Position, ProjectId, Shard, Value};

/// The part of the catalog that the web may use.
pub trait Catalog: Snapshots + Settings + Accounts {}

impl<T: Snapshots + Settings + Accounts> Catalog for T {}

/// Why a port could not answer; shown to operators, not to callers.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {detail}")]
pub struct PortError {
    /// What was attempted.
    pub what: &'static str,
    /// What went wrong.
    pub detail: String,
}

/// Answers questions about events; blocks. Implemented by [`Engine`].
pub trait Questions: Send + Sync + 'static {
    /// See [`Engine::run`].
    fn run(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error>;
    /// See [`Engine::explain`].
    fn explain(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error>;
    /// See [`Engine::events`].
    fn events(&self, project: ProjectId, r: &EventsRequest, context: &QueryContext) -> Result<Value, Error>;
    /// See [`Engine::tail`].
    fn tail(
        &self,
        project: ProjectId,
        after: Option<u64>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<(Vec<Value>, u64), Error>;
    /// See [`Engine::persons`].
    fn persons(&self, project: ProjectId, r: &PersonsRequest, context: &QueryContext)
    -> Result<Value, Error>;
    /// See [`Engine::person`].
    fn person(&self, project: ProjectId, person: &str, context: &QueryContext) -> Result<Value, Error>;
    /// See [`Engine::timeline`].
    fn timeline(
        &self,
        project: ProjectId,
        person: &str,
        r: &TimelineRequest,
        context: &QueryContext,
    ) -> Result<Value, Error>;
    /// See [`Engine::schema`].
    fn schema(&self, project: ProjectId, context: &QueryContext) -> Result<Value, Error>;
}

impl Questions for Engine {
    fn run(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        Engine::run(self, project, query, context)
    }
    fn explain(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        Engine::explain(self, project, query, context)
    }
    fn events(&self, project: ProjectId, r: &EventsRequest, context: &QueryContext) -> Result<Value, Error> {
        Engine::events(self, project, r, context)
    }
    fn tail(
        &self,
        project: ProjectId,
        after: Option<u64>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<(Vec<Value>, u64), Error> {
        Engine::tail(self, project, after, limit, context)
    }
    fn persons(
        &self,
        project: ProjectId,
        r: &PersonsRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        Engine::persons(self, project, r, context)
    }
    fn person(&self, project: ProjectId, person: &str, context: &QueryContext) -> Result<Value, Error> {
        Engine::person(self, project, person, context)
    }
    fn timeline(
        &self,
        project: ProjectId,
        person: &str,
        r: &TimelineRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        Engine::timeline(self, project, person, r, context)
    }
    fn schema(&self, project: ProjectId, context: &QueryContext) -> Result<Value, Error> {
        Engine::schema(self, project, context)
    }
}

/// How far the log reaches in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardBounds {
    /// The shard.
    pub shard: Shard,
    /// First offset that is still kept.
    pub start: u64,
    /// First offset that does not exist yet.
    pub end: u64,
}

/// What is acknowledged but not processed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BacklogReading {
    /// Every shard of the log.
    pub bounds: Vec<ShardBounds>,
    /// Event records beyond the cursors, per project; tokens of no project under [`ProjectId::UNKNOWN`].
    pub by_project: HashMap<ProjectId, u64>,
    /// False if the backlog was too long to read, so that `by_project` is a lower bound.
    pub exact: bool,
}

/// Reading what is pending, from the log.
#[async_trait]
pub trait Backlog: Send + Sync {
    /// How far the log reaches; cheap.
    async fn bounds(&self) -> Result<Vec<ShardBounds>, PortError>;
    /// The log's bounds and what lies beyond these cursors.
    async fn read(&self, cursors: &[(Shard, u64)]) -> Result<BacklogReading, PortError>;
}

/// A record that could not be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it stands in the log.
    pub position: Position,
    /// When it was received, ms UTC.
    pub received_at: Millis,
    /// Why it was not stored.
    pub reason: DeadReason,
    /// The client's bytes.
    pub body: Bytes,
}

/// A page of dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadPage {
    /// The letters.
    pub dead: Vec<DeadLetter>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// What became of single records, from the deltas of commits.
#[async_trait]
pub trait Outcomes: Send + Sync {
    /// Counts the outcomes of accounted offsets. The ranges lie below the cursors and do not overlap; offsets
    /// that are skipped or lost are not counted.
    async fn count(&self, ranges: &[Interval]) -> Result<Tally, PortError>;
    /// A project's dead letters, newest first.
    async fn dead_letters(
        &self,
        project: ProjectId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<DeadPage, PortError>;
}

/// How a part of the instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentStatus {
    /// Works.
    Up,
    /// Does not.
    Down,
    /// Not known here.
    Unknown,
}

/// A part of the instance, such as a process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Component {
    /// Which part.
    pub name: String,
    /// How it is doing.
    pub status: ComponentStatus,
    /// More for people; may be empty.
    pub detail: String,
}

/// Health of the instance's parts.
#[async_trait]
pub trait Components: Send + Sync {
    /// Every part, in a fixed order.
    async fn components(&self) -> Vec<Component>;
}
