//! What one partition did lately.
//!
//! Guarantees: rates come from offsets seen, over at most [`super::WINDOW`]; after a standstill the window begins
//! anew, so that an outage does not slow the estimate of what follows it; nor do its first slow seconds for long.
//! Deliberately not here: backlogs and ends.

use super::{STALL, WINDOW, WINDOW_MIN};
use std::collections::VecDeque;
use tallymark_model::Millis;

/// The window is cut into this many parts to see how much the rate varies.
const PARTS: usize = 8;
/// What follows a standstill begins slowly: so much of it is left out, but never more than half.
const WARM_UP: Millis = 15_000;
/// Observations closer together than this are not kept.
const SPACING_MIN: Millis = 1_000;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    at: Millis,
    cursor: u64,
    end: u64,
}

/// Measured rates of one partition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Records worked off per second.
    pub drain_per_s: f64,
    /// Records added per second.
    pub arrival_per_s: f64,
    /// Standard error of the difference of both.
    pub standard_error: f64,
    /// Over how long it was measured.
    pub over_ms: Millis,
}

/// Observations of one partition over the last minutes.
#[derive(Debug, Clone, Default)]
pub struct Window {
    seen: VecDeque<Seen>,
    /// When the cursor was last seen to have moved.
    moved_at: Option<Millis>,
    /// Since when it moves without a standstill.
    moving_since: Option<Millis>,
}

impl Window {
    /// Adds what is the case now.
    pub fn observe(&mut self, at: Millis, cursor: u64, end: u64) {
        if let Some(last) = self.seen.back() {
            // A clock that went back, or a log that began anew: what was seen does not compare.
            if at < last.at || cursor < last.cursor || end < last.end {
                *self = Window::default();
            } else if at - last.at < SPACING_MIN {
                return;
            }
        }
        let moved = self.seen.back().is_some_and(|last| cursor > last.cursor);
        if moved {
            let stood = self.moved_at.is_none_or(|moved| at - moved >= STALL);
            if stood {
                // Begin with the observation before the move: the move belongs to the time since then.
                self.seen.drain(..self.seen.len() - 1);
                self.moving_since = self.seen.front().map(|s| s.at);
            }
            self.moved_at = Some(at);
        }
        self.seen.push_back(Seen { at, cursor, end });
        let moving = |since: Millis| ((at - since) / 2).max(at - since - WARM_UP);
        let window = self.moving_since.map_or(WINDOW, moving).clamp(WINDOW_MIN, WINDOW);
        // One observation at or before the window's start stays, so that the window is covered.
        while self.seen.len() > 2 && self.seen[1].at <= at - window {
            self.seen.pop_front();
        }
    }

    /// Since when the cursor moves; `None` while it stands.
    pub fn moving_since(&self) -> Option<Millis> {
        let last = self.seen.back()?.at;
        self.moved_at.filter(|moved| last - moved < STALL)?;
        self.moving_since
    }

    /// Rates over the window; `None` if too little was seen.
    pub fn rates(&self) -> Option<Rates> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        let over_ms = last.at - first.at;
        if over_ms < WINDOW_MIN {
            return None;
        }
        let per_s = |from: u64, to: u64, ms: Millis| (to - from) as f64 * 1_000.0 / ms as f64;
        if self.moved_at.is_none_or(|moved| last.at - moved >= STALL) {
            let arrival_per_s = per_s(first.end, last.end, over_ms);
            return Some(Rates { drain_per_s: 0.0, arrival_per_s, standard_error: 0.0, over_ms });
        }
        Some(Rates {
            drain_per_s: per_s(first.cursor, last.cursor, over_ms),
            arrival_per_s: per_s(first.end, last.end, over_ms),
            standard_error: self.standard_error(first.at, over_ms),
            over_ms,
        })
    }

    /// Standard error of the net rate, from the net rates of the parts of the window.
    fn standard_error(&self, start: Millis, over_ms: Millis) -> f64 {
        let mut parts: Vec<f64> = Vec::with_capacity(PARTS);
        let mut from = self.seen[0];
        for part in 1..=PARTS {
            let until = start + over_ms * part as Millis / PARTS as Millis;
            let Some(to) = self.seen.iter().rev().find(|s| s.at <= until).filter(|s| s.at > from.at) else {
                continue;
            };
            let net = (to.cursor - from.cursor) as f64 - (to.end - from.end) as f64;
            parts.push(net * 1_000.0 / (to.at - from.at) as f64);
            from = *to;
        }
        if parts.len() < 2 {
            return 0.0;
        }
        let n = parts.len() as f64;
        let mean = parts.iter().sum::<f64>() / n;
        let variance = parts.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (variance / n).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_the_window() {
        let mut window = Window::default();
        for s in 0..=60 {
            window.observe(s * 1_000, 100 * s as u64, 5_000 + 20 * s as u64);
        }
        let rates = window.rates().unwrap();
        assert_eq!((rates.drain_per_s, rates.arrival_per_s, rates.over_ms), (100.0, 20.0, 45_000));
        assert!(rates.standard_error < 1e-9);
    }

    #[test]
    fn only_the_last_minutes_count() {
        let mut window = Window::default();
        for s in 0..=1_000i64 {
            let cursor = if s <= 600 { s * 10 } else { 6_000 + (s - 600) * 1_000 };
            window.observe(s * 1_000, cursor as u64, 10_000_000);
        }
        let rates = window.rates().unwrap();
        assert_eq!((rates.drain_per_s, rates.over_ms), (1_000.0, WINDOW));
    }

    #[test]
    fn slow_first_seconds_do_not_slow_the_estimate_for_long() {
        let mut window = Window::default();
        window.observe(0, 0, 1_000_000);
        window.observe(100_000, 0, 1_000_000);
        // Ten seconds at 50/s after the standstill, then 1,000/s.
        for s in 101..=160i64 {
            let moved = if s <= 110 { (s - 100) * 50 } else { 500 + (s - 110) * 1_000 };
            window.observe(s * 1_000, moved as u64, 1_000_000);
        }
        assert_eq!(window.rates().unwrap().drain_per_s, 1_000.0);
    }

    #[test]
    fn a_standstill_is_not_part_of_what_follows() {
        let mut window = Window::default();
        for s in 0..=200 {
            window.observe(s * 1_000, 7, 1_000 + s as u64);
        }
        let rates = window.rates().unwrap();
        assert_eq!((rates.drain_per_s, rates.arrival_per_s), (0.0, 1.0));
        assert_eq!(window.moving_since(), None);
        for s in 201..=230 {
            window.observe(s * 1_000, 7 + (s - 200) as u64 * 50, 1_000 + s as u64);
        }
        assert_eq!(window.rates().unwrap().drain_per_s, 50.0);
        assert_eq!(window.moving_since(), Some(200_000));
        // Standing again: at once after the stall time there is no drain any more.
        for s in 231..=262 {
            window.observe(s * 1_000, 1_507, 1_000 + s as u64);
        }
        assert_eq!(window.rates().unwrap().drain_per_s, 0.0);
    }

    #[test]
    fn a_log_that_begins_anew_begins_a_new_window() {
        let mut window = Window::default();
        window.observe(0, 500, 900);
        window.observe(60_000, 600, 900);
        assert!(window.rates().is_some());
        window.observe(65_000, 0, 10);
        assert_eq!(window.rates(), None);
    }
}
