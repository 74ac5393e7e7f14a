//! `type: "realtime"` (chapter 10).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::RealtimeQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Realtime<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Realtime<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a RealtimeQuery, bound: &'a Bound<'a>) -> Result<Realtime<'a>, Error> {
        Ok(Realtime { bound })
    }
}

impl Analysis for Realtime<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"realtime\"`"))
    }
}
