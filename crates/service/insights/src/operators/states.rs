//! States of one actor in a row of windows (chapter 5): new, returning, resurrecting, dormant.
//!
//! Guarantees: pure; an event costs as much as the windows it lies in, not as many as there are.

use tallymark_model::Millis;

/// What an actor is in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Returning,
    Resurrecting,
    Dormant,
}

impl State {
    /// All, in the order of [`State::index`].
    pub const ALL: [(&'static str, State); 4] = [
        ("new", State::New),
        ("returning", State::Returning),
        ("resurrecting", State::Resurrecting),
        ("dormant", State::Dormant),
    ];

    pub fn index(self) -> usize {
        self as usize
    }
}

/// The stretches that "now" and "before" mean in each bucket; starts and ends ascend.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windows {
    now: Ascending,
    before: Ascending,
}

#[derive(Debug, Clone, Default)]
struct Ascending {
    starts: Vec<Millis>,
    ends: Vec<Millis>,
}

impl Ascending {
    fn push(&mut self, (start, end): (Millis, Millis)) {
        self.starts.push(start);
        self.ends.push(end);
    }
    /// The windows that hold an instant.
    fn around(&self, time: Millis) -> std::ops::Range<usize> {
        let from = self.ends.partition_point(|end| *end <= time);
        from..self.starts.partition_point(|start| *start <= time).max(from)
    }
}

impl Windows {
    /// Adds those of the next bucket.
    pub fn push(&mut self, now: (Millis, Millis), before: (Millis, Millis)) {
        self.now.push(now);
        self.before.push(before);
    }
    pub fn len(&self) -> usize {
        self.now.starts.len()
    }
    /// The first instant that matters.
    pub fn from(&self) -> Option<Millis> {
        self.now.starts.iter().chain(&self.before.starts).min().copied()
    }
}

/// Buffers for one actor after another.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    flags: Vec<u8>,
    touched: Vec<u32>,
}

const NOW: u8 = 1;
const BEFORE: u8 = 2;
const FIRST: u8 = 4;

impl Marks {
    /// Calls `each` with every bucket in which the actor has a state. `times` are those of matching events, `first`
    /// is the instant that makes the actor new, if it may lie in a window.
    pub fn each(
        &mut self,
        windows: &Windows,
        times: impl IntoIterator<Item = Millis>,
        first: Option<Millis>,
        mut each: impl FnMut(usize, State),
    ) {
        self.flags.resize(windows.len(), 0);
        for time in times {
            self.mark(windows.now.around(time), NOW);
            self.mark(windows.before.around(time), BEFORE);
        }
        if let Some(first) = first {
            self.mark(windows.now.around(first), FIRST);
        }
        for bucket in self.touched.drain(..) {
            let flags = std::mem::take(&mut self.flags[bucket as usize]);
            let state = match (flags & NOW != 0, flags & BEFORE != 0) {
                (true, _) if flags & FIRST != 0 => State::New,
                (true, true) => State::Returning,
                (true, false) => State::Resurrecting,
                (false, true) => State::Dormant,
                (false, false) => continue,
            };
            each(bucket as usize, state);
        }
    }

    fn mark(&mut self, buckets: std::ops::Range<usize>, flag: u8) {
        for bucket in buckets {
            if self.flags[bucket] == 0 {
                self.touched.push(bucket as u32);
            }
            self.flags[bucket] |= flag;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(times: &[Millis], first: Option<Millis>) -> Vec<(usize, State)> {
        let mut windows = Windows::default();
        (0..4).for_each(|i| windows.push((10 * i, 10 * i + 10), (10 * i - 10, 10 * i)));
        let mut found = Vec::new();
        Marks::default()
            .each(&windows, times.iter().copied(), first, |bucket, state| found.push((bucket, state)));
        found.sort_by_key(|(bucket, _)| *bucket);
        found
    }

    #[test]
    fn an_actor_comes_stays_goes_and_comes_back() {
        use State::*;
        assert_eq!(
            states(&[0, 12, 35], Some(0)),
            [(0, New), (1, Returning), (2, Dormant), (3, Resurrecting)]
        );
        // Active just before the range and first seen long ago.
        assert_eq!(states(&[-1, 9], None), [(0, Returning), (1, Dormant)]);
    }
}
