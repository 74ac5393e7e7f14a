//! `type: "personas"` (chapter 10).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::PersonasQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Personas<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Personas<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a PersonasQuery, bound: &'a Bound<'a>) -> Result<Personas<'a>, Error> {
        Ok(Personas { bound })
    }
}

impl Analysis for Personas<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"personas\"`"))
    }
}
