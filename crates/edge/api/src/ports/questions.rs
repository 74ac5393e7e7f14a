//! Questions about events, answered by the query engine.
//!
//! Guarantees: nothing but passing on. Deliberately not here: meanings (`insights`).

use tallymark_insights::{Engine, Error, EventsRequest, PersonsRequest, QueryContext, TimelineRequest};
use tallymark_model::{ProjectId, Value};

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
