//! Numbers for sets of groups, so that a record of an event carries one word for its breakdown.

use rustc_hash::FxHashMap;
use std::sync::Mutex;
use tallymark_query::{QueryError, Reservation};

/// Distinct sets of groups, shared by the threads of a query.
pub(crate) struct Sets {
    state: Mutex<State>,
}

struct State {
    numbers: FxHashMap<Vec<u32>, u32>,
    held: Reservation,
}

impl Sets {
    pub fn new(held: Reservation) -> Sets {
        Sets { state: Mutex::new(State { numbers: FxHashMap::default(), held }) }
    }

    /// The number of a set.
    pub fn number(&self, set: &[u32]) -> Result<u32, QueryError> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = state.numbers.get(set) {
            return Ok(*known);
        }
        state.held.grow(64 + 4 * set.len() as u64)?;
        let number = state.numbers.len() as u32;
        state.numbers.insert(set.to_vec(), number);
        Ok(number)
    }

    /// Sets by number.
    pub fn list(&self) -> Vec<Vec<u32>> {
        let state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut list = vec![Vec::new(); state.numbers.len()];
        for (set, number) in &state.numbers {
            list[*number as usize] = set.clone();
        }
        list
    }
}
