//! When something that did not arrive is tried again.
//!
//! Guarantees: the first attempts are close together, so that a receiver's restart costs seconds; never more than
//! [`PAUSE_MAX`] apart.
//! Deliberately not here: jitter; the receivers are ours, and few.

use tallymark_model::Millis;

const PAUSE_FIRST: Millis = 5_000;
const PAUSE_MAX: Millis = 5 * 60_000;

/// When attempt number `attempts + 1` is made; `None` = given up.
pub fn next_attempt(created_at: Millis, attempts: u32, now: Millis, give_up_after: Millis) -> Option<Millis> {
    let pause = PAUSE_FIRST
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(PAUSE_MAX)
        .clamp(PAUSE_FIRST, PAUSE_MAX);
    let next = now + pause;
    (next - created_at <= give_up_after).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses: Vec<Millis> =
            (1..=8).map(|n| next_attempt(0, n, 0, Millis::MAX).unwrap() / 1_000).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(next_attempt(0, 200, 0, Millis::MAX), Some(PAUSE_MAX));
        assert_eq!(next_attempt(0, 3, 86_000_000, 86_010_000), None);
    }
}
