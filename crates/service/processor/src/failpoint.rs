//! Places at which tests stop the processor dead, one between any two writes (R9).
//!
//! Guarantees: in a normal run nothing is ever hit. Deliberately not here: what the tests check.

use crate::ProcessorError;
use std::sync::atomic::{AtomicU32, Ordering};

/// Between which two writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A group is decided, nothing is written.
    BeforeSegment,
    /// Segments are stored.
    AfterSegment,
    /// The delta is stored too.
    AfterDelta,
    /// The catalog has the commit, the answer is not looked at.
    AfterCommit,
    /// The answer was looked at, state has not moved.
    BeforeApply,
    /// State has moved.
    AfterApply,
    /// A checkpoint is about to be written.
    Checkpoint,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Step; 7] = [
        Step::BeforeSegment,
        Step::AfterSegment,
        Step::AfterDelta,
        Step::AfterCommit,
        Step::BeforeApply,
        Step::AfterApply,
        Step::Checkpoint,
    ];

    /// Its name in `TALLYMARK_FAILPOINT`.
    pub fn name(self) -> &'static str {
        match self {
            Step::BeforeSegment => "before_segment",
            Step::AfterSegment => "after_segment",
            Step::AfterDelta => "after_delta",
            Step::AfterCommit => "after_commit",
            Step::BeforeApply => "before_apply",
            Step::AfterApply => "after_apply",
            Step::Checkpoint => "checkpoint",
        }
    }
}

/// Decides at each step whether the processor ends here, as if killed.
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

/// Aborts the process at the step named by the environment: `TALLYMARK_FAILPOINT=after_delta` at its first
/// time, `after_delta:3` at its third.
#[derive(Debug)]
pub struct EnvFailpoint {
    target: Option<(String, u32)>,
    seen: AtomicU32,
}

impl EnvFailpoint {
    /// What the environment asks for; nothing if the variable is not set.
    pub fn from_env() -> EnvFailpoint {
        EnvFailpoint::parse(std::env::var("TALLYMARK_FAILPOINT").ok().as_deref())
    }

    fn parse(text: Option<&str>) -> EnvFailpoint {
        let target = text.filter(|t| !t.is_empty()).map(|t| match t.split_once(':') {
            Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
            None => (t.to_owned(), 1),
        });
        EnvFailpoint { target, seen: AtomicU32::new(0) }
    }

    fn is_due(&self, step: Step) -> bool {
        let Some((name, nth)) = &self.target else { return false };
        name == step.name() && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    }
}

impl Failpoint for EnvFailpoint {
    fn crash_at(&self, step: Step) -> bool {
        if self.is_due(step) {
            // No destructor, no flush: as a kill from outside.
            std::process::abort();
        }
        false
    }
}

/// Passes a step, or not.
pub(crate) fn pass(failpoint: &dyn Failpoint, step: Step) -> Result<(), ProcessorError> {
    if failpoint.crash_at(step) { Err(ProcessorError::Failpoint(step)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_step_and_how_often() {
        let none = EnvFailpoint::parse(None);
        assert!(Step::ALL.iter().all(|s| !none.is_due(*s)));
        let third = EnvFailpoint::parse(Some("after_delta:3"));
        let due: Vec<bool> = (0..5).map(|_| third.is_due(Step::AfterDelta)).collect();
        assert_eq!(due, [false, false, true, false, false]);
        assert!(!third.is_due(Step::AfterCommit));
        assert!(EnvFailpoint::parse(Some("checkpoint")).is_due(Step::Checkpoint));
    }
}
