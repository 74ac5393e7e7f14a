//! Places at which tests stop the processor dead, one between any two writes (R9).
//!
//! Guarantees: in a normal run nothing is ever hit. Deliberately not here: what the tests check.

use crate::ProcessorError;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Which job has a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Cursors move over records.
    Skip,
    /// Skipped records are processed.
    Replay,
    /// Accounted records are decided again.
    Reprocess,
    /// Segments are derived again.
    Repair,
    /// State is folded anew.
    Rebuild,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 5] = [Verb::Skip, Verb::Replay, Verb::Reprocess, Verb::Repair, Verb::Rebuild];

    fn name(self) -> &'static str {
        match self {
            Verb::Skip => "skip",
            Verb::Replay => "replay",
            Verb::Reprocess => "reprocess",
            Verb::Repair => "repair",
            Verb::Rebuild => "rebuild",
        }
    }
}

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
    /// The same places within a job's commit: `BeforeSegment` to `AfterApply`.
    Within(Verb, Place),
    /// A job's chunk is done, its progress is not said yet.
    Progress(Verb),
    /// A job is done, its end is not said yet.
    End(Verb),
}

/// Places within a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Everything is decided, nothing is written.
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
}

impl Place {
    /// Every place, in order.
    pub const ALL: [Place; 6] = [
        Place::BeforeSegment,
        Place::AfterSegment,
        Place::AfterDelta,
        Place::AfterCommit,
        Place::BeforeApply,
        Place::AfterApply,
    ];

    /// The step at this place of a live commit or of a job's.
    pub(crate) fn of(self, verb: Option<Verb>) -> Step {
        match (verb, self) {
            (Some(verb), place) => Step::Within(verb, place),
            (None, Place::BeforeSegment) => Step::BeforeSegment,
            (None, Place::AfterSegment) => Step::AfterSegment,
            (None, Place::AfterDelta) => Step::AfterDelta,
            (None, Place::AfterCommit) => Step::AfterCommit,
            (None, Place::BeforeApply) => Step::BeforeApply,
            (None, Place::AfterApply) => Step::AfterApply,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Place::BeforeSegment => "before_segment",
            Place::AfterSegment => "after_segment",
            Place::AfterDelta => "after_delta",
            Place::AfterCommit => "after_commit",
            Place::BeforeApply => "before_apply",
            Place::AfterApply => "after_apply",
        }
    }
}

impl Step {
    /// Every step of live processing, in order.
    pub const ALL: [Step; 7] = [
        Step::BeforeSegment,
        Step::AfterSegment,
        Step::AfterDelta,
        Step::AfterCommit,
        Step::BeforeApply,
        Step::AfterApply,
        Step::Checkpoint,
    ];

    /// Every step of a job, in order. A skip writes no segment and a repair no delta; those steps are passed all the
    /// same.
    pub fn of_job(verb: Verb) -> Vec<Step> {
        let within = Place::ALL.into_iter().map(|place| Step::Within(verb, place));
        within.chain([Step::Progress(verb), Step::End(verb)]).collect()
    }

    /// Its name in `TALLYMARK_FAILPOINT`: `after_delta`, `replay_after_delta`, `replay_progress`, `replay_end`.
    pub fn name(self) -> String {
        let place = match self {
            Step::BeforeSegment => Place::BeforeSegment,
            Step::AfterSegment => Place::AfterSegment,
            Step::AfterDelta => Place::AfterDelta,
            Step::AfterCommit => Place::AfterCommit,
            Step::BeforeApply => Place::BeforeApply,
            Step::AfterApply => Place::AfterApply,
            Step::Checkpoint => return "checkpoint".to_owned(),
            Step::Within(verb, place) => return format!("{}_{}", verb.name(), place.name()),
            Step::Progress(verb) => return format!("{}_progress", verb.name()),
            Step::End(verb) => return format!("{}_end", verb.name()),
        };
        place.name().to_owned()
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

/// Ends the process at the step that the environment asks for.
///
/// `TALLYMARK_FAILPOINT=after_delta` aborts at its first time, `after_delta:3` at its third. `TALLYMARK_FAILPOINT=@FILE`
/// reads the name of a step from the file whenever a step is reached: at that step the file is renamed to `FILE.reached`
/// and the process stands still there, until it is killed from outside.
#[derive(Debug)]
pub struct EnvFailpoint {
    target: Target,
    seen: AtomicU32,
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Nowhere,
    Abort { step: String, nth: u32 },
    Stand { orders: PathBuf },
}

impl EnvFailpoint {
    /// What the environment asks for; nothing if the variable is not set.
    pub fn from_env() -> EnvFailpoint {
        EnvFailpoint::parse(std::env::var("TALLYMARK_FAILPOINT").ok().as_deref())
    }

    fn parse(text: Option<&str>) -> EnvFailpoint {
        let target = match text.filter(|t| !t.is_empty()) {
            None => Target::Nowhere,
            Some(text) => match (text.strip_prefix('@'), text.split_once(':')) {
                (Some(path), _) => Target::Stand { orders: PathBuf::from(path) },
                (None, Some((name, nth))) => {
                    Target::Abort { step: name.to_owned(), nth: nth.parse().unwrap_or(1) }
                }
                (None, None) => Target::Abort { step: text.to_owned(), nth: 1 },
            },
        };
        EnvFailpoint { target, seen: AtomicU32::new(0) }
    }

    fn is_due(&self, step: Step) -> bool {
        match &self.target {
            Target::Nowhere => false,
            Target::Abort { step: name, nth } => {
                *name == step.name() && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == *nth
            }
            Target::Stand { orders } => {
                let wanted = std::fs::read_to_string(orders).unwrap_or_default();
                // Whoever renames it stands; a second one finds no orders.
                wanted.trim() == step.name()
                    && std::fs::rename(orders, orders.with_extension("reached")).is_ok()
            }
        }
    }
}

impl Failpoint for EnvFailpoint {
    fn crash_at(&self, step: Step) -> bool {
        if self.is_due(step) {
            match self.target {
                // No destructor, no flush: as a kill from outside.
                Target::Nowhere | Target::Abort { .. } => std::process::abort(),
                Target::Stand { .. } => loop {
                    std::thread::sleep(Duration::from_secs(1));
                },
            }
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
        let replay = EnvFailpoint::parse(Some("replay_after_commit"));
        assert!(!replay.is_due(Step::AfterCommit));
        assert!(replay.is_due(Step::Within(Verb::Replay, Place::AfterCommit)));
    }

    #[test]
    fn orders_in_a_file_are_carried_out_once() {
        let folder = tempfile::tempdir().unwrap();
        let orders = folder.path().join("stand");
        let failpoint = EnvFailpoint::parse(Some(&format!("@{}", orders.display())));
        let commit = Step::Within(Verb::Skip, Place::AfterCommit);
        assert!(!failpoint.is_due(commit));
        std::fs::write(&orders, "skip_after_commit\n").unwrap();
        assert!(!failpoint.is_due(Step::AfterCommit));
        assert!(failpoint.is_due(commit));
        assert!(!failpoint.is_due(commit) && folder.path().join("stand.reached").exists());
    }

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let jobs = Verb::ALL.into_iter().flat_map(Step::of_job);
        let names: Vec<String> = Step::ALL.into_iter().chain(jobs).map(Step::name).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
