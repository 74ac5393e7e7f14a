//! Requests that have a receive time and are not in the log yet.
//!
//! "Everything received until then is in the log" can only be said up to the oldest of them: a watermark that looks at
//! the log alone would be too early by as long as the slowest append takes.
//!
//! Guarantees: a receive time is given and noted in one step, so between the clock and the oldest request nothing is
//! missing. Deliberately not here: what the watermark is (the web process asks over the control socket).

use crate::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tallymark_model::Millis;

/// How many requests of each receive time are on their way.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    open: Mutex<BTreeMap<Millis, u32>>,
}

/// The receive time of one request, which is on its way as long as this lives.
#[derive(Debug)]
pub(crate) struct Stamp<'a> {
    /// When it was received.
    pub at: Millis,
    of: &'a InFlight,
}

impl InFlight {
    /// The receive time of a request that has just been read.
    pub fn stamp(&self, clock: &Clock) -> Stamp<'_> {
        let mut open = self.lock();
        let at = clock.now();
        *open.entry(at).or_default() += 1;
        Stamp { at, of: self }
    }

    /// Everything that was received before this instant is in the log, or was refused.
    pub fn through(&self, clock: &Clock) -> Millis {
        let open = self.lock();
        open.first_key_value().map_or_else(|| clock.now(), |(oldest, _)| *oldest)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Millis, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stamp<'_> {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        if let Some(requests) = open.get_mut(&self.at) {
            *requests -= 1;
            if *requests == 0 {
                open.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_on_its_way_is_how_far_the_log_is_complete() {
        let (clock, requests) = (Clock::default(), InFlight::default());
        let before = clock.now();
        assert!(requests.through(&clock) >= before);
        let first = requests.stamp(&clock);
        let oldest = first.at;
        clock.strictly_later();
        let second = requests.stamp(&clock);
        let twin = requests.stamp(&clock);
        assert!(second.at > oldest);
        assert_eq!(requests.through(&clock), oldest);
        let next = second.at;
        drop(first);
        assert_eq!(requests.through(&clock), next);
        drop(second);
        assert_eq!(requests.through(&clock), twin.at.min(next));
        drop(twin);
        assert!(requests.through(&clock) >= next && requests.lock().is_empty());
    }
}
