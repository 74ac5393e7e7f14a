//! The query language: JSON in, typed queries out.
//!
//! Guarantees: an error names the path and what is allowed there; a key that is unknown, and an option that is
//! not computed, are refused by name. Deliberately not here: projects, zones, segments (`plan`).

mod funnel;
mod parts;
mod reader;
mod retention;
mod segmentation;
#[cfg(test)]
mod tests;

pub(crate) use funnel::FunnelQuery;
pub(crate) use parts::{BreakdownSpec, Common, CountBy, NamesSpec, SelectorSpec, bin_labels, both};
pub(crate) use retention::RetentionQuery;
pub(crate) use segmentation::{Measure, SegmentationQuery};

use crate::Error;
use reader::Reader;
use serde_json::Value;

/// A query, checked.
#[derive(Debug, Clone)]
pub(crate) enum Query {
    Segmentation(Box<SegmentationQuery>),
    Funnel(Box<FunnelQuery>),
    Retention(Box<RetentionQuery>),
}

/// Types of the contract that are not computed yet.
const LATER: [&str; 11] = [
    "lifecycle",
    "stickiness",
    "sessions",
    "paths",
    "cohort",
    "composition",
    "ltv",
    "engagement",
    "personas",
    "realtime",
    "sql",
];

impl Query {
    /// Parses a query object.
    pub fn parse(value: &Value) -> Result<Query, Error> {
        let query = Reader::new(value, "")?;
        let hint = "one of: segmentation, funnel, retention";
        match query.text("type")?.ok_or_else(|| query.missing("type", hint))? {
            "segmentation" => Ok(Query::Segmentation(Box::new(SegmentationQuery::read(query)?))),
            "funnel" => Ok(Query::Funnel(Box::new(FunnelQuery::read(query)?))),
            "retention" => Ok(Query::Retention(Box::new(RetentionQuery::read(query)?))),
            later if LATER.contains(&later) => Err(Error::unsupported("type", format!("`type: {later:?}`"))),
            other => Err(query.wrong("type", format!("{other:?} is not known"), hint)),
        }
    }

    /// The keys all types share.
    pub fn common(&self) -> &Common {
        match self {
            Query::Segmentation(q) => &q.common,
            Query::Funnel(q) => &q.common,
            Query::Retention(q) => &q.common,
        }
    }
}
