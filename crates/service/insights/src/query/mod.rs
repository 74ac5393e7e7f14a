//! The query language: JSON in, typed queries out.
//!
//! Guarantees: an error names the path and what is allowed there; a key that is unknown, and an option that is
//! not computed, are refused by name. Deliberately not here: projects, zones, segments (`plan`).

mod cohort;
mod composition;
mod engagement;
mod funnel;
mod labelled;
mod lifecycle;
mod ltv;
mod measure;
mod parts;
mod paths;
mod personas;
mod preset;
mod reader;
mod realtime;
mod retention;
mod segmentation;
mod sessions;
mod sql;
mod stickiness;
#[cfg(test)]
mod tests;
mod through;

pub(crate) use cohort::{CohortQuery, Comparison, Definition, Measure as CohortMeasure, Performed, Window};
pub(crate) use composition::CompositionQuery;
pub(crate) use engagement::EngagementQuery;
pub(crate) use funnel::{At, ExclusionSpec, FunnelQuery, HistogramSpec, Order as FunnelOrder};
pub(crate) use lifecycle::LifecycleQuery;
pub(crate) use ltv::LtvQuery;
pub(crate) use measure::{Measure, Shape};
pub(crate) use parts::always;
pub(crate) use parts::{
    AttributionSpec, BreakdownSpec, Common, CountBy, NamesSpec, SegmentScope, SelectorSpec, bin_labels, both,
};
pub(crate) use paths::{Cut, PathsQuery};
pub(crate) use personas::PersonasQuery;
pub(crate) use realtime::RealtimeQuery;
pub(crate) use retention::{RetentionKind, RetentionQuery};
pub(crate) use segmentation::{SegmentationQuery, SeriesSpec};
pub(crate) use sessions::{Bars, SessionsQuery};
pub(crate) use sql::SqlQuery;
pub(crate) use stickiness::StickinessQuery;
pub(crate) use through::ThroughSpec;

pub(crate) use reader::Reader;

use crate::Error;
use serde_json::Value;

/// A query, checked.
#[derive(Debug, Clone)]
pub(crate) enum Query {
    Segmentation(Box<SegmentationQuery>),
    Funnel(Box<FunnelQuery>),
    Retention(Box<RetentionQuery>),
    Lifecycle(Box<LifecycleQuery>),
    Stickiness(Box<StickinessQuery>),
    Sessions(Box<SessionsQuery>),
    Paths(Box<PathsQuery>),
    Cohort(Box<CohortQuery>),
    Composition(Box<CompositionQuery>),
    Ltv(Box<LtvQuery>),
    Engagement(Box<EngagementQuery>),
    Personas(Box<PersonasQuery>),
    Realtime(Box<RealtimeQuery>),
    Sql(Box<SqlQuery>),
}

impl Query {
    /// Parses a query object.
    pub fn parse(value: &Value) -> Result<Query, Error> {
        bounded(value)?;
        let whole = preset::applied(value)?;
        let query = Reader::new(&whole, "")?;
        let hint = "one of: segmentation, funnel, retention, lifecycle, stickiness, sessions, paths, cohort, composition, \
                    ltv, engagement, personas, realtime, sql";
        match query.text("type")?.ok_or_else(|| query.missing("type", hint))? {
            "segmentation" => Ok(Query::Segmentation(Box::new(SegmentationQuery::read(query)?))),
            "funnel" => Ok(Query::Funnel(Box::new(FunnelQuery::read(query)?))),
            "retention" => Ok(Query::Retention(Box::new(RetentionQuery::read(query)?))),
            "lifecycle" => Ok(Query::Lifecycle(Box::new(LifecycleQuery::read(query)?))),
            "stickiness" => Ok(Query::Stickiness(Box::new(StickinessQuery::read(query)?))),
            "sessions" => Ok(Query::Sessions(Box::new(SessionsQuery::read(query)?))),
            "paths" => Ok(Query::Paths(Box::new(PathsQuery::read(query)?))),
            "cohort" => Ok(Query::Cohort(Box::new(CohortQuery::read(query)?))),
            "composition" => Ok(Query::Composition(Box::new(CompositionQuery::read(query)?))),
            "ltv" => Ok(Query::Ltv(Box::new(LtvQuery::read(query)?))),
            "engagement" => Ok(Query::Engagement(Box::new(EngagementQuery::read(query)?))),
            "personas" => Ok(Query::Personas(Box::new(PersonasQuery::read(query, value)?))),
            "realtime" => Ok(Query::Realtime(Box::new(RealtimeQuery::read(query)?))),
            "sql" => Ok(Query::Sql(Box::new(SqlQuery::read(query)?))),
            other => Err(query.wrong("type", format!("{other:?} is not known"), hint)),
        }
    }

    /// The keys all types share.
    pub fn common(&self) -> &Common {
        match self {
            Query::Segmentation(q) => &q.common,
            Query::Funnel(q) => &q.common,
            Query::Retention(q) => &q.common,
            Query::Lifecycle(q) => &q.common,
            Query::Stickiness(q) => &q.common,
            Query::Sessions(q) => &q.common,
            Query::Paths(q) => &q.common,
            Query::Cohort(q) => &q.common,
            Query::Composition(q) => &q.common,
            Query::Ltv(q) => &q.common,
            Query::Engagement(q) => &q.common,
            Query::Personas(q) => &q.common,
            Query::Realtime(q) => &q.common,
            Query::Sql(q) => &q.common,
        }
    }
}

/// How deep a query may nest; conditions and cohorts have limits of their own within it.
const DEPTH_MAX: usize = 128;
/// How many values a query may hold.
const VALUES_MAX: usize = 100_000;

/// Refuses what would be too deep or too much to look through, without using the stack for it.
fn bounded(query: &Value) -> Result<(), Error> {
    let mut ahead = vec![(query, 1)];
    let mut values = 0;
    while let Some((value, depth)) = ahead.pop() {
        let inner: usize = match value {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            _ => 0,
        };
        values += inner;
        if depth > DEPTH_MAX && inner > 0 {
            let problem = format!("is more than {DEPTH_MAX} levels deep");
            return Err(Error::malformed(
                "query",
                problem,
                "write nested conditions as one list in `all` or `any`",
            ));
        }
        if values > VALUES_MAX {
            let problem = format!("has more than {VALUES_MAX} values");
            return Err(Error::malformed(
                "query",
                problem,
                "use a lookup table or a cohort instead of long lists",
            ));
        }
        match value {
            Value::Array(list) => ahead.extend(list.iter().map(|v| (v, depth + 1))),
            Value::Object(map) => ahead.extend(map.values().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}
