//! `type: "stickiness"` (chapter 6).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::StickinessQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Stickiness<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Stickiness<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a StickinessQuery, bound: &'a Bound<'a>) -> Result<Stickiness<'a>, Error> {
        Ok(Stickiness { bound })
    }
}

impl Analysis for Stickiness<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"stickiness\"`"))
    }
}
