//! Handing control records to the log, and reading from the fold what they brought about.
//!
//! Guarantees: plain data. Deliberately not here: the socket (`server`), deciding (`processor`).

use super::PortError;
use async_trait::async_trait;
use serde_json::Value;
use tallymark_model::{Control, Millis, Position, ProjectId, Shard};

/// Control records for the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ControlOrder {
    /// One copy to every shard of every lane.
    pub everywhere: Vec<Control>,
    /// Each to its shard.
    pub at: Vec<(Shard, Control)>,
}

/// The way into the log, which only the collector writes.
#[async_trait]
pub trait ControlDoor: Send + Sync {
    /// Appends; the positions are durable. Appending the same again is harmless: versions decide.
    async fn append(&self, order: ControlOrder) -> Result<Vec<Position>, PortError>;
    /// The throttle rules the collector was given last; null if none.
    async fn throttle_rules(&self) -> Result<Value, PortError>;
    /// Replaces the throttle rules. `Err` of the inner result says what is wrong with them.
    async fn set_throttle_rules(&self, rules: &Value) -> Result<Result<(), String>, PortError>;
}

/// A version of a rule that has reached the cursor of some shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInForce {
    /// The rule.
    pub rule: u32,
    /// Its version.
    pub version: u32,
    /// From which positions on it is in force, one per shard.
    pub since: Vec<Position>,
    /// Why it does nothing although it is in force, if it cannot be evaluated.
    pub broken: Option<String>,
}

/// Events that never became records: refused or throttled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Start of the hour, ms UTC.
    pub hour: Millis,
    /// True: throttled; false: refused.
    pub throttled: bool,
    /// Which rule, or why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What control records brought about, from the fold of committed deltas.
#[async_trait]
pub trait InForce: Send + Sync {
    /// Every rule version of a project that is or was in force somewhere, by rule and version.
    async fn rules(&self, project: ProjectId) -> Result<Vec<RuleInForce>, PortError>;
    /// Events of a project that were refused or throttled, by hour.
    async fn held_back(&self, project: ProjectId) -> Result<Vec<HeldBack>, PortError>;
}
