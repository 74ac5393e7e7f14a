//! The events of one unit (an actor, or an actor with a held value), by what they match.

use super::{Event, Rules};
use tallymark_model::Millis;

/// Events in (time, log order).
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub events: Vec<Event>,
    /// Per bit: numbers of the events that have it.
    by_bit: Vec<Vec<u32>>,
    /// Used by earlier attempts (totals).
    taken: Vec<bool>,
}

impl Stream {
    /// Replaces the events.
    pub fn fill(&mut self, events: impl Iterator<Item = Event>) {
        self.events.clear();
        self.events.extend(events);
        self.by_bit.resize_with(32, Vec::new);
        self.by_bit.iter_mut().for_each(Vec::clear);
        self.taken.clear();
        self.taken.resize(self.events.len(), false);
        for (i, event) in self.events.iter().enumerate() {
            let mut mask = event.mask;
            while mask != 0 {
                self.by_bit[mask.trailing_zeros() as usize].push(i as u32);
                mask &= mask - 1;
            }
        }
    }

    /// When an event happened.
    pub fn time(&self, event: u32) -> Millis {
        self.events[event as usize].time
    }
    /// What it matches.
    pub fn mask(&self, event: u32) -> u32 {
        self.events[event as usize].mask
    }
    /// The events of a step, exclusion or other bit (by its number) from this time on.
    pub fn from(&self, bit: usize, time: Millis) -> &[u32] {
        let list = &self.by_bit[bit];
        &list[list.partition_point(|e| self.time(*e) < time)..]
    }
    /// Whether an earlier attempt used it.
    pub fn is_taken(&self, event: u32) -> bool {
        self.taken[event as usize]
    }
    /// Uses events.
    pub fn take(&mut self, events: impl Iterator<Item = usize>) {
        events.for_each(|e| self.taken[e] = true);
    }
    /// Frees all events.
    pub fn release(&mut self) {
        self.taken.fill(false);
    }
    /// The first event that any exclusion matches, after this time.
    pub fn cut_after(&self, rules: &Rules, time: Millis) -> Option<u32> {
        rules.exclusions.iter().filter_map(|x| self.from(x.bit as usize, time + 1).first().copied()).min()
    }
}
