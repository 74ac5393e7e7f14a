//! The receive time: the system's clock, except that it never goes back within a process.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tallymark_model::Millis;

/// Milliseconds since the epoch that never decrease.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: AtomicI64,
}

impl Clock {
    /// Now, or the last answer if the system's clock went back.
    pub fn now(&self) -> Millis {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.at_least(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// Later than every answer before, and no later than any answer after.
    pub fn strictly_later(&self) -> Millis {
        let now = self.now();
        self.last.fetch_max(now, Ordering::Relaxed);
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn at_least(&self, now: Millis) -> Millis {
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let clock = Clock::default();
        assert_eq!(clock.at_least(10), 10);
        assert_eq!(clock.at_least(7), 10);
        assert_eq!(clock.at_least(11), 11);
        assert!(clock.now() > 11);
    }
}
