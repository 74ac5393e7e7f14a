//! Questions about events, answered by the query engine.
//!
//! Guarantees: nothing but passing on. Deliberately not here: meanings (`insights`).

use tallymark_insights::{
    Engine, Error, EventsRequest, PersonsRequest, QueryContext, StoredMembers, TimelineRequest,
};
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
    /// See [`Engine::check_cohort`].
    fn check_cohort(&self, project: ProjectId, own: Option<&str>, definition: &Value) -> Result<(), Error>;
    /// See [`Engine::compute_cohort`].
    fn compute_cohort(
        &self,
        project: ProjectId,
        definition: &Value,
        context: &QueryContext,
    ) -> Result<StoredMembers, Error>;
    /// See [`Engine::members`].
    fn members(
        &self,
        project: ProjectId,
        bytes: &[u8],
        after: Option<&str>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<Value, Error>;
    /// See [`Engine::behind`].
    fn behind(&self, project: ProjectId, query: &Value, context: &QueryContext)
    -> Result<Vec<String>, Error>;
    /// See [`Engine::as_definition`].
    fn as_definition(&self, query: &Value) -> Result<Value, Error>;
}

impl Questions for Engine {
    fn check_cohort(&self, project: ProjectId, own: Option<&str>, definition: &Value) -> Result<(), Error> {
        Engine::check_cohort(self, project, own, definition)
    }
    fn compute_cohort(
        &self,
        project: ProjectId,
        definition: &Value,
        context: &QueryContext,
    ) -> Result<StoredMembers, Error> {
        Engine::compute_cohort(self, project, definition, context)
    }
    fn members(
        &self,
        project: ProjectId,
        bytes: &[u8],
        after: Option<&str>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        Engine::members(self, project, bytes, after, limit, context)
    }
    fn behind(
        &self,
        project: ProjectId,
        query: &Value,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        Engine::behind(self, project, query, context)
    }
    fn as_definition(&self, query: &Value) -> Result<Value, Error> {
        Engine::as_definition(self, query)
    }
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
