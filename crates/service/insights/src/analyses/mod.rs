//! The analyses: each binds a query's meaning to scans and operators and shapes its part of the answer.

mod actors;
mod attribution;
mod cohort;
mod composition;
mod crowd;
mod engagement;
mod funnel;
mod gather;
mod groups;
mod lifecycle;
mod ltv;
mod newcomers;
mod owned;
mod paths;
mod personas;
mod realtime;
mod records;
mod retention;
mod segmentation;
mod session_numbers;
mod sessions;
mod sets;
mod sql;
mod stickiness;
mod table;

pub(crate) use crowd::{Crowd, Point, name_of};
pub(crate) use sql::Statement;

use crate::Error;
use crate::plan::Bound;
use crate::query::Query;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// A query bound to a snapshot.
pub(crate) trait Analysis {
    /// What it reads.
    fn scans(&self) -> Vec<&Scan>;
    /// The stretches of time whose numbers stay as they are once they have ended, unless an event comes late.
    fn buckets(&self) -> Result<Buckets, Error>;
    /// The query's own part of the answer.
    fn run(&self) -> Result<Map<String, Value>, Error>;
    /// Who is behind one number of the answer (chapter 1.10): exactly as many actors as the number says.
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        Err(point.unsupported())
    }
}

/// Binds any query.
pub(crate) fn bind<'a>(query: &'a Query, bound: &'a Bound<'a>) -> Result<Box<dyn Analysis + 'a>, Error> {
    Ok(match query {
        Query::Segmentation(q) => Box::new(segmentation::Segmentation::new(q, bound)?),
        Query::Funnel(q) => Box::new(funnel::Funnel::new(q, bound)?),
        Query::Retention(q) => Box::new(retention::Retention::new(q, bound)?),
        Query::Lifecycle(q) => Box::new(lifecycle::Lifecycle::new(q, bound)?),
        Query::Stickiness(q) => Box::new(stickiness::Stickiness::new(q, bound)?),
        Query::Sessions(q) => Box::new(sessions::Sessions::new(q, bound)?),
        Query::Paths(q) => Box::new(paths::Paths::new(q, bound)?),
        Query::Cohort(q) => Box::new(cohort::Cohort::new(q, bound)?),
        Query::Composition(q) => Box::new(composition::Composition::new(q, bound)?),
        Query::Ltv(q) => Box::new(ltv::Ltv::new(q, bound)?),
        Query::Engagement(q) => Box::new(engagement::Engagement::new(q, bound)?),
        Query::Personas(q) => Box::new(personas::Personas::new(q, bound)?),
        Query::Realtime(q) => Box::new(realtime::Realtime::new(q, bound)?),
        Query::Sql(q) => Box::new(Statement::new(q, bound)?),
    })
}
