//! What happened when, in seconds since the drill began; printed as it happens.

use serde::Serialize;
use std::time::Instant;

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct Moment {
    /// Seconds since the drill began.
    pub at_s: f64,
    /// What happened.
    pub text: String,
}

/// All lines so far.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    moments: Vec<Moment>,
    quiet: bool,
}

impl Timeline {
    /// Begins now.
    pub fn begin(quiet: bool) -> Timeline {
        Timeline { began: Instant::now(), moments: Vec::new(), quiet }
    }

    /// Notes and prints a line.
    pub fn note(&mut self, text: impl Into<String>) {
        let moment = Moment { at_s: self.seconds(), text: text.into() };
        if !self.quiet {
            println!("  {:7.1} s  {}", moment.at_s, moment.text);
        }
        self.moments.push(moment);
    }

    /// Seconds since the beginning.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The lines.
    pub fn into_moments(self) -> Vec<Moment> {
        self.moments
    }
}
