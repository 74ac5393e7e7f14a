//! Cohorts for the conditions of a query: each is decided once, however many scans ask for it.

use super::expand::Directory;
use super::tree::{Instants, Tree};
use crate::Error;
use crate::plan::Bound;
use crate::query::{Common, Definition, Reader};
use serde_json::json;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tallymark_model::Millis;
use tallymark_predicate::CohortLeaf;
use tallymark_query::{Cohorts, Context, Membership, QueryError, Reservation, Snapshot};

/// How deep the conditions of cohorts may ask for cohorts whose conditions ask for cohorts.
const DEPTH_MAX: usize = 8;

/// The cohort's text, whether as of each event, and the instant of the query.
type Key = (String, bool, Millis);

/// Decides for one query.
pub(crate) struct Resolver {
    directory: Directory,
    threads: usize,
    depth: AtomicUsize,
    known: Mutex<HashMap<Key, Arc<dyn Membership>>>,
}

impl Resolver {
    /// For a query on this many threads.
    pub fn new(directory: Directory, threads: usize) -> Resolver {
        Resolver { directory, threads, depth: AtomicUsize::new(0), known: Mutex::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        cohort: &CohortLeaf,
        as_of: Millis,
        context: &Context,
    ) -> Result<Arc<dyn Membership>, Error> {
        let at = format!("{}.cohort", cohort.path);
        let definition = Definition::parse(&cohort.cohort, &at)?;
        let query = json!({});
        let common = Common::read_or(&Reader::new(&query, "")?, crate::query::always())?;
        let bound = Bound::new(snapshot, &common, context, self.threads)?.at(as_of);
        if cohort.at_event_time {
            return Ok(Arc::new(Tree::new(&definition, &bound, &self.directory, Instants::Any)?));
        }
        let tree = Tree::new(&definition, &bound, &self.directory, Instants::AsOf)?;
        let bound_of_persons = snapshot.identity.bound() as usize;
        let held = context.budget.reserve(bound_of_persons as u64 / 8 + 8)?;
        let mut bits = vec![0u64; bound_of_persons / 64 + 1];
        for person in tree.members(as_of, self.threads)? {
            bits[person as usize / 64] |= 1 << (person % 64);
        }
        Ok(Arc::new(Fixed { bits, _held: held }))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Cohorts for Resolver {
    fn membership(
        &self,
        snapshot: &Snapshot,
        cohort: &CohortLeaf,
        as_of: Millis,
        context: &Context,
    ) -> Result<Arc<dyn Membership>, QueryError> {
        let key = (cohort.key.clone(), cohort.at_event_time, as_of);
        let lock = || self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = lock().get(&key) {
            return Ok(Arc::clone(known));
        }
        if self.depth.fetch_add(1, Ordering::Relaxed) >= DEPTH_MAX {
            self.depth.fetch_sub(1, Ordering::Relaxed);
            let text = "conditions of a cohort lead back to it, or are nested too deep";
            return Err(QueryError::Invalid(format!("{}: {text}", cohort.path)));
        }
        let decided = self.decide(snapshot, cohort, as_of, context);
        self.depth.fetch_sub(1, Ordering::Relaxed);
        let decided = decided.map_err(|error| match error {
            Error::Query(error) => error,
            other => QueryError::Invalid(other.to_string()),
        })?;
        lock().insert(key, Arc::clone(&decided));
        Ok(decided)
    }
}

impl Membership for Tree {
    fn of(&self, persons: &[u32], time: &dyn Fn(usize) -> Millis) -> Result<Vec<bool>, QueryError> {
        Tree::of(self, persons, time)
    }
}

/// Who is in it at the instant of the query.
#[derive(Debug)]
struct Fixed {
    bits: Vec<u64>,
    _held: Reservation,
}

impl Membership for Fixed {
    fn of(&self, persons: &[u32], _: &dyn Fn(usize) -> Millis) -> Result<Vec<bool>, QueryError> {
        let inside =
            |p: &u32| self.bits.get(*p as usize / 64).is_some_and(|word| word & (1 << (p % 64)) != 0);
        Ok(persons.iter().map(inside).collect())
    }
}
