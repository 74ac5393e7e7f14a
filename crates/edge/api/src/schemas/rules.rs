//! Shapes of rules, erasures and deleted projects.
//!
//! Guarantees: the shape of a rule's action is the one that travels in the log.
//! Deliberately not here: what rules do (`processor`).
#![allow(missing_docs, reason = "the fields are the wire format; meanings stand in the type's comment")]

use serde::{Deserialize, Serialize};
use tallymark_model::RuleAction;
use utoipa::ToSchema;

/// What a rule does. `drop`: events with any of these names (all, if none are given) that meet every condition
/// become `filtered`. `block`: everything from these ids does. `properties`: these are not stored. `settings`: the
/// project's settings from here on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(dead_code, reason = "described here, read as the model's type")]
pub(crate) enum RuleActionBody {
    Drop {
        #[serde(default)]
        events: Vec<String>,
        /// Conditions as in the query API, on event properties.
        #[serde(default)]
        #[schema(value_type = Vec<Object>)]
        conditions: Vec<serde_json::Value>,
    },
    Block {
        #[serde(default)]
        devices: Vec<String>,
        #[serde(default)]
        users: Vec<String>,
    },
    Properties {
        #[serde(default)]
        deny: Vec<String>,
        allow: Option<Vec<String>>,
    },
    Settings {
        #[schema(value_type = Object)]
        settings: serde_json::Value,
    },
}

/// A rule to add, or its next version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRuleBody {
    pub name: String,
    /// False: from this version on it does nothing. Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Why, for those who ask later.
    #[serde(default)]
    pub reason: String,
    #[schema(value_type = RuleActionBody)]
    pub action: RuleAction,
}

fn yes() -> bool {
    true
}

/// A rule as of a version. `state`: `unpublished` (not in the log yet), `published` (in the log), `in_force` (every
/// shard has passed it). `in_force` lists from which position of which shard on it decides.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RuleBody {
    pub id: u32,
    pub version: u32,
    pub name: String,
    pub enabled: bool,
    pub by: String,
    pub reason: String,
    pub made_at: String,
    #[schema(value_type = RuleActionBody)]
    pub action: RuleAction,
    pub published_at: Option<String>,
    pub state: String,
    pub in_force: Vec<InForceBody>,
    /// Why it does nothing although it is in force, if so.
    pub problem: Option<String>,
}

/// From `position` on, in this shard.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct InForceBody {
    pub lane: String,
    pub partition: u16,
    pub offset: u64,
    pub position: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RulesBody {
    pub rules: Vec<RuleBody>,
}

/// A rule to try over records that were received in `[from, to)` (default: the last 24 hours), without switching it
/// on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    #[schema(value_type = RuleActionBody)]
    pub action: RuleAction,
    /// Instead of adding a rule: replace this one.
    pub id: Option<u32>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// How long to wait for the report, ms; default 10,000, at most 30,000.
    pub wait_ms: Option<u64>,
}

/// Why a person is to be forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseBody {
    pub reason: String,
    /// The environment's name; needed where the environment is protected.
    pub confirm: Option<String>,
}

/// A wish to forget a person. `state`: `unpublished`, `hidden` (rows do not count, it can be taken back until
/// `undo_until`), `due` (rows are being removed from files), `done`, `undone`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErasureBody {
    pub id: u32,
    pub subjects: Vec<ErasedSubjectBody>,
    pub by: String,
    pub reason: String,
    pub made_at: String,
    pub undo_until: String,
    pub undone: bool,
    pub published_at: Option<String>,
    pub completed_at: Option<String>,
    pub state: String,
}

/// A raw id. `kind`: `user` or `device`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErasedSubjectBody {
    pub kind: String,
    pub id: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErasuresBody {
    pub erasures: Vec<ErasureBody>,
}

/// A deleted project; its data goes after `undo_until`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeletedProjectBody {
    pub id: String,
    pub name: String,
    pub undo_until: String,
}
