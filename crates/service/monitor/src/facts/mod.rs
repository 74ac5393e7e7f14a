//! What monitors look at: one observation of the whole instance.
//!
//! Guarantees: plain data; a fact that could not be obtained is `None` or absent, never a made-up zero.
//! Deliberately not here: where facts come from, and what to think of them (`checks`).

mod books;
mod care;
mod files;
mod flow;
mod health;
mod resources;
mod sources;

pub use books::{AuditFinding, AuditKind, LossStatement};
pub use care::{AgeFacts, BackupFacts, CopyFacts, JobFacts, RehearsalFacts, SettingFact};
pub use files::FileSourceFacts;
pub use flow::{ProjectFacts, ShardFacts, Share};
pub use health::{CanaryFacts, ChannelFacts, RateFacts, RoleFacts, RoleState};
pub use resources::{DiskFacts, Growth, ResourceFacts, ResourceKind};
pub use sources::{OtherDays, Source, SourceFacts, Volume};

use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// One observation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// When it was made.
    pub at: Millis,
    /// Name of the instance's environment, for texts.
    pub environment: String,
    /// Every shard of the log.
    pub shards: Vec<ShardFacts>,
    /// Every project that sent something lately.
    pub projects: Vec<ProjectFacts>,
    /// Who sends what.
    pub sources: Vec<SourceFacts>,
    /// Buckets and folders whose files become events.
    pub files: Vec<FileSourceFacts>,
    /// The file systems in use.
    pub disks: Vec<DiskFacts>,
    /// Everything else that can run out.
    pub resources: Vec<ResourceFacts>,
    /// The processes.
    pub roles: Vec<RoleFacts>,
    /// Shares of outcomes and answers.
    pub rates: Vec<RateFacts>,
    /// Backups, if they are set up.
    pub backup: Option<BackupFacts>,
    /// Rehearsals of a restore, if they are set up.
    pub rehearsal: Option<RehearsalFacts>,
    /// Archiving of sealed log files, if it is on.
    pub archive: Option<CopyFacts>,
    /// Copies of commits in the object store.
    pub commit_copy: Option<CopyFacts>,
    /// State checkpoints.
    pub checkpoint: Option<AgeFacts>,
    /// Jobs that are not finished.
    pub jobs: Vec<JobFacts>,
    /// The product's own test events.
    pub canary: Option<CanaryFacts>,
    /// Settings whose declared and effective value differ, and test-only settings that are on.
    pub settings: Vec<SettingFact>,
    /// What the ledger says about losses; `None` if it could not be read.
    pub loss: Option<LossStatement>,
    /// Open findings of the auditor. Filled in by the watch from its own database.
    pub audit: Vec<AuditFinding>,
    /// How the alert channels fare. Filled in by the watch.
    pub channels: Vec<ChannelFacts>,
    /// Parts of this observation that failed: name and error. Never silently absent.
    pub unavailable: Vec<(String, String)>,
}
