//! How many questions run at one time, and whose turn it is.
//!
//! Guarantees: projects take turns, whoever of them asks most; first come, first served within one; one project never
//! takes all places, nor all of the queue; what does not fit is refused at once with a time to come back; whoever goes
//! away while waiting leaves the queue.
//! Deliberately not here: running them (`asking`), what a project may take (`limits`).

use crate::{ApiError, codes};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tallymark_model::ProjectId;
use tokio::sync::oneshot;

/// A gate with places for all and for each project.
#[derive(Debug)]
pub(crate) struct Admission(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    per_project: usize,
    waiting_max: usize,
    waiting_per_project_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    waiting: usize,
    numbers: u64,
    projects: HashMap<ProjectId, Queue>,
    /// Projects of which somebody waits, in the order of their turns.
    turns: VecDeque<ProjectId>,
}

#[derive(Debug, Default)]
struct Queue {
    inside: usize,
    max: usize,
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    project: ProjectId,
}

/// Somebody in the queue. Dropped with the request, also after the place was given and before it was taken.
struct Waiter {
    gate: Arc<Gate>,
    project: ProjectId,
    number: u64,
    turn: oneshot::Receiver<()>,
    taken: bool,
}

impl Admission {
    /// So many places, of which one project may have so many; and so many who may wait.
    pub fn new(all: usize, per_project: usize, waiting_max: usize) -> Admission {
        Admission(Arc::new(Gate {
            per_project: per_project.max(1),
            waiting_max,
            // Who fills the queue must not keep others out of it.
            waiting_per_project_max: waiting_max - waiting_max / 4,
            state: Mutex::new(State { free: all.max(1), ..State::default() }),
        }))
    }

    /// Waits for a place; `max` is the project's own limit, if it has one.
    pub async fn enter(&self, project: ProjectId, max: Option<usize>) -> Result<Place, ApiError> {
        let gate = &self.0;
        let mut waiter = {
            let mut state = gate.lock();
            let per_project = max.map_or(gate.per_project, |max| max.min(gate.per_project)).max(1);
            let (free, waiting) = (state.free, state.waiting);
            let queue = state.projects.entry(project).or_default();
            queue.max = per_project;
            if free > 0 && queue.waiting.is_empty() && queue.inside < queue.max {
                queue.inside += 1;
                state.free -= 1;
                return Ok(Place { gate: Arc::clone(gate), project });
            }
            let own = queue.waiting.len() >= gate.waiting_per_project_max;
            if own || waiting >= gate.waiting_max {
                let whose = if own { "too many queries of this project" } else { "too many queries" };
                let wait = Duration::from_secs(2);
                return Err(
                    ApiError::new(&codes::QUERY_QUEUE, format!("{whose} are waiting")).retry_after(wait)
                );
            }
            state.numbers += 1;
            let number = state.numbers;
            let (sender, turn) = oneshot::channel();
            let queue = state.projects.entry(project).or_default();
            queue.waiting.push_back((number, sender));
            state.waiting += 1;
            if !state.turns.contains(&project) {
                state.turns.push_back(project);
            }
            Waiter { gate: Arc::clone(gate), project, number, turn, taken: false }
        };
        (&mut waiter.turn).await.map_err(|_| ApiError::internal("a gate is closed"))?;
        waiter.taken = true;
        Ok(Place { gate: Arc::clone(gate), project })
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, project: ProjectId) {
        let mut state = self.lock();
        state.free += 1;
        if let Some(queue) = state.projects.get_mut(&project) {
            queue.inside -= 1;
        }
        state.give();
        let idle = |queue: &Queue| queue.inside == 0 && queue.waiting.is_empty();
        if state.projects.get(&project).is_some_and(idle) {
            state.projects.remove(&project);
        }
    }
}

