//! The façade: every question a program or a person may ask about a project's events.

use crate::analyses::{self, Crowd, Point, Statement};
use crate::cohorts::{Directory, Resolver};
use crate::envelope;
use crate::plan::Bound;
use crate::query::Query;
use crate::services::{self, People};
use crate::{Error, EventsRequest, PersonsRequest, TimelineRequest};
use serde_json::{Value, json};
use std::sync::Arc;
use tallymark_model::ProjectId;
use tallymark_query::{Context, Names, QueryError, Selector, Snapshot, Source, Sql, WeekStart};

/// What a running question shares with its asker: cancellation, progress, budget.
pub type QueryContext = Context;

/// Answers questions. All methods block; call them from a blocking thread. Cloning is cheap.
#[derive(Clone)]
pub struct Engine {
    source: Arc<dyn Source>,
    threads: usize,
    people: Arc<People>,
    sql: Option<Arc<dyn Sql>>,
}

impl Engine {
    /// Over a source of snapshots, with this many threads per query.
    pub fn new(source: Arc<dyn Source>, threads: usize) -> Engine {
        Engine { source, threads: threads.max(1), people: Arc::default(), sql: None }
    }

    /// With somebody who answers `type: "sql"`; without, it is refused.
    pub fn with_sql(self, sql: Arc<dyn Sql>) -> Engine {
        Engine { sql: Some(sql), ..self }
    }

    /// Runs one query object of the contract; the answer is the result envelope with the query's own keys.
    pub fn run(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let parsed = Query::parse(query)?;
        let snapshot = self.pin(project, parsed.common().week_start)?;
        match self.run_on(&snapshot, &parsed, query, context) {
            Err(Error::Query(QueryError::Storage { .. })) if self.source.latest()? > snapshot.seq => {
                // Files may have been merged away under a slow query; the newer snapshot is as good.
                self.run_on(&self.pin(project, parsed.common().week_start)?, &parsed, query, context)
            }
            answer => answer,
        }
    }

    /// A snapshot whose scans know cohorts, with this first day of weeks if it is not the project's.
    pub(crate) fn pin(&self, project: ProjectId, week: Option<WeekStart>) -> Result<Snapshot, Error> {
        let mut snapshot = self.source.pin(project)?;
        if let Some(week) = week {
            snapshot.project.week_start = week;
        }
        snapshot.cohorts = Some(Arc::new(Resolver::new(self.directory(), self.threads)));
        Ok(snapshot)
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn directory(&self) -> Directory {
        Directory { source: Arc::clone(&self.source), people: Arc::clone(&self.people), sql: self.sql.clone() }
    }

    fn run_on(
        &self,
        snapshot: &Snapshot,
        parsed: &Query,
        query: &Value,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        let directory = self.directory();
        let bound = Bound::new(snapshot, parsed.common(), context, self.threads)?.with_directory(&directory);
        let analysis = analyses::bind(parsed, &bound)?;
        let own = match &parsed.common().microscope {
            None => analysis.run()?,
            Some(point) => {
                let point = Point::new(point)?;
                let crowd = analysis.crowd(&point)?;
                crowd.page(&point, &bound)?
            }
        };
        let buckets = analysis.buckets()?;
        let mut restated = bound.decided_again();
        for scan in analysis.scans() {
            restated = restated || bound.late(scan, &buckets)?;
        }
        Ok(envelope::wrap(query, &bound, own, restated))
    }

    /// Everyone behind the number that a query's `microscope` names.
    pub(crate) fn crowd_of(
        &self,
        snapshot: &Snapshot,
        query: &Value,
        context: &QueryContext,
    ) -> Result<Crowd, Error> {
        let parsed = Query::parse(query)?;
        let directory = self.directory();
        let bound = Bound::new(snapshot, parsed.common(), context, self.threads)?.with_directory(&directory);
        let point = parsed.common().microscope.as_ref().ok_or_else(|| {
            Error::malformed("query.microscope", "is missing", "it names the number whose actors are meant")
        })?;
        let analysis = analyses::bind(&parsed, &bound)?;
        analysis.crowd(&Point::new(point)?)
    }

    /// Shows what `run` would read, without computing.
    pub fn explain(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let parsed = Query::parse(query)?;
        let snapshot = self.pin(project, parsed.common().week_start)?;
        let directory = self.directory();
        let bound = Bound::new(&snapshot, parsed.common(), context, self.threads)?.with_directory(&directory);
        if let Query::Sql(query) = &parsed {
            let mut explained = Statement::new(query, &bound)?.explain()?;
            explained["snapshot"] = json!(snapshot.seq.0);
            explained["range"] = json!({"from": envelope::iso(bound.range.0), "to": envelope::iso(bound.range.1)});
            explained["as_of"] = json!(envelope::iso(bound.as_of));
            explained["threads"] = json!(self.threads);
            return Ok(explained);
        }
        let analysis = analyses::bind(&parsed, &bound)?;
        let mut scans = Vec::new();
        for scan in analysis.scans() {
            let plan = scan.plan(&snapshot, context)?;
            scans.push(json!({
                "from": envelope::iso(scan.from),
                "to": envelope::iso(scan.to),
                "selectors": scan.selectors.iter().map(selector).collect::<Vec<_>>(),
                "scan": plan,
            }));
        }
        let first = scans.first().cloned().unwrap_or_default();
        Ok(json!({
            "snapshot": snapshot.seq.0,
            "range": {"from": envelope::iso(bound.range.0), "to": envelope::iso(bound.range.1)},
            "as_of": envelope::iso(bound.as_of),
            "selectors": first["selectors"],
            "scan": first["scan"],
            "scans": scans,
            "threads": self.threads,
        }))
    }

    /// `{events:[…], next}`, newest first.
    pub fn events(
        &self,
        project: ProjectId,
        request: &EventsRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        services::list(&*self.source, &self.people, project, request, context)
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
        services::tail(&*self.source, project, after, limit, context)
    }

    /// `{persons:[…], next}`.
    pub fn persons(
        &self,
        project: ProjectId,
        request: &PersonsRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        services::search(&*self.source, project, request, context)
    }

    /// One person: `{person,user_ids,device_ids,properties,first_seen,last_seen,events,merges}`.
    pub fn person(&self, project: ProjectId, person: &str, context: &QueryContext) -> Result<Value, Error> {
        services::page(&*self.source, &self.people, project, person, context)
    }

    /// `{events:[…], next}` of one person, newest first by (time, log order).
    pub fn timeline(
        &self,
        project: ProjectId,
        person: &str,
        request: &TimelineRequest,
        context: &QueryContext,
    ) -> Result<Value, Error> {
        services::timeline(&*self.source, &self.people, project, person, request, context)
    }

    /// `{events:[…], properties:[…]}`.
    pub fn schema(&self, project: ProjectId, context: &QueryContext) -> Result<Value, Error> {
        context.cancel.check()?;
        services::schema(&*self.source, project)
    }
}

fn selector(selector: &Selector) -> Value {
    let events = match &selector.names {
        Names::Any => json!("*"),
        Names::Rows => json!("any row"),
        Names::Except(_) => json!("$active"),
        Names::Of(names) => json!(names),
    };
    let properties = selector.filter.as_ref().map(|f| f.properties()).unwrap_or_default();
    let properties: Vec<String> = properties.iter().map(|p| format!("{}.{}", p.scope, p.path)).collect();
    json!({"events": events, "conditions_on": properties})
}
