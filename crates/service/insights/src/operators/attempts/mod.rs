//! Attempts through a funnel with every option of chapter 3: exact and any order, exclusions, optional steps,
//! limits between steps, totals. Slower than `attempt`, which does the plain case.
//!
//! Guarantees: the greedy rule of the semantics word for word; times and choices depend on nothing but the events
//! in (time, log order). Long searches look at the cancellation.
//! Deliberately not here: whose events they are, held values, breakdowns, buckets (`analyses::funnel`).

mod any_order;
mod choice;
mod optional;
mod ordered;
mod stream;

pub(crate) use choice::{Alternatives, attempts_of, choose};
pub(crate) use stream::Stream;

use crate::operators::attempt::{Choice, STEPS_MAX};
use tallymark_model::Millis;
use tallymark_query::{Cancel, QueryError};

/// No event.
pub(crate) const NONE: u32 = u32::MAX;

/// In which order steps come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    This,
    Exact,
    Any,
}

/// The rules all attempts of a query share. Steps count from 0.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub order: Order,
    pub steps: usize,
    /// From the first step to any later one, inclusive.
    pub window: Millis,
    /// Per step: from the step before, inclusive.
    pub within: Vec<Option<Millis>>,
    /// How much earlier than its predecessor a step may be.
    pub tolerance: Millis,
    /// Steps must be strictly later than their predecessors.
    pub strict: bool,
    /// Steps that an attempt needs, in order; the others are optional.
    pub required: Vec<usize>,
    /// In any order: bits of the steps between anchors, and of each anchor.
    pub blocks: Vec<u32>,
    /// In any order: nothing counts without step 0.
    pub first_listed: bool,
    /// In exact order: the step last reached may repeat.
    pub allow_repeats: bool,
    pub exclusions: Vec<Exclusion>,
    /// Exclusions remove the actor instead of ending the attempt.
    pub remove: bool,
    /// Bit of events that stand in the way of exact order.
    pub active: u32,
    pub choice: Choice,
}

/// An event that must not come between two steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exclusion {
    /// Its bit.
    pub bit: u32,
    /// Index among the required steps from which it is active.
    pub from: usize,
    /// The same of the last one waited for.
    pub to: usize,
}

/// An event that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub time: Millis,
    /// Bits of the steps it matches, of exclusions, of what is active.
    pub mask: u32,
}

/// One attempt; events are numbers in their stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub entry: u32,
    /// Required steps reached.
    pub depth: usize,
    /// The event of each step, [`NONE`] if it was not reached.
    pub steps: [u32; STEPS_MAX],
    /// The exclusion that hit it, or [`NONE`].
    pub hit: u32,
}

impl Attempt {
    fn of(entry: u32) -> Attempt {
        Attempt { entry, depth: 0, steps: [NONE; STEPS_MAX], hit: NONE }
    }
    /// The event of a step.
    pub fn step(&self, k: usize) -> Option<usize> {
        Some(self.steps[k] as usize).filter(|_| self.steps[k] != NONE)
    }
    /// The events of all steps reached.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.steps.into_iter().filter(|e| *e != NONE).map(|e| e as usize)
    }
    /// The same attempt with other numbers of events.
    pub fn renumbered(mut self, number: impl Fn(u32) -> u32) -> Attempt {
        let of = |e: u32| if e == NONE { NONE } else { number(e) };
        self.entry = of(self.entry);
        self.hit = of(self.hit);
        self.steps = self.steps.map(of);
        self
    }
}

impl Rules {
    /// Bits of all steps.
    pub fn step_bits(&self) -> u32 {
        (1 << self.steps) - 1
    }
    /// Bits of the steps that an attempt may begin with.
    pub fn entry_bits(&self) -> u32 {
        if self.order == Order::Any { self.blocks[0] } else { 1 }
    }
    /// The attempt from an entry, with or without exclusions.
    fn attempt(
        &self,
        stream: &Stream,
        entry: u32,
        exclude: bool,
        cancel: &Cancel,
    ) -> Result<Attempt, QueryError> {
        if self.order == Order::Any {
            return any_order::attempt(self, stream, entry, cancel);
        }
        let mut attempt = ordered::attempt(self, stream, entry, exclude, cancel)?;
        optional::fill(self, stream, &mut attempt);
        Ok(attempt)
    }
}

#[cfg(test)]
mod tests;
