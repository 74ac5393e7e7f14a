//! `type: "paths"` (chapter 8).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::PathsQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Paths<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Paths<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a PathsQuery, bound: &'a Bound<'a>) -> Result<Paths<'a>, Error> {
        Ok(Paths { bound })
    }
}

impl Analysis for Paths<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"paths\"`"))
    }
}
