//! Places at which tests stop the work dead, one between any two things that become durable.
//!
//! Guarantees: in a normal run nothing is ever hit.

use crate::VacuumError;
use std::sync::atomic::{AtomicU32, Ordering};

/// Between which two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows were read, and not sent.
    Read,
    /// The collector has them, the record does not know.
    Acknowledged,
    /// Refused rows are written down, the record does not know.
    Rejected,
    /// The record knows.
    Noted,
    /// All rows are noted, the end is not.
    BeforeEnd,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 5] = [Step::Read, Step::Acknowledged, Step::Rejected, Step::Noted, Step::BeforeEnd];

    /// Its name in `TALLYMARK_FAILPOINT`.
    pub fn name(self) -> &'static str {
        match self {
            Step::Read => "vacuum_read",
            Step::Acknowledged => "vacuum_acknowledged",
            Step::Rejected => "vacuum_rejected",
            Step::Noted => "vacuum_noted",
            Step::BeforeEnd => "vacuum_before_end",
        }
    }
}

/// Decides at each step whether the work ends here, as if killed.
pub trait Failpoint: Send + Sync {
    /// True: stop now, clean nothing up.
    fn crash_at(&self, step: Step) -> bool;
}

/// Never crashes.
#[derive(Debug, Default)]
pub struct NoFailpoint;

impl Failpoint for NoFailpoint {
    fn crash_at(&self, _: Step) -> bool {
        false
    }
}

/// Stops the n-th time (from 1) a step is reached, and from then on at every step: a dead process does nothing more.
#[derive(Debug)]
pub struct CrashAt {
    step: Step,
    nth: u32,
    seen: AtomicU32,
}

impl CrashAt {
    /// At this step, the n-th time.
    pub fn new(step: Step, nth: u32) -> CrashAt {
        CrashAt { step, nth, seen: AtomicU32::new(0) }
    }
}

impl Failpoint for CrashAt {
    fn crash_at(&self, step: Step) -> bool {
        if step == self.step {
            self.seen.fetch_add(1, Ordering::SeqCst);
        }
        self.seen.load(Ordering::SeqCst) >= self.nth
    }
}

/// Aborts the process at the step named by the environment: `TALLYMARK_FAILPOINT=vacuum_noted:3` at its third time.
#[derive(Debug)]
pub struct EnvFailpoint {
    target: Option<(String, u32)>,
    seen: AtomicU32,
}

impl EnvFailpoint {
    /// What the environment asks for; nothing if the variable is not set.
    pub fn from_env() -> EnvFailpoint {
        let text = std::env::var("TALLYMARK_FAILPOINT").ok().filter(|t| !t.is_empty());
        let target = text.map(|t| match t.split_once(':') {
            Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
            None => (t, 1),
        });
        EnvFailpoint { target, seen: AtomicU32::new(0) }
    }
}

impl Failpoint for EnvFailpoint {
    fn crash_at(&self, step: Step) -> bool {
        let Some((name, nth)) = &self.target else { return false };
        if name == step.name() && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
            // No destructor, no flush: as a kill from outside.
            std::process::abort();
        }
        false
    }
}

/// Passes a step, or not.
pub(crate) fn pass(failpoint: &dyn Failpoint, step: Step) -> Result<(), VacuumError> {
    if failpoint.crash_at(step) { Err(VacuumError::Failpoint) } else { Ok(()) }
}
