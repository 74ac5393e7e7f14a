//! The façade: every question a program or a person may ask about a project's events.

use crate::analyses::{self, Crowd, Point, Statement};
use crate::cache::{Kept, Own};
use crate::cohorts::{Directory, Resolver};
use crate::envelope;
use crate::explain;
use crate::plan::Bound;
use crate::query::Query;
use crate::services::{self, People};
use crate::{Error, EventsRequest, PersonsRequest, TimelineRequest};
use serde_json::{Value, json};
use std::sync::Arc;
use tallymark_model::ProjectId;
use tallymark_query::{Context, QueryError, Snapshot, Source, Sql, WeekStart};

/// Kept answers take at most this much.
const KEPT_BYTES: u64 = 64 << 20;

/// What a running question shares with its asker: cancellation, progress, budget.
pub type QueryContext = Context;

/// Answers questions. All methods block; call them from a blocking thread. Cloning is cheap.
#[derive(Clone)]
pub struct Engine {
    source: Arc<dyn Source>,
    threads: usize,
    people: Arc<People>,
    kept: Arc<Kept>,
    sql: Option<Arc<dyn Sql>>,
}

impl Engine {
    /// Over a source of snapshots, with this many threads per query.
    pub fn new(source: Arc<dyn Source>, threads: usize) -> Engine {
        let kept = Arc::new(Kept::new(KEPT_BYTES));
        Engine { source, threads: threads.max(1), people: Arc::default(), kept, sql: None }
    }

    /// With somebody who answers `type: "sql"`; without, it is refused.
    pub fn with_sql(self, sql: Arc<dyn Sql>) -> Engine {
        Engine { sql: Some(sql), ..self }
    }

    /// With room for this many bytes of kept answers; 0 computes everything every time.
    pub fn keeping(self, bytes: u64) -> Engine {
        Engine { kept: Arc::new(Kept::new(bytes)), ..self }
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
        Directory {
            source: Arc::clone(&self.source),
            people: Arc::clone(&self.people),
            sql: self.sql.clone(),
        }
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
        // A statement may depend on anything.
        let keeps = parsed.common().microscope.is_none() && !matches!(parsed, Query::Sql(_));
        if keeps
            && !context.fresh
            && let Some((own, served)) = self.kept.get(query, &bound)?
        {
            context.reads.serve(served);
            return Ok(envelope::wrap(query, &bound, own.0.clone(), own.1 || bound.decided_again()));
        }
        let own = self.compute(parsed, &bound)?;
        if keeps {
            self.kept.put(query, &bound, &own);
        }
        let restated = own.1 || bound.decided_again();
        Ok(envelope::wrap(query, &bound, own.0, restated))
    }

    /// The query's own part of the answer, and whether an event came late for it.
    fn compute(&self, parsed: &Query, bound: &Bound<'_>) -> Result<Own, Error> {
        let analysis = analyses::bind(parsed, bound)?;
        let own = match &parsed.common().microscope {
            None => analysis.run()?,
            Some(point) => {
                let point = Point::new(point)?;
                let crowd = analysis.crowd(&point)?;
                crowd.page(&point, bound)?
            }
        };
        let buckets = analysis.buckets()?;
        let mut late = false;
        for scan in analysis.scans() {
            late = late || bound.late(scan, &buckets)?;
        }
        Ok((own, late))
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

    /// Shows what `run` would read, whether it would read at all, and how complete the answer is, without computing
    /// it. Cohorts are decided, since nothing can be planned without them.
    pub fn explain(&self, project: ProjectId, query: &Value, context: &QueryContext) -> Result<Value, Error> {
        let parsed = Query::parse(query)?;
        let snapshot = self.pin(project, parsed.common().week_start)?;
        let directory = self.directory();
        let bound = Bound::new(&snapshot, parsed.common(), context, self.threads)?.with_directory(&directory);
        let kept = match keeps(&parsed) {
            true => self.kept.get(query, &bound)?.map(|(_, served)| served),
            false => None,
        };
        let analysis = analyses::bind(&parsed, &bound)?;
        let mut explained = explain::explain(query, &bound, &analysis.scans(), kept)?;
        if let Query::Sql(asked) = &parsed {
            let own = Statement::new(asked, &bound)?.explain()?;
            let text = explained["text"].as_str().unwrap_or_default();
            explained["text"] = json!(format!("{text}\n{}", own["plan"].as_str().unwrap_or_default()));
            explained["plan"] = own["plan"].clone();
            explained["scans"] = own["scans"].clone();
        }
        Ok(explained)
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

/// Whether answers of this kind can be kept: pages of actors depend on their names, SQL on tables of all kinds.
fn keeps(query: &Query) -> bool {
    query.common().microscope.is_none() && !matches!(query, Query::Sql(_))
}
