//! One event after decoding: what every vendor's shape becomes.

use crate::{Millis, Properties, Value};
use serde::{Deserialize, Serialize};

/// A decoded event, before the processor decides what becomes of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Event {
    /// Event name, case-sensitive. Names for which [`is_operation`] holds are operations.
    pub name: String,
    /// When it happened: client time after skew correction, ms UTC.
    pub time: Millis,
    /// Client time as sent, if the client sent one.
    pub client_time: Option<Millis>,
    /// Usable user id (garbage ids are dropped and annotated).
    pub user_id: Option<String>,
    /// Usable device or anonymous id.
    pub device_id: Option<String>,
    /// Dedup id, unique per device (or user, without a device).
    pub insert_id: Option<String>,
    /// Session id as sent; `"-1"` = out of session.
    pub session_id: Option<String>,
    /// Event properties.
    pub properties: Properties,
    /// Changes of the person's properties carried by this event, in the order sent.
    pub person_ops: Vec<PropertyOp>,
    /// Groups the event belongs to: (type, name).
    pub groups: Vec<(String, String)>,
    /// Changes of a group's properties: (type, name, change).
    pub group_ops: Vec<(String, String, PropertyOp)>,
    /// What the event does to the identity graph beyond carrying two ids.
    pub action: IdentityAction,
    /// Remarks made while decoding.
    pub annotations: Vec<Annotation>,
}

/// Identity transitions that an event may ask for besides the implicit "both ids" rule
/// (chapter 12.3 of the insight semantics).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum IdentityAction {
    /// Only the ids on the event matter.
    #[default]
    None,
    /// Logout: the device is freed.
    Reset,
    /// `other` becomes one more id of the event's user.
    Alias {
        /// A user id or device id; user ids are looked up first.
        other: String,
    },
    /// Administrative: merges even two identified persons, the event's user survives.
    Merge {
        /// A user id or device id; user ids are looked up first.
        other: String,
    },
}

/// One change of one property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertyOp {
    /// What to do.
    pub kind: PropertyOpKind,
    /// Property name; empty for [`PropertyOpKind::ClearAll`].
    pub name: String,
    /// Operand; null for `Unset` and `ClearAll`.
    pub value: Value,
}

/// The operations of chapter 1.4. The numbers are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PropertyOpKind {
    /// Overwrite.
    Set = 1,
    /// Only if missing; the earliest by time wins.
    SetOnce = 2,
    /// Numeric add.
    Add = 3,
    /// Append to a list.
    Append = 4,
    /// Prepend to a list.
    Prepend = 5,
    /// Remove every occurrence from a list.
    Remove = 6,
    /// Delete the key.
    Unset = 7,
    /// Append values not yet present.
    PostInsert = 8,
    /// Prepend values not yet present.
    PreInsert = 9,
    /// Delete every key.
    ClearAll = 10,
}

impl PropertyOpKind {
    /// The operation with this persisted number.
    pub fn from_u8(n: u8) -> Option<PropertyOpKind> {
        use PropertyOpKind::*;
        [Set, SetOnce, Add, Append, Prepend, Remove, Unset, PostInsert, PreInsert, ClearAll]
            .into_iter()
            .find(|k| *k as u8 == n)
    }
}

/// Remarks on an event that was kept although something about it was off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annotation {
    /// A garbage id was ignored.
    IdDropped,
    /// The client's time could not be used; the receive time stands in.
    TimeReplaced,
    /// A value was cut to its limit.
    Truncated,
    /// Properties beyond the limit were dropped into the overflow column.
    Overflow,
    /// A NUL character was replaced by U+FFFD.
    CharacterReplaced,
}

/// True for names that change identity or properties and are never counted by any event selector
/// (chapter 1.1): names starting with `$identify`, `$alias`, `$merge`, `$reset`, `$set`,
/// and the vendors' spellings of the same (`$create_alias`, `$groupidentify`, `$unset`).
pub fn is_operation(name: &str) -> bool {
    const PREFIXES: [&str; 8] =
        ["$identify", "$alias", "$merge", "$reset", "$set", "$create_alias", "$groupidentify", "$unset"];
    name.starts_with('$') && PREFIXES.iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_recognised_by_prefix() {
        for name in
            ["$identify", "$alias", "$merge_dangerously", "$reset", "$set", "$set_once", "$groupidentify"]
        {
            assert!(is_operation(name), "{name}");
        }
        for name in ["identify", "$pageview", "$autocapture", "set", ""] {
            assert!(!is_operation(name), "{name}");
        }
    }
}
