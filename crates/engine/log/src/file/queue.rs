//! Appends on their way to a lane's writer.
//!
//! Guarantees: bounded in bytes; every append is answered exactly once, also when the writer stops or dies.
//! Deliberately not here: offsets (the writer gives them), the disk.

use super::format::Codec;
use crate::AppendError;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// One append of one lane, encoded, waiting for its offsets.
pub(crate) struct Pending {
    pub payload: Vec<u8>,
    pub payload_crc: u32,
    pub codec: Codec,
    pub unpacked_bytes: u32,
    /// Number of records per partition.
    pub counts: Vec<u32>,
    /// First offset of each partition, or why not.
    pub answer: oneshot::Sender<Result<Vec<u64>, AppendError>>,
}

/// What the writer should do next.
pub(crate) enum Work {
    Group(Vec<Pending>),
    /// Nothing came for a while.
    Idle,
    /// Closed and empty.
    Stop,
}

/// Queue between the requests and a lane's writer.
pub(crate) struct Queue {
    bytes_max: u64,
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    bytes: u64,
    closed: Option<AppendError>,
}

impl Queue {
    pub(crate) fn new(bytes_max: u64) -> Queue {
        Queue { bytes_max, state: Mutex::default(), filled: Condvar::new() }
    }

    /// Takes an append in, or answers at once why not.
    pub(crate) fn push(&self, pending: Pending) -> Result<(), AppendError> {
        let bytes = pending.payload.len() as u64;
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        // An append larger than the queue passes when it is alone.
        if state.bytes > 0 && state.bytes + bytes > self.bytes_max {
            let cause = format!("{} bytes are waiting for the disk already", state.bytes);
            return Err(AppendError::Unavailable { cause });
        }
        state.bytes += bytes;
        state.waiting.push_back(pending);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Bytes waiting or being written.
    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// Why appends are refused for good, if they are.
    pub(crate) fn closed(&self) -> Option<AppendError> {
        self.state().closed.clone()
    }

    /// Refuses what comes from now on. The first reason stays.
    pub(crate) fn close(&self, reason: AppendError) {
        self.state().closed.get_or_insert(reason);
        self.filled.notify_one();
    }

    /// Closes and answers everyone who waits. The first reason stays.
    pub(crate) fn fail(&self, reason: AppendError) {
        let (reason, waiting) = {
            let mut state = self.state();
            state.bytes = 0;
            (state.closed.get_or_insert(reason).clone(), std::mem::take(&mut state.waiting))
        };
        for pending in waiting {
            // Nobody may be waiting any more: the request was dropped.
            let _ = pending.answer.send(Err(reason.clone()));
        }
    }

    /// Waits for work: a group of up to `bytes_max`, and for company up to `company`.
    pub(crate) fn next(&self, bytes_max: u64, company: Duration, idle: Duration) -> Work {
        let mut state = self.state();
        let asked = Instant::now();
        while state.waiting.is_empty() {
            if state.closed.is_some() {
                return Work::Stop;
            }
            let left = idle.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return Work::Idle;
            }
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let first = Instant::now();
        while state.bytes < bytes_max && state.closed.is_none() {
            let left = company.saturating_sub(first.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Work::Group(take_group(&mut state.waiting, bytes_max))
    }

    /// Gives back the room of a group that is done.
    pub(crate) fn done(&self, bytes: u64) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step in here can panic between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_group(waiting: &mut VecDeque<Pending>, bytes_max: u64) -> Vec<Pending> {
    let mut group: Vec<Pending> = Vec::new();
    let mut bytes = 0;
    while let Some(next) = waiting.front() {
        bytes += next.payload.len() as u64;
        if !group.is_empty() && bytes > bytes_max {
            break;
        }
        group.extend(waiting.pop_front());
    }
    group
}
