//! Events of actors as analyses gather them: in as few bytes as the question allows, because millions are held.

use tallymark_model::Millis;
use tallymark_query::Batch;

/// An event of an actor.
pub(crate) trait Record: Copy + Send + Sync {
    /// Whose; never 0.
    fn actor(&self) -> u32;
    /// Replaces the actor by its number within the partition.
    fn set_actor(&mut self, actor: u32);
    /// Whether the actor is of interest because of this event; actors without any such event are left out.
    fn opens(&self) -> bool;
    /// Orders the events of one actor.
    fn order(&self) -> impl Ord;
}

/// An event of which only its actor, its time, one selector and perhaps `S`, a set of groups, matter; in one word.
///
/// ```text
/// bit 63        40 39                  5 4      0
///    | actor      | ms since the begin  | bit of  |
///    | (24 bits)  | (35 bits: 397 days) | selector|
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brief<S> {
    word: u64,
    pub set: S,
}

impl<S> Brief<S> {
    /// Times must be less than this after their begin.
    pub const SPAN: Millis = 1 << (Self::ACTOR_AT - Self::TIME_AT);
    const TIME_AT: u32 = 5;
    const ACTOR_AT: u32 = 40;

    /// Of nobody yet; `bit` = the number of the only selector that it matches.
    #[inline]
    pub fn new(since_begin: Millis, bit: u32, set: S) -> Brief<S> {
        debug_assert!((0..Self::SPAN).contains(&since_begin) && bit < 1 << Self::TIME_AT);
        Brief { word: (since_begin as u64) << Self::TIME_AT | u64::from(bit), set }
    }

    /// Milliseconds since the begin.
    #[inline]
    pub fn time(&self) -> Millis {
        (self.word >> Self::TIME_AT) as Millis & (Self::SPAN - 1)
    }

    /// The number of the selector that it matches.
    #[inline]
    pub fn bit(&self) -> u32 {
        self.word as u32 & ((1 << Self::TIME_AT) - 1)
    }
}

impl<S: Copy + Send + Sync> Record for Brief<S> {
    #[inline]
    fn actor(&self) -> u32 {
        (self.word >> Self::ACTOR_AT) as u32
    }
    #[inline]
    fn set_actor(&mut self, actor: u32) {
        // Numbers within a partition have 24 bits, because those of actors have 32.
        self.word = self.word & ((1 << Self::ACTOR_AT) - 1) | u64::from(actor) << Self::ACTOR_AT;
    }
    #[inline]
    fn opens(&self) -> bool {
        self.bit() == 0
    }
    #[inline]
    fn order(&self) -> impl Ord {
        self.word
    }
}

/// An event without its place in the log; `S` as above.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed<S> {
    pub actor: u32,
    pub mask: u32,
    pub time: Millis,
    pub set: S,
}

impl<S: Copy + Send + Sync> Record for Timed<S> {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
    fn order(&self) -> impl Ord {
        self.time
    }
}

/// An event with its place in the log and the groups of its breakdown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub actor: u32,
    pub mask: u32,
    pub time: Millis,
    pub received: Millis,
    pub position: u64,
    /// Number of a set of groups.
    pub set: u32,
}

impl Placed {
    /// A row of a batch that was read with its place in the log.
    pub fn new(batch: &Batch, row: usize, actor: u32, mask: u32, set: u32) -> Placed {
        let (received, position) = (batch.received[row], batch.positions[row]);
        Placed { actor, mask, time: batch.times[row], received, position, set }
    }
}

impl Record for Placed {
    fn actor(&self) -> u32 {
        self.actor
    }
    fn set_actor(&mut self, actor: u32) {
        self.actor = actor;
    }
    fn opens(&self) -> bool {
        self.mask & 1 != 0
    }
    fn order(&self) -> impl Ord {
        (self.time, self.received, self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_word_holds_all_of_an_event(actor: u32, time in 0..Brief::<()>::SPAN, bit in 0u32..32) {
            let mut brief = Brief::new(time, bit, ());
            brief.set_actor(actor / 256);
            proptest::prop_assert_eq!((brief.actor(), brief.time(), brief.bit()), (actor / 256, time, bit));
            brief.set_actor(7);
            proptest::prop_assert_eq!((brief.actor(), brief.time(), brief.bit()), (7, time, bit));
        }
    }
}
