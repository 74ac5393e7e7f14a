//! Dense numbers for texts, shared by the threads of one query.

use crate::{QueryError, Reservation};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// Numbers texts from 1 in order of arrival; 0 is left for "none". The order depends on threads, so numbers must
/// never reach an answer.
#[derive(Debug)]
pub struct Interner {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    numbers: HashMap<Box<str>, u32>,
    held: Reservation,
}

impl Interner {
    /// An empty table that counts its memory.
    pub fn new(held: Reservation) -> Interner {
        Interner { state: Mutex::new(State { numbers: HashMap::new(), held }) }
    }

    /// The number of a text.
    pub fn number(&self, text: &str) -> Result<u32, QueryError> {
        let mut state = self.lock();
        if let Some(known) = state.numbers.get(text) {
            return Ok(*known);
        }
        state.held.grow(text.len() as u64 + 64)?;
        let number = state.numbers.len() as u32 + 1;
        state.numbers.insert(text.into(), number);
        Ok(number)
    }

    /// Texts by number; index 0 is empty.
    pub fn texts(&self) -> Vec<String> {
        let state = self.lock();
        let mut texts = vec![String::new(); state.numbers.len() + 1];
        for (text, number) in &state.numbers {
            texts[*number as usize] = text.to_string();
        }
        texts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves at worst a text without use.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
