//! Funnels (chapter 3). The plain case (`this_order`, actors, at most labelled by the first step) has an operator of
//! its own, several times as fast as the one that knows every option.

mod attributed;
mod between;
mod general;
mod marks;
mod plain;
mod point;
mod stretches;
mod tally;
mod units;

pub(crate) use stretches::Stretches;

use super::groups::OTHER;
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::plan::Bound;
use crate::query::{At, FunnelOrder, FunnelQuery, SegmentScope};
use general::General;
use plain::Plain;
use serde_json::{Map, Value, json};
use tally::Tally;
use tallymark_query::{Buckets, Scan};

/// What a query becomes when it meets a snapshot.
pub(crate) struct Funnel<'a> {
    query: &'a FunnelQuery,
    bound: &'a Bound<'a>,
    how: How<'a>,
}

enum How<'a> {
    Plain(Box<Plain<'a>>),
    General(Box<General<'a>>),
}

impl Analysis for Funnel<'_> {
    fn scans(&self) -> Vec<&Scan> {
        match &self.how {
            How::Plain(plain) => vec![&plain.scan],
            How::General(general) => vec![&general.scan],
        }
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(self.query.over_time.map(|o| o.interval))
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        match &self.how {
            How::Plain(plain) => plain.answer(),
            How::General(general) => general.answer(),
        }
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        match &self.how {
            How::General(general) => general.crowd(point),
            // Bound for a crowd, every funnel is general.
            How::Plain(_) => Err(point.unsupported()),
        }
    }
}

impl<'a> Funnel<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a FunnelQuery, bound: &'a Bound<'a>) -> Result<Funnel<'a>, Error> {
        let how = match is_plain(query) {
            true => How::Plain(Box::new(Plain::new(query, bound))),
            false => How::General(Box::new(General::new(query, bound)?)),
        };
        Ok(Funnel { query, bound, how })
    }
}

fn is_plain(query: &FunnelQuery) -> bool {
    query.order == FunnelOrder::This
        && query.steps.iter().all(|s| s.within.is_none() && !s.optional)
        && query.exclusions.is_empty()
        && query.hold.is_empty()
        && !query.totals
        && query.over_time.is_none()
        && query.between.is_none()
        && query.common.microscope.is_none()
        && query.common.segment_scope != SegmentScope::Attempt
        && query.at.iter().all(|at| *at == At::Step(0))
}

/// A row of `groups`.
fn row(query: &FunnelQuery, breakdown: Value, tally: Tally) -> Value {
    let mut row = Map::new();
    row.insert("breakdown".to_owned(), breakdown);
    tally.write(query, &mut row);
    Value::Object(row)
}

/// A label as it stands in an answer.
fn label_value(texts: &[String]) -> Value {
    match texts {
        [single] => json!(single),
        several => json!(several),
    }
}

/// The label of what a limit cut off.
fn other() -> Value {
    json!(OTHER)
}
