//! Which property is meant, and how to find its value.

use crate::expr::CohortLeaf;
use std::borrow::Cow;
use std::fmt;
use tallymark_model::Value;

/// Where a property lives (chapter 1.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scope {
    /// On the event.
    #[default]
    Event,
    /// On the user, as of the event's time.
    User,
    /// On the user, the latest value at `as_of`.
    Person,
    /// On the group of this type that the event carries, as of the event.
    Group(String),
    /// On that group, the latest value.
    GroupLatest(String),
    /// The name the event was sent with. Not written in queries: what virtual events expand to reads it.
    Name,
    /// Computed from the event: the custom property of this name.
    Custom,
    /// A column of this lookup table, in the row that the event's key leads to.
    Lookup(String),
}

impl Scope {
    /// The scope with this name in JSON.
    pub fn from_name(name: &str) -> Option<Scope> {
        match name {
            "event" => Some(Scope::Event),
            "user" => Some(Scope::User),
            "person" => Some(Scope::Person),
            "custom" => Some(Scope::Custom),
            _ => {
                let (scope, kind) = name.split_once(':').filter(|(_, kind)| !kind.is_empty())?;
                match scope {
                    "group" => Some(Scope::Group(kind.to_owned())),
                    "group_latest" => Some(Scope::GroupLatest(kind.to_owned())),
                    "lookup" => Some(Scope::Lookup(kind.to_owned())),
                    _ => None,
                }
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Event => f.write_str("event"),
            Scope::User => f.write_str("user"),
            Scope::Person => f.write_str("person"),
            Scope::Group(kind) => write!(f, "group:{kind}"),
            Scope::GroupLatest(kind) => write!(f, "group_latest:{kind}"),
            Scope::Name => f.write_str("name"),
            Scope::Custom => f.write_str("custom"),
            Scope::Lookup(table) => write!(f, "lookup:{table}"),
        }
    }
}

/// One property: its scope and its path as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyRef {
    /// Where.
    pub scope: Scope,
    /// Which: a key, or keys joined by dots.
    pub path: String,
}

/// Where an evaluator gets values: the top-level properties of one row.
pub trait Lookup {
    /// The value under exactly this key; none if there is none.
    fn get(&self, scope: &Scope, key: &str) -> Option<Cow<'_, Value>>;

    /// Whether the row's person belongs to a cohort. Rows that know no persons belong to none.
    fn is_member(&self, _cohort: &CohortLeaf) -> bool {
        false
    }
}

impl Lookup for tallymark_model::Properties {
    fn get(&self, scope: &Scope, key: &str) -> Option<Cow<'_, Value>> {
        if *scope == Scope::Event { self.get(key).map(Cow::Borrowed) } else { None }
    }
}

/// The value at a path: the literal key wins (unless it is null), otherwise the path is split at its dots and
/// followed through objects.
pub fn lookup_path<'a>(row: &'a (impl Lookup + ?Sized), property: &PropertyRef) -> Option<Cow<'a, Value>> {
    let literal = row.get(&property.scope, &property.path).filter(|v| !v.is_null());
    if literal.is_some() {
        return literal;
    }
    let (first, rest) = property.path.split_once('.')?;
    match row.get(&property.scope, first)? {
        Cow::Borrowed(value) => walk(value, rest).map(Cow::Borrowed),
        Cow::Owned(value) => walk(&value, rest).cloned().map(Cow::Owned),
    }
}

fn walk<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.as_object()?.get(key))
}

/// The top-level keys that [`lookup_path`] may read for `path`: the literal one and, with dots, the first.
pub fn path_columns(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once(path).chain(path.split_once('.').map(|(first, _)| first))
}
