//! `type: "engagement"` (chapter 10).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::EngagementQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Engagement<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Engagement<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a EngagementQuery, bound: &'a Bound<'a>) -> Result<Engagement<'a>, Error> {
        Ok(Engagement { bound })
    }
}

impl Analysis for Engagement<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"engagement\"`"))
    }
}
