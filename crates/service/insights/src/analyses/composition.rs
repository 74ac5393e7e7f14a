//! `type: "composition"` (chapter 10).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::CompositionQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Composition<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Composition<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a CompositionQuery, bound: &'a Bound<'a>) -> Result<Composition<'a>, Error> {
        Ok(Composition { bound })
    }
}

impl Analysis for Composition<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"composition\"`"))
    }
}
