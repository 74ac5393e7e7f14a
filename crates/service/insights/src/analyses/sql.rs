//! `type: "sql"`: a statement over the tables of the snapshot, answered by whoever the engine was given.

use super::Analysis;
use crate::Error;
use crate::plan::Bound;
use crate::query::SqlQuery;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_query::{Buckets, Scan, Sql, SqlQuestion};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Statement<'a> {
    bound: &'a Bound<'a>,
    sql: Arc<dyn Sql>,
    question: SqlQuestion,
}

impl<'a> Statement<'a> {
    /// Fails where nobody answers SQL.
    pub fn new(query: &'a SqlQuery, bound: &'a Bound<'a>) -> Result<Statement<'a>, Error> {
        let directory = bound.directory()?;
        let missing = || Error::unsupported("type", "`type: \"sql\"` without its engine");
        let sql = directory.sql.clone().ok_or_else(missing)?;
        let question = SqlQuestion {
            sql: query.sql.clone(),
            params: query.params.clone(),
            limit: query.limit,
            from: bound.range.0,
            to: bound.until(bound.range.1),
            as_of: bound.until(Millis::MAX).saturating_sub(1),
            segment: query.common.segment.clone(),
            stats: Arc::new(directory.source.stats(bound.snapshot.project.id)),
            threads: bound.threads,
        };
        Ok(Statement { bound, sql, question })
    }

    /// The plan, and what it would read.
    pub fn explain(&self) -> Result<Value, Error> {
        Ok(self.sql.explain(self.bound.snapshot, &self.question, self.bound.context)?)
    }
}

impl Analysis for Statement<'_> {
    fn scans(&self) -> Vec<&Scan> {
        Vec::new()
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let answer = self.sql.answer(self.bound.snapshot, &self.question, self.bound.context)?;
        let mut own = Map::new();
        own.insert("columns".to_owned(), json!(answer.columns));
        own.insert("rows".to_owned(), Value::Array(answer.rows.into_iter().map(Value::Array).collect()));
        own.insert("truncated".to_owned(), json!(answer.truncated));
        Ok(own)
    }
}
