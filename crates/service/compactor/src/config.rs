//! When to merge, how much at once, how long to keep what was replaced.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the compactor. The defaults suit a laptop and a small server alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactorConfig {
    /// Who asks for the lease, for people.
    pub owner: String,
    /// How long the lease lasts unless renewed.
    pub lease: Duration,
    /// Pause between two looks at the catalog.
    pub interval: Duration,
    /// When to merge and how much.
    pub plan: PlanConfig,
    /// Most rows of one output file.
    pub max_file_rows: usize,
    /// Most bytes of the inputs of one merge, uncompressed.
    pub max_task_bytes: u64,
    /// Files that a commit replaced are kept for this long.
    pub grace: Duration,
    /// ... and for at least this many commits.
    pub grace_commits: u64,
    /// Pause between two collections of garbage.
    pub collect: Duration,
    /// Pause between two looks for masked rows and for persons to be erased.
    pub rewrite: Duration,
    /// Folder with checkpoints of the state, to start folding identity from; none = fold from the first delta.
    pub checkpoints: Option<PathBuf>,
}

impl Default for CompactorConfig {
    fn default() -> CompactorConfig {
        CompactorConfig {
            owner: format!("compactor-{}", std::process::id()),
            lease: Duration::from_secs(60),
            interval: Duration::from_secs(5),
            plan: PlanConfig::default(),
            max_file_rows: 2_000_000,
            max_task_bytes: 1 << 30,
            grace: Duration::from_secs(600),
            grace_commits: 10,
            collect: Duration::from_secs(60),
            rewrite: Duration::from_secs(30),
            checkpoints: None,
        }
    }
}

/// When to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanConfig {
    /// More level 0 segments than this are merged at once.
    pub max_fresh: usize,
    /// Level 0 segments older than this are merged as soon as there are two.
    pub fresh_age_ms: i64,
    /// Rows below level 2 from which they are divided by day.
    pub split_rows: u64,
    /// More level 1 segments than this are divided by day.
    pub max_merged: usize,
    /// A project without news for this long has all its rows divided by day.
    pub quiet_ms: i64,
    /// Rows from which a day has files of its own.
    pub min_day_rows: usize,
    /// More level 2 segments of one day than this are merged.
    pub max_per_day: usize,
    /// Level 2 segments of a day are merged when the smaller ones together have this share of the largest, per cent.
    pub late_percent: u64,
    /// Most rows of the inputs of one merge.
    pub max_task_rows: u64,
    /// Most rows of one file: a merge that would not leave fewer files is not worth it.
    pub max_file_rows: u64,
}

impl Default for PlanConfig {
    fn default() -> PlanConfig {
        PlanConfig {
            max_fresh: 30,
            fresh_age_ms: 60_000,
            split_rows: 500_000,
            max_merged: 30,
            quiet_ms: 600_000,
            min_day_rows: 5_000,
            max_per_day: 3,
            late_percent: 30,
            max_task_rows: 4_000_000,
            max_file_rows: 2_000_000,
        }
    }
}
