//! How many questions run at one time, and whose turn it is.
//!
//! Guarantees: first come, first served within a project; one project never takes all places; a bounded number
//! waits and the rest is refused at once; whoever goes away while waiting leaves the queue.
//! Deliberately not here: running them (`asking`).

use crate::{ApiError, codes};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallymark_model::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A gate with places for all and for each project.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    per_project: usize,
    projects: Mutex<HashMap<ProjectId, Arc<Semaphore>>>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _project: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub fn new(all: usize, per_project: usize, waiting_max: usize) -> Admission {
        Admission {
            all: Arc::new(Semaphore::new(all.max(1))),
            per_project: per_project.max(1),
            projects: Mutex::default(),
            waiting: Arc::default(),
            waiting_max,
        }
    }

    /// Waits for a place. The project's own gate comes first, so that a project's queue does not stand in the
    /// way of others in the common one.
    pub async fn enter(&self, project: ProjectId) -> Result<Place, ApiError> {
        let gate = self.gate_of(project);
        let queued = Waiting(self.waiting.clone());
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max + self.all.available_permits() {
            let wait = Duration::from_secs(2);
            return Err(ApiError::new(&codes::QUERY_QUEUE, "too many queries are waiting").retry_after(wait));
        }
        let closed = |_| ApiError::internal("a gate is closed");
        let own = gate.acquire_owned().await.map_err(closed)?;
        let common = self.all.clone().acquire_owned().await.map_err(closed)?;
        drop(queued);
        Ok(Place { _project: own, _all: common })
    }

    fn gate_of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.entry(project).or_insert_with(|| Arc::new(Semaphore::new(self.per_project))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const A: ProjectId = ProjectId(1);
    const B: ProjectId = ProjectId(2);

    #[tokio::test]
    async fn a_project_with_a_long_queue_does_not_hold_up_another() {
        let gate = Arc::new(Admission::new(3, 2, 10));
        let (first, second) = (gate.enter(A).await.unwrap(), gate.enter(A).await.unwrap());
        let mut third = Box::pin(gate.enter(A));
        assert!(third.as_mut().now_or_never().is_none(), "the project's places are taken");
        let other = gate.enter(B).now_or_never().expect("there is room for another project").unwrap();
        drop(first);
        assert!(third.as_mut().now_or_never().is_some());
        drop((second, other));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_forgets_who_goes_away() {
        let gate = Admission::new(1, 1, 2);
        let inside = gate.enter(A).await.unwrap();
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(gate.enter(A))).collect();
        for w in &mut waiting {
            assert!(w.as_mut().now_or_never().is_none());
        }
        let refused = gate.enter(B).now_or_never().expect("refused at once").unwrap_err();
        assert!(refused.is(&codes::QUERY_QUEUE));
        waiting.pop();
        assert!(gate.enter(B).now_or_never().is_none(), "there is a place in the queue again");
        drop(inside);
        assert!(waiting.pop().unwrap().now_or_never().is_some());
    }
}
