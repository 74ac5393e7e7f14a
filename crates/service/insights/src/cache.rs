//! Answers kept for the next time they are asked for.
//!
//! An answer is kept with everything it was made of (`Reads`: the row groups of every scan and the rules that chose
//! them, who the persons were, what was masked) and everything it asked about time and completeness (`Check`). It is
//! given again only if the same rules choose the same row groups of the asker's snapshot and every question has the
//! same answer, so it is what a computation would find; what the envelope says of the commit is written anew. Ranges
//! that are over are the ones that live on: new events match none of their rules.
//!
//! Guarantees: a kept answer is byte for byte a computed one (`tests/cache.rs`); bounded in bytes, the least recently
//! used goes first. Deliberately not here: answers about cohorts, and pages of who is behind a number, which depend on
//! what is kept elsewhere; they are always computed.

use crate::plan::{Bound, Check};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tallymark_model::{Millis, ProjectId, canonical_text};
use tallymark_query::{Evidence, ProjectInfo, QueryError, Served};

/// Project, query, and its range before and after widening.
type Key = (ProjectId, String, (Millis, Millis), (Millis, Millis));

/// The query's own part of an answer, and whether an event came late for it.
pub(crate) type Own = (Map<String, Value>, bool);

/// Kept answers of all projects.
#[derive(Debug)]
pub(crate) struct Kept {
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: FxHashMap<Key, Answer>,
    bytes: u64,
    clock: u64,
}

#[derive(Debug)]
struct Answer {
    own: Arc<Own>,
    evidence: Evidence,
    checks: Arc<Vec<(Check, bool)>>,
    as_of: Millis,
    project: ProjectInfo,
    bytes: u64,
    used: u64,
}

impl Kept {
    /// At most this many bytes of answers; none with 0.
    pub fn new(bytes_max: u64) -> Kept {
        Kept { bytes_max, state: Mutex::default() }
    }

    /// The kept answer, if it is what a computation would find.
    pub fn get(&self, query: &Value, bound: &Bound<'_>) -> Result<Option<(Arc<Own>, Served)>, QueryError> {
        if self.bytes_max == 0 {
            return Ok(None);
        }
        let key = key(query, bound);
        let found = {
            let state = self.lock();
            let Some(answer) = state.answers.get(&key) else { return Ok(None) };
            let timely = !answer.evidence.to_as_of || answer.as_of == bound.asked_as_of();
            if !timely || !same(&answer.project, &bound.snapshot.project) {
                return Ok(None);
            }
            (Arc::clone(&answer.own), answer.evidence.clone(), Arc::clone(&answer.checks))
        };
        // Outside of the lock: it may look into files.
        let (own, evidence, checks) = found;
        if !checks.iter().all(|check| bound.agrees(check))
            || !evidence.holds(bound.snapshot, bound.context)?
        {
            return Ok(None);
        }
        let served = if evidence.is_of(bound.snapshot) { Served::Cached } else { Served::Patched };
        let later = match served {
            Served::Patched => Some(evidence.of_later(bound.snapshot)),
            _ => None,
        };
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        if let Some(answer) = state.answers.get_mut(&key) {
            answer.used = clock;
            if let Some(later) = later.filter(|_| Arc::ptr_eq(&answer.own, &own)) {
                answer.evidence = later;
            }
        }
        Ok(Some((own, served)))
    }

    /// Keeps an answer that was just computed, if it can be compared with later commits.
    pub fn put(&self, query: &Value, bound: &Bound<'_>, own: &Own) {
        if bound.context.reads.fixed().is_some() || self.bytes_max == 0 {
            return;
        }
        let key = key(query, bound);
        let evidence = bound.context.reads.evidence(bound.snapshot);
        let checks = bound.checks();
        // JSON in memory is several times its text.
        let text = own.0.iter().map(|(key, value)| key.len() + value.to_string().len()).sum::<usize>();
        let bytes =
            4 * text as u64 + 2 * key.1.len() as u64 + 32 * checks.len() as u64 + evidence.bytes() + 512;
        if bytes > self.bytes_max / 4 {
            return;
        }
        let mut state = self.lock();
        state.clock += 1;
        let answer = Answer {
            own: Arc::new(own.clone()),
            evidence,
            checks: Arc::new(checks),
            as_of: bound.asked_as_of(),
            project: bound.snapshot.project.clone(),
            bytes,
            used: state.clock,
        };
        state.bytes += bytes;
        if let Some(before) = state.answers.insert(key, answer) {
            state.bytes -= before.bytes;
        }
        while state.bytes > self.bytes_max {
            let oldest = state.answers.iter().min_by_key(|(_, a)| a.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| state.answers.remove(&key)) else { break };
            state.bytes -= gone.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(query: &Value, bound: &Bound<'_>) -> Key {
    (bound.snapshot.project.id, canonical_text(query), bound.resolved, bound.range)
}

/// Whether everything that a project calls and sets is as it was. Its vocabulary is made anew when it changes.
fn same(then: &ProjectInfo, now: &ProjectInfo) -> bool {
    then.timezone == now.timezone
        && then.week_start == now.week_start
        && then.session_timeout == now.session_timeout
        && then.inactive_events == now.inactive_events
        && Arc::ptr_eq(&then.vocabulary, &now.vocabulary)
}
