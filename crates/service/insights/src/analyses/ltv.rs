//! `type: "ltv"` (chapter 10).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::LtvQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Ltv<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Ltv<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a LtvQuery, bound: &'a Bound<'a>) -> Result<Ltv<'a>, Error> {
        Ok(Ltv { bound })
    }
}

impl Analysis for Ltv<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"ltv\"`"))
    }
}
