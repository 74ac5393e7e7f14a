//! `type: "lifecycle"` (chapter 5).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::LifecycleQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Lifecycle<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Lifecycle<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a LifecycleQuery, bound: &'a Bound<'a>) -> Result<Lifecycle<'a>, Error> {
        Ok(Lifecycle { bound })
    }
}

impl Analysis for Lifecycle<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"lifecycle\"`"))
    }
}
