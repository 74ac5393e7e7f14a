//! `type: "sessions"` (chapter 7).

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::SessionsQuery;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Sessions<'a> {
    bound: &'a Bound<'a>,
}

impl<'a> Sessions<'a> {
    /// Prepares the scan.
    pub fn new(_query: &'a SessionsQuery, bound: &'a Bound<'a>) -> Result<Sessions<'a>, Error> {
        Ok(Sessions { bound })
    }
}

impl Analysis for Sessions<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        Err(Error::unsupported("type", "`type: \"sessions\"`"))
    }
}
