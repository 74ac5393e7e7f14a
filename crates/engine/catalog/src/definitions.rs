//! Definitions: the names a project gives to what its events mean.
//!
//! Guarantees: plain data; versions count up and are all kept, a deletion is a version too.
//! Deliberately not here: what a body may say (`query`), how it is used (`insights`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tallymark_model::{Millis, ProjectId};

/// What is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// A name for any of several events with conditions.
    VirtualEvent,
    /// A value computed from one event.
    CustomProperty,
    /// A table joined by a property.
    Lookup,
    /// One name for several event names.
    Rename,
}

impl DefinitionKind {
    /// All of them.
    pub const ALL: [DefinitionKind; 4] = [
        DefinitionKind::VirtualEvent,
        DefinitionKind::CustomProperty,
        DefinitionKind::Lookup,
        DefinitionKind::Rename,
    ];

    /// Its name in JSON and in the table.
    pub fn name(self) -> &'static str {
        match self {
            DefinitionKind::VirtualEvent => "virtual_event",
            DefinitionKind::CustomProperty => "custom_property",
            DefinitionKind::Lookup => "lookup",
            DefinitionKind::Rename => "rename",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<DefinitionKind> {
        DefinitionKind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// One version of a definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Whose.
    pub project: ProjectId,
    /// What is defined.
    pub kind: DefinitionKind,
    /// Its name, unique within project and kind.
    pub name: String,
    /// Counts from 1, over deletions too.
    pub version: u32,
    /// What it says; `None`: deleted.
    pub body: Option<Value>,
    /// Who made this version.
    pub by: String,
    /// When, ms UTC.
    pub made_at: Millis,
}
