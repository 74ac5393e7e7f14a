//! Records that change rules rather than carrying an event: settings travel through the log, so that what decided a
//! record can be read from the log too (I12), by a replay a year later as well.
//!
//! Rules and erasures are appended to every shard and are in force from their own offset on in that shard.
//! Guarantees: unknown kinds fail to decode rather than being passed by. The JSON form is persisted: fields are
//! added with defaults, never renamed.
//! Deliberately not here: what a rule does to an event (`processor`), where rules are edited (`catalog`).

use crate::{Millis, Position, ProjectId, Properties, SubjectKind, Value, WireFormat};
use serde::{Deserialize, Serialize};

/// Rule number under which records of an erased person are filtered.
pub const ERASED_RULE: u32 = u32::MAX;

/// Record that changes rules rather than carrying an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control {
    /// Requests that were refused for one token within a minute, so that "sent but not accepted" can be answered.
    Refused {
        /// Hex of the [`crate::ProjectToken`].
        token: String,
        /// Start of the minute, ms UTC.
        minute: Millis,
        /// How many events were refused.
        count: u64,
        /// Why.
        reason: String,
    },
    /// Events of one token that throttling refused or marked within a minute.
    Throttled {
        /// Hex of the [`crate::ProjectToken`].
        token: String,
        /// The device or user that sent too much; `None` if the whole key did.
        id: Option<String>,
        /// Start of the minute, ms UTC.
        minute: Millis,
        /// How many events.
        count: u64,
        /// Name of the throttle rule.
        rule: String,
    },
    /// A rule as of a version; replaces every earlier version of the same rule.
    Rule(Rule),
    /// A person is to be forgotten, or that is taken back.
    Erase(Erasure),
    /// A dead letter of this shard is decided again with other bytes.
    Redrive(Redrive),
}

impl Control {
    /// When it was made, ms UTC; a note about a minute counts as made at its start.
    pub fn made_at(&self) -> Millis {
        match self {
            Control::Refused { minute, .. } | Control::Throttled { minute, .. } => *minute,
            Control::Rule(rule) => rule.made_at,
            Control::Erase(erasure) => erasure.made_at,
            Control::Redrive(redrive) => redrive.made_at,
        }
    }
}

/// A rule that takes part in deciding outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Number, unique in the instance, below [`ERASED_RULE`].
    pub id: u32,
    /// Whose events it is about.
    pub project: ProjectId,
    /// Counts up with every change.
    pub version: u32,
    /// What people call it.
    pub name: String,
    /// False: from here on it does nothing.
    pub enabled: bool,
    /// Who changed it last.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When it was changed, ms UTC.
    pub made_at: Millis,
    /// What it does.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RuleAction {
    /// Events that match become `filtered`: any of the names (all, if none are given) that also meet every condition
    /// (the condition list of the query API, on event properties).
    Drop {
        /// Event names; empty means all.
        #[serde(default)]
        events: Vec<String>,
        /// Conditions as in the query API, a list; empty means none.
        #[serde(default)]
        conditions: Vec<Value>,
    },
    /// Everything from these ids becomes `filtered`.
    Block {
        /// Raw device ids.
        #[serde(default)]
        devices: Vec<String>,
        /// Raw user ids.
        #[serde(default)]
        users: Vec<String>,
    },
    /// Event and person properties that are not stored.
    Properties {
        /// These are left out.
        #[serde(default)]
        deny: Vec<String>,
        /// If given, only these are stored.
        #[serde(default)]
        allow: Option<Vec<String>>,
    },
    /// The project's settings from here on (`identity`, `inactive_events`, …).
    Settings {
        /// The settings, whole.
        settings: Properties,
    },
}

/// The wish to forget a person, as raw ids of one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Number, unique in the instance.
    pub id: u32,
    /// Whose data.
    pub project: ProjectId,
    /// Every raw id of the person at the time of the wish.
    pub subjects: Vec<(SubjectKind, String)>,
    /// Who asked.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When, ms UTC.
    pub made_at: Millis,
    /// Until then it can be taken back; afterwards rows are removed from files, ms UTC.
    pub undo_until: Millis,
    /// True: it is taken back.
    #[serde(default)]
    pub undone: bool,
}

/// A dead letter with the bytes that it should have had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The dead letter, in the same shard.
    pub position: Position,
    /// Whose it is from now on; `None`: as its token says.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// How to read `body`.
    pub wire: WireFormat,
    /// The mended event, a JSON text.
    pub body: String,
    /// Who mended it.
    pub by: String,
    /// When, ms UTC.
    pub made_at: Millis,
}
