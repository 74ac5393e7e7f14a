//! Conditions over the rows of a batch.
//!
//! Guarantees: the same answer as the row evaluator of `predicate`; each distinct value is tested once.

use crate::{QueryError, ValueColumn};
use tallymark_predicate::{CohortLeaf, Expr, PropertyRef};

/// Which of `rows` rows pass `expr`; `column` fetches a property of them, `members` who of them is in a cohort.
pub(crate) fn passing<'a>(
    expr: &Expr,
    rows: usize,
    column: &dyn Fn(&PropertyRef) -> Result<&'a ValueColumn, QueryError>,
    members: &dyn Fn(&CohortLeaf) -> Result<Vec<bool>, QueryError>,
) -> Result<Vec<bool>, QueryError> {
    match expr {
        Expr::Cohort(leaf) => members(leaf),
        Expr::Leaf(leaf) => Ok(column(&leaf.property)?.passes(&leaf.matcher)),
        Expr::Not(inner) => {
            let mut hits = passing(inner, rows, column, members)?;
            hits.iter_mut().for_each(|h| *h = !*h);
            Ok(hits)
        }
        Expr::All(list) => {
            let mut hits = vec![true; rows];
            for part in list {
                let theirs = passing(part, rows, column, members)?;
                hits.iter_mut().zip(theirs).for_each(|(h, t)| *h &= t);
            }
            Ok(hits)
        }
        Expr::Any(list) => {
            let mut hits = vec![false; rows];
            for part in list {
                let theirs = passing(part, rows, column, members)?;
                hits.iter_mut().zip(theirs).for_each(|(h, t)| *h |= t);
            }
            Ok(hits)
        }
    }
}
