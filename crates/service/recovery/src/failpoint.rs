//! Places at which tests stop recovery dead, one between any two writes (R9).
//!
//! Guarantees: in a normal run nothing is ever hit. Deliberately not here: what the tests check.

use crate::RecoveryError;
use std::sync::atomic::{AtomicU32, Ordering};

/// Between which two writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// An archived file is stored, its entry is not.
    ArchiveStored,
    /// The entry of an archived file is stored.
    ArchiveEntered,
    /// A permit is granted, nothing is trimmed.
    TrimPermitted,
    /// The copy of a commit is stored.
    CommitCopied,
    /// A copy of the settings is stored, old ones are still there.
    SettingsCopied,
    /// The new catalog is built and not verified.
    RebuildBuilt,
    /// The new catalog is verified and flushed.
    RebuildVerified,
    /// The old catalog has its second name, its journal is moved aside.
    RebuildAside,
    /// The new catalog is in place.
    RebuildSwitched,
    /// The snapshot of the catalog is taken.
    BackupSnapshot,
    /// A chunk is stored.
    BackupChunk,
    /// Everything but the manifest is stored.
    BackupStored,
    /// The manifest is stored.
    BackupManifest,
    /// A manifest that is no longer kept is deleted, its chunks are not.
    BackupPruned,
    /// The folder is marked as being restored into.
    RestoreMarked,
    /// A file is restored.
    RestoreFile,
    /// All files are restored and flushed.
    RestoreFiles,
    /// The log was opened and settled.
    RestoreLog,
    /// Everything is verified, the mark is still there.
    RestoreVerified,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 19] = [
        Step::ArchiveStored,
        Step::ArchiveEntered,
        Step::TrimPermitted,
        Step::CommitCopied,
        Step::SettingsCopied,
        Step::RebuildBuilt,
        Step::RebuildVerified,
        Step::RebuildAside,
        Step::RebuildSwitched,
        Step::BackupSnapshot,
        Step::BackupChunk,
        Step::BackupStored,
        Step::BackupManifest,
        Step::BackupPruned,
        Step::RestoreMarked,
        Step::RestoreFile,
        Step::RestoreFiles,
        Step::RestoreLog,
        Step::RestoreVerified,
    ];

    /// Its name in `TALLYMARK_FAILPOINT`.
    pub fn name(self) -> &'static str {
        match self {
            Step::ArchiveStored => "archive_stored",
            Step::ArchiveEntered => "archive_entered",
            Step::TrimPermitted => "trim_permitted",
            Step::CommitCopied => "commit_copied",
            Step::SettingsCopied => "settings_copied",
            Step::RebuildBuilt => "rebuild_built",
            Step::RebuildVerified => "rebuild_verified",
            Step::RebuildAside => "rebuild_aside",
            Step::RebuildSwitched => "rebuild_switched",
            Step::BackupSnapshot => "backup_snapshot",
            Step::BackupChunk => "backup_chunk",
            Step::BackupStored => "backup_stored",
            Step::BackupManifest => "backup_manifest",
            Step::BackupPruned => "backup_pruned",
            Step::RestoreMarked => "restore_marked",
            Step::RestoreFile => "restore_file",
            Step::RestoreFiles => "restore_files",
            Step::RestoreLog => "restore_log",
            Step::RestoreVerified => "restore_verified",
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

/// Stops the n-th time (from 1) a step is reached.
#[derive(Debug)]
pub struct CrashAt {
    step: Step,
    left: AtomicU32,
}

impl CrashAt {
    /// At this step, the n-th time.
    pub fn new(step: Step, nth: u32) -> CrashAt {
        CrashAt { step, left: AtomicU32::new(nth) }
    }
}

impl Failpoint for CrashAt {
    fn crash_at(&self, step: Step) -> bool {
        step == self.step && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// Aborts the process at the step named by the environment: `TALLYMARK_FAILPOINT=backup_chunk` at its first time,
/// `backup_chunk:3` at its third.
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
pub(crate) fn pass(failpoint: &dyn Failpoint, step: Step) -> Result<(), RecoveryError> {
    if failpoint.crash_at(step) { Err(RecoveryError::Failpoint(step)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_nth_time_counts() {
        let names: std::collections::BTreeSet<&str> = Step::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
        let third = CrashAt::new(Step::BackupChunk, 3);
        let hits: Vec<bool> = (0..5).map(|_| third.crash_at(Step::BackupChunk)).collect();
        assert_eq!(hits, [false, false, true, false, false]);
        assert!(!third.crash_at(Step::BackupManifest));
        assert_eq!(EnvFailpoint::parse(Some("restore_file:2")).target, Some(("restore_file".to_owned(), 2)));
        assert!(!EnvFailpoint::parse(None).crash_at(Step::RestoreFile));
    }
}
