//! What a monitor says: one thing that is not as it should be.
//!
//! Guarantees: (monitor, key) is stable for as long as the same thing is wrong, so it is counted and alerted once;
//! severity (who is woken) and impact (what the status page shows) are separate.
//! Deliberately not here: how long it has been going on and what was done about it (`Incident`).

use serde::{Deserialize, Serialize};
use std::fmt;
use tallymark_ledger::Interval;
use tallymark_model::{Lane, Millis, ProjectId};

/// How urgent it is for whoever operates the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nobody is told.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// Name used in JSON and texts.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What users of the product notice of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Nothing (a forecast, a missed backup): not shown to the public.
    #[default]
    None,
    /// It works, but late or slowly.
    Minor,
    /// A part of it does not work.
    Major,
    /// It does not work.
    Critical,
}

/// A part of the product, as the status page names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// Accepting events.
    Collection,
    /// Turning the log into queryable data.
    Processing,
    /// One lane of processing.
    Lane(Lane),
    /// Queries, API and web app.
    Queries,
    /// The independent check of the books.
    Auditor,
    /// Backups, rehearsals, archive.
    Backups,
    /// The watch and its alerts.
    Alerts,
}

impl Component {
    /// Every component, in the order the page shows them.
    pub fn all() -> Vec<Component> {
        let mut all = vec![Component::Collection, Component::Processing];
        all.extend(Lane::ALL.map(Component::Lane));
        all.extend([Component::Queries, Component::Auditor, Component::Backups, Component::Alerts]);
        all
    }
    /// Name used in URLs, files and configuration.
    pub fn slug(self) -> String {
        match self {
            Component::Collection => "collection".to_owned(),
            Component::Processing => "processing".to_owned(),
            Component::Lane(lane) => format!("lane-{}", lane.name()),
            Component::Queries => "queries".to_owned(),
            Component::Auditor => "auditor".to_owned(),
            Component::Backups => "backups".to_owned(),
            Component::Alerts => "alerts".to_owned(),
        }
    }
    /// The component with this slug.
    pub fn from_slug(slug: &str) -> Option<Component> {
        Component::all().into_iter().find(|c| c.slug() == slug)
    }
    /// The component it is a part of, or itself.
    pub fn root(self) -> Component {
        match self {
            Component::Lane(_) => Component::Processing,
            other => other,
        }
    }
}

macro_rules! monitors {
    ($($(#[$doc:meta])* $variant:ident => $slug:literal),+ $(,)?) => {
        /// Every monitor there is. Its slug is its name in alerts and the name of its runbook page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Monitor {
            $($(#[$doc])* #[serde(rename = $slug)] $variant),+
        }
        impl Monitor {
            /// Every monitor.
            pub const ALL: &'static [Monitor] = &[$(Monitor::$variant),+];
            /// Name; also the page `docs/runbooks/<slug>.md`.
            pub fn slug(self) -> &'static str {
                match self { $(Monitor::$variant => $slug),+ }
            }
        }
    };
}

monitors! {
    /// Events of a project become queryable too late.
    Freshness => "freshness",
    /// A partition is far behind its log.
    Lag => "lag",
    /// A limit of the log could be reached before what it holds is accounted.
    RetentionAgainstLag => "retention-against-lag",
    /// The disk fills up.
    DiskDaysLeft => "disk-days-left",
    /// One partition carries far more of the backlog than the others.
    HotPartition => "hot-partition",
    /// One project or key carries most of the backlog.
    HotProject => "hot-project",
    /// A source fell silent, or its volume changed.
    SourceSilent => "source-silent",
    /// Files of a bucket or folder are not taken, or changed after they were.
    Vacuum => "vacuum",
    /// A finite resource runs out.
    FiniteResources => "finite-resources",
    /// The newest backup is too old.
    BackupAge => "backup-age",
    /// No restore was rehearsed, or the last one failed.
    RehearsalAge => "rehearsal-age",
    /// Sealed log files are not archived.
    ArchiveLag => "archive-lag",
    /// Commits are not copied to the object store.
    CommitCopyLag => "commit-copy-lag",
    /// The newest state checkpoint is too old.
    CheckpointAge => "checkpoint-age",
    /// Too many dead letters, refusals, server errors, or an odd duplicate rate.
    ErrorRates => "error-rates",
    /// A process does not show that it lives.
    DeadHeartbeat => "dead-heartbeat",
    /// The auditor found that the books are wrong.
    AuditorFindings => "auditor-findings",
    /// A backlog is not being worked off.
    CatchUp => "catch-up",
    /// A job makes no progress.
    StuckJobs => "stuck-jobs",
    /// The product's own test events do not come through.
    Canary => "canary",
    /// What is in force differs from what was set, or a test-only setting is on.
    Settings => "settings",
    /// Something cannot be observed.
    BlindSpot => "blind-spot",
    /// Alerts do not reach their receivers.
    AlertDelivery => "alert-delivery",
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// Where in the log, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Offsets of one shard, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// First and last receive time, ms UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<(Millis, Millis)>,
    /// How many events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Who says so.
    pub monitor: Monitor,
    /// Which one, within the monitor: stable while the same thing is wrong.
    pub key: String,
    /// How urgent.
    pub severity: Severity,
    /// What users notice.
    pub impact: Impact,
    /// One line; no project names or counts (it may become public).
    pub title: String,
    /// What exactly: project, lane, partition, offsets, wall-clock range, count, as far as they apply.
    pub detail: String,
    /// Which part of the product.
    pub component: Component,
    /// Projects concerned; empty if none in particular.
    pub projects: Vec<ProjectId>,
    /// Where in the log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub affected: Vec<Affected>,
    /// Since when, as far as the facts tell.
    pub since: Millis,
}

impl Finding {
    /// `monitor/key`: the identity under which it is deduplicated.
    pub fn id(&self) -> String {
        format!("{}/{}", self.monitor, self.key)
    }
    /// The name of its page in `docs/runbooks`.
    pub fn runbook(&self) -> &'static str {
        self.monitor.slug()
    }
    /// Findings of one group become one incident.
    pub fn group(&self) -> &'static str {
        match self.monitor {
            Monitor::AuditorFindings => "books",
            Monitor::DiskDaysLeft | Monitor::FiniteResources | Monitor::RetentionAgainstLag => "capacity",
            Monitor::Settings => "settings",
            Monitor::BlindSpot => "blind-spot",
            Monitor::SourceSilent | Monitor::Vacuum => "sources",
            _ => match self.component {
                Component::Collection => "collection",
                Component::Processing | Component::Lane(_) => "processing",
                Component::Queries => "queries",
                Component::Auditor => "auditor",
                Component::Backups => "backups",
                Component::Alerts => "alerts",
            },
        }
    }
}
