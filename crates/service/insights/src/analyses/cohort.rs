//! `type: "cohort"` (chapter 9).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::CohortQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Cohort<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Cohort<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a CohortQuery, bound: &'a Bound<'a>) -> Result<Cohort<'a>, Error> {
        Ok(Cohort { bound })
    }
}

impl Analysis for Cohort<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"cohort\"`"))
    }
}
