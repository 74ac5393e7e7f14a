//! Membership of cohorts, as conditions of a scan ask for it. What a cohort means is for `insights` to know; the
//! scan only asks, once per scan who decides and once per batch about its rows.

use crate::{Context, QueryError, Snapshot};
use std::fmt::Debug;
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_predicate::CohortLeaf;

/// Who is in one cohort.
pub trait Membership: Debug + Send + Sync {
    /// For each row, given by person and event time, whether its person belongs to the cohort. Nobody (person 0)
    /// belongs to none.
    fn of(&self, persons: &[u32], time: &dyn Fn(usize) -> Millis) -> Result<Vec<bool>, QueryError>;
}

/// Decides about cohorts for the scans of one query. A snapshot carries it (see [`Snapshot::cohorts`]).
pub trait Cohorts: Debug + Send + Sync {
    /// Who is in a cohort as of `as_of`, or, if the condition asks for it, as of each event.
    fn membership(
        &self,
        snapshot: &Snapshot,
        cohort: &CohortLeaf,
        as_of: Millis,
        context: &Context,
    ) -> Result<Arc<dyn Membership>, QueryError>;
}
