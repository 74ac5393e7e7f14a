//! `type: "cohort"` (chapter 9): members now, size over time.

use super::crowd::name_of;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::cohorts::{Instants, Tree};
use crate::plan::Bound;
use crate::query::CohortQuery;
use serde_json::{Map, Value, json};
use tallymark_query::{Buckets, Scan, Unit};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Cohort<'a> {
    bound: &'a Bound<'a>,
    interval: Option<Unit>,
    tree: Tree,
}

impl<'a> Cohort<'a> {
    /// Looks up what the definition asks for.
    pub fn new(query: &'a CohortQuery, bound: &'a Bound<'a>) -> Result<Cohort<'a>, Error> {
        let over_time = query.common.range != crate::query::always();
        let instants = if over_time { Instants::Any } else { Instants::AsOf };
        let tree = Tree::new(&query.definition, bound, bound.directory()?, instants)?;
        Ok(Cohort { bound, interval: query.interval, tree })
    }

    fn members(&self) -> Result<Vec<u32>, Error> {
        self.tree.members(self.bound.as_of(), self.bound.threads)
    }
}

impl Analysis for Cohort<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(self.interval)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let members = self.members()?;
        let _held = self.bound.context.budget.reserve(members.len() as u64 * 64)?;
        let mut names: Vec<String> = members.iter().map(|p| name_of(self.bound.snapshot, *p)).collect();
        names.sort_unstable();
        let mut answer = Map::new();
        answer.insert("size".to_owned(), json!(names.len()));
        answer.insert("members".to_owned(), json!(names));
        let Some(unit) = self.interval else { return Ok(answer) };
        let buckets = self.buckets()?;
        let (mut values, mut incomplete) = (Vec::new(), Vec::new());
        for i in 0..buckets.len() {
            self.bound.context.cancel.check()?;
            let end = buckets.end(i).min(self.bound.range.1);
            let last = self.bound.until(end) - 1;
            // A bucket that has not begun has no end to be asked about.
            values.push(match buckets.start(i) <= self.bound.as_of() {
                true => json!(self.tree.members(last, self.bound.threads)?.len()),
                false => Value::Null,
            });
            incomplete.push(self.bound.lacking(buckets.start(i), buckets.end(i)));
        }
        answer.insert("buckets".to_owned(), json!(buckets.labels(&self.bound.calendar, unit)?));
        answer.insert("values".to_owned(), Value::Array(values));
        answer.insert("incomplete".to_owned(), json!(incomplete));
        Ok(answer)
    }

    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let buckets = self.buckets()?;
        let labels = match self.interval {
            Some(unit) => buckets.labels(&self.bound.calendar, unit)?,
            None => Vec::new(),
        };
        let bucket = point.bucket(&labels)?;
        point.finish()?;
        let Some(i) = bucket else { return Ok(Crowd::Persons(self.members()?)) };
        let last = self.bound.until(buckets.end(i).min(self.bound.range.1)) - 1;
        Ok(Crowd::Persons(self.tree.members(last, self.bound.threads)?))
    }
}