impl State {
    /// Gives free places to those whose turn it is.
    fn give(&mut self) {
        let mut passed = 0;
        while self.free > 0 && passed < self.turns.len() {
            let Some(project) = self.turns.pop_front() else { return };
            let Some(queue) = self.projects.get_mut(&project) else { continue };
            if queue.inside >= queue.max {
                // It has what it may have; the others go on.
                self.turns.push_back(project);
                passed += 1;
                continue;
            }
            if let Some((_, turn)) = queue.waiting.pop_front() {
                self.waiting -= 1;
                if turn.send(()).is_ok() {
                    queue.inside += 1;
                    self.free -= 1;
                    passed = 0;
                }
            }
            if !queue.waiting.is_empty() {
                self.turns.push_back(project);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.leave(self.project);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let given = {
            let mut state = self.gate.lock();
            let queue = state.projects.entry(self.project).or_default();
            let before = queue.waiting.len();
            queue.waiting.retain(|(number, _)| *number != self.number);
            let left = queue.waiting.len();
            state.waiting -= before - left;
            if left == 0 {
                state.turns.retain(|project| *project != self.project);
            }
            before == left && self.turn.try_recv().is_ok()
        };
        if given {
            self.gate.leave(self.project);
        }
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
        let (first, second) = (gate.enter(A, None).await.unwrap(), gate.enter(A, None).await.unwrap());
        let mut third = Box::pin(gate.enter(A, None));
        assert!(third.as_mut().now_or_never().is_none(), "the project's places are taken");
        let other = gate.enter(B, None).now_or_never().expect("there is room for another project").unwrap();
        drop(first);
        assert!(third.as_mut().now_or_never().is_some());
        drop((second, other));
    }

    #[tokio::test]
    async fn projects_take_turns_however_many_of_one_wait() {
        let gate = Admission::new(1, 1, 100);
        let inside = gate.enter(A, None).await.unwrap();
        let mut many: Vec<_> = (0..20).map(|_| Box::pin(gate.enter(A, None))).collect();
        many.iter_mut().for_each(|w| assert!(w.as_mut().now_or_never().is_none()));
        let mut one = Box::pin(gate.enter(B, None));
        assert!(one.as_mut().now_or_never().is_none());
        drop(inside);
        let next = many[0].as_mut().now_or_never().expect("A asked first").unwrap();
        drop(next);
        assert!(many[1].as_mut().now_or_never().is_none(), "it is not A's turn again");
        assert!(one.as_mut().now_or_never().expect("it is B's turn").is_ok());
        assert!(many[1].as_mut().now_or_never().is_some(), "and A's");
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_forgets_who_goes_away() {
        let gate = Admission::new(1, 1, 4);
        let inside = gate.enter(A, None).await.unwrap();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(gate.enter(A, None))).collect();
        waiting.iter_mut().for_each(|w| assert!(w.as_mut().now_or_never().is_none()));
        let refused = gate.enter(A, None).now_or_never().expect("refused at once").unwrap_err();
        assert!(refused.is(&codes::QUERY_QUEUE));
        let mut other = Box::pin(gate.enter(B, None));
        assert!(other.as_mut().now_or_never().is_none(), "there is room in the queue for another project");
        let refused = gate.enter(ProjectId(3), None).now_or_never().expect("refused at once").unwrap_err();
        assert!(refused.is(&codes::QUERY_QUEUE));
        drop(waiting.remove(0));
        let mut again = Box::pin(gate.enter(A, None));
        assert!(again.as_mut().now_or_never().is_none(), "there is a place in the queue again");
        drop(inside);
        assert!(waiting[0].as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_place_that_was_given_to_somebody_gone_goes_on() {
        let gate = Admission::new(1, 1, 10);
        let inside = gate.enter(A, None).await.unwrap();
        let mut first = Box::pin(gate.enter(A, None));
        let mut second = Box::pin(gate.enter(B, None));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(inside);
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_project_may_have_fewer_places_than_the_others() {
        let gate = Admission::new(4, 3, 10);
        let inside = gate.enter(A, Some(1)).await.unwrap();
        assert!(gate.enter(A, Some(1)).now_or_never().is_none());
        let others: Vec<_> = (0..3).filter_map(|_| gate.enter(B, None).now_or_never()).collect();
        assert_eq!(others.len(), 3);
        drop(inside);
    }
}
