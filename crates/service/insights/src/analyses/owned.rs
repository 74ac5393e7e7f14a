//! Records that remember whose they are, for analyses that name the actors behind a number.

use super::records::Record;
use tallymark_model::Millis;

/// What a record holds beside its actor.
pub(crate) trait Happening: Copy + Send + Sync {
    /// Orders the events of one actor.
    fn order(&self) -> impl Ord;
    /// Whether the actor is of interest because of this event.
    fn opens(&self) -> bool {
        true
    }
}

/// A happening and its actor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owned<T> {
    /// The actor's number within its partition, once it is in one.
    slot: u32,
    pub actor: u32,
    pub what: T,
}

impl<T> Owned<T> {
    pub fn new(actor: u32, what: T) -> Owned<T> {
        Owned { slot: actor, actor, what }
    }
}

impl<T: Happening> Record for Owned<T> {
    // Not the actor itself: within a partition records go by its number there.
    #[expect(clippy::misnamed_getters)]
    fn actor(&self) -> u32 {
        self.slot
    }
    fn set_actor(&mut self, actor: u32) {
        self.slot = actor;
    }
    fn opens(&self) -> bool {
        self.what.opens()
    }
    fn order(&self) -> impl Ord {
        self.what.order()
    }
}

/// When something happened, and which selectors it matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub time: Millis,
    pub mask: u32,
}

impl Happening for Moment {
    fn order(&self) -> impl Ord {
        self.time
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
}

/// A set of actors.
#[derive(Clone, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub fn insert(&mut self, actor: u32) {
        let word = actor as usize >> 6;
        if word >= self.0.len() {
            self.0.resize((word + 1).max(self.0.len() * 5 / 4), 0);
        }
        self.0[word] |= 1 << (actor & 63);
    }
    pub fn contains(&self, actor: u32) -> bool {
        self.0.get(actor as usize >> 6).is_some_and(|word| word >> (actor & 63) & 1 == 1)
    }
    pub fn merge(&mut self, other: &Bits) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
    /// Bytes it holds.
    pub fn bytes(&self) -> u64 {
        8 * self.0.len() as u64
    }
}
