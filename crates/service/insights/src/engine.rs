//! The façade: every question a program or a person may ask about a project's events.

use crate::{Error, EventsRequest, PersonsRequest, TimelineRequest};
use serde_json::Value;
use tallymark_model::ProjectId;
use tallymark_query::{Context, QueryError};

/// What a running question shares with its asker: cancellation, progress, budget.
pub type QueryContext = Context;

/// Answers questions. All methods block; call them from a blocking thread. Cloning is cheap.
#[derive(Clone)]
pub struct Engine {
    _private: (),
}

impl Engine {
    /// Runs one query object of the contract; the answer is the result envelope with the query's own keys.
    pub fn run(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let _ = (query, context);
        Err(QueryError::NoProject(project).into())
    }
    /// Shows what `run` would read, without computing.
    pub fn explain(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let _ = (query, context);
        Err(QueryError::NoProject(project).into())
    }
    /// `{events:[…], next}`, newest first.
    pub fn events(
        &self,
        project: ProjectId,
        request: &EventsRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        let _ = (request, context);
        Err(QueryError::NoProject(project).into())
    }
    /// Events that became visible after commit `after` (`None`: only learn where the tail is), in log order:
    /// `(events, commit to continue from)`. For the live tail; poll it.
    pub fn tail(
        &self,
        project: ProjectId,
        after: Option<u64>,
        limit: usize,
        context: &QueryContext,
    ) -> Result<(Vec<Value>, u64), Error> {
        let _ = (after, limit, context);
        Err(QueryError::NoProject(project).into())
    }
    /// `{persons:[…], next}`.
    pub fn persons(
        &self,
        project: ProjectId,
        request: &PersonsRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        let _ = (request, context);
        Err(QueryError::NoProject(project).into())
    }
    /// One person: `{person,user_ids,device_ids,properties,first_seen,last_seen,events,merges}`.
    pub fn person(&self, project: ProjectId, person: &str, context: &QueryContext) -> Result<Value, Error> {
        let _ = (person, context);
        Err(QueryError::NoProject(project).into())
    }
    /// `{events:[…], next}` of one person, newest first by (time, log order).
    pub fn timeline(
        &self,
        project: ProjectId,
        person: &str,
        request: &TimelineRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        let _ = (person, request, context);
        Err(QueryError::NoProject(project).into())
    }
    /// `{events:[…], properties:[…]}`.
    pub fn schema(&self, project: ProjectId, context: &QueryContext) -> Result<Value, Error> {
        let _ = context;
        Err(QueryError::NoProject(project).into())
    }
}
