//! `segment_scope: "attribution"` (chapter 15, Mixpanel): the segment is a test of the attempt that counts, not of
//! single events. Every property it names has its first value along the matched events, as `at: "first_touch"` takes
//! it for breakdowns; the attempt is chosen first and tested then.
//!
//! Guarantees: the same operators as everywhere; who belongs to a cohort is asked of the attempt's person, as of its
//! entry if the condition says so.

use super::marks::Resolved;
use super::units::Found;
use crate::Error;
use crate::plan::Bound;
use crate::query::{CountBy, FunnelQuery, SegmentScope};
use std::sync::Arc;
use tallymark_model::Value;
use tallymark_predicate::{CohortLeaf, Expr, PropertyRef};
use tallymark_query::{Membership, QueryError};

/// The segment of a funnel as a test of attempts.
pub(super) struct Tested<'a> {
    expr: &'a Expr,
    /// What it reads, in the order of the marks.
    pub properties: Vec<PropertyRef>,
    members: Vec<(Arc<CohortLeaf>, Arc<dyn Membership>)>,
}

impl<'a> Tested<'a> {
    /// Of a query that wants it.
    pub fn new(query: &'a FunnelQuery, bound: &Bound<'_>) -> Result<Option<Tested<'a>>, Error> {
        let wanted = query.common.segment_scope == SegmentScope::Attempt;
        let Some(expr) = query.common.segment.as_ref().filter(|_| wanted) else { return Ok(None) };
        let mut asked = Vec::new();
        expr.cohorts(&mut |leaf| asked.push(Arc::clone(leaf)));
        if !asked.is_empty() && query.common.count_by != CountBy::Person {
            let why = "with a cohort in `segment` needs persons: no other actor belongs to cohorts";
            return Err(Error::combination("segment_scope", "`attribution`", why));
        }
        let mut members = Vec::new();
        for leaf in asked {
            let cohorts = bound.snapshot.cohorts.as_ref();
            let missing = || QueryError::Invalid(format!("{}: nobody here knows cohorts", leaf.path));
            let cohorts = cohorts.ok_or_else(missing)?;
            let who = cohorts.membership(bound.snapshot, &leaf, bound.as_of(), bound.context)?;
            members.push((leaf, who));
        }
        Ok(Some(Tested { expr, properties: expr.properties(), members }))
    }

    /// Whether an attempt counts.
    pub fn passes(&self, found: &Found<'_>, marks: &Resolved) -> Result<bool, QueryError> {
        self.holds(self.expr, found, marks)
    }

    fn holds(&self, expr: &Expr, found: &Found<'_>, marks: &Resolved) -> Result<bool, QueryError> {
        match expr {
            Expr::All(list) => {
                for part in list {
                    if !self.holds(part, found, marks)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expr::Any(list) => {
                for part in list {
                    if self.holds(part, found, marks)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Expr::Not(inner) => Ok(!self.holds(inner, found, marks)?),
            Expr::Leaf(leaf) => {
                let place = self.properties.iter().position(|p| *p == leaf.property);
                let value = |event: usize| marks.tested(found.events[event].mark, place?);
                let first: Option<&Value> = found.attempt.events().find_map(value);
                Ok(leaf.matcher.eval(first))
            }
            Expr::Cohort(leaf) => {
                let entry = &found.events[found.attempt.entry as usize];
                let known = self.members.iter().find(|(l, _)| l == leaf);
                let (_, who) =
                    known.ok_or_else(|| QueryError::Invalid(format!("{}: was not looked up", leaf.path)))?;
                Ok(who.of(&[entry.who], &|_| entry.time)?.first().copied().unwrap_or(false))
            }
        }
    }
}
