//! Facts about processes, answers and test events.
//!
//! Guarantees: as observed from outside the process concerned.
//! Deliberately not here: restarting anything.

use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// What the supervisor says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleState {
    /// It runs.
    Running,
    /// It is starting.
    Starting,
    /// It died and waits to be started again.
    Down,
    /// It was switched off on purpose.
    Disabled,
}

/// One process of the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// `collect`, `process`, `web`, `audit`, `watch`.
    pub role: String,
    /// What the supervisor says.
    pub state: RoleState,
    /// When it last proved that it lives.
    pub beat: Option<Millis>,
    /// When its work last moved on (the auditor's sample counter), for roles that always have work.
    #[serde(default)]
    pub progressed: Option<Millis>,
    /// When it was started.
    #[serde(default)]
    pub started: Option<Millis>,
    /// How often it was started again in the last hour.
    #[serde(default)]
    pub restarts_last_hour: u32,
}

/// Shares of outcomes and answers over the last minutes, of the instance or of one project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateFacts {
    /// `None` = the whole instance.
    pub project: Option<ProjectId>,
    /// Name of the project, for texts that are not public.
    #[serde(default)]
    pub name: String,
    /// Over how long, s.
    pub window_s: u64,
    /// Records decided in it.
    pub records: u64,
    /// Of these, dead letters.
    pub dead: u64,
    /// Of these, duplicates.
    pub duplicates: u64,
    /// Of these, duplicates whose content is another than their original's.
    #[serde(default)]
    pub conflicts: u64,
    /// The usual share of duplicates, if known (the same window over the last days).
    #[serde(default)]
    pub usual_duplicate_share: Option<f64>,
    /// Requests to the collector.
    pub requests: u64,
    /// Of these, refused (4xx other than throttling).
    pub refused: u64,
    /// Of these, answered with a server error.
    pub server_errors: u64,
    /// Of these, throttled.
    #[serde(default)]
    pub throttled: u64,
}

/// The product's own test events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryFacts {
    /// When the last one was sent and acknowledged.
    pub sent: Option<Millis>,
    /// Send time of the newest one that a query returned.
    pub seen: Option<Millis>,
    /// Why sending or asking failed last, if it did.
    #[serde(default)]
    pub error: Option<String>,
    /// How often one is sent, ms.
    pub every_ms: Millis,
}

/// An alert channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// Its name.
    pub channel: String,
    /// Oldest alert that could not be delivered yet.
    pub failing_since: Option<Millis>,
    /// What the receiver answered last.
    #[serde(default)]
    pub error: Option<String>,
    /// Alerts that wait.
    pub waiting: u64,
}
