//! Columns that a statement makes up by naming them: properties, groups, which selector a row matches.
//!
//! Guarantees: one name for one thing within a statement; a property that was never sent is an error, one that
//! other files have is null where it is absent.
//! Deliberately not here: recognising the names in a statement (`rewrite`), filling the columns (`cells`).

use crate::error::unclear;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use std::sync::Arc;
use tallymark_predicate::{PropertyRef, Scope, path_columns};
use tallymark_query::{ProjectStats, PropertyScope, QueryError, Vocabulary};

/// As what a property's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    /// By the types it was sent with.
    Natural,
    /// The number of numbers and of texts that are numbers.
    Number,
    /// The canonical text.
    Text,
    /// JSON.
    Json,
    /// The instant of ISO texts and epoch numbers.
    Instant,
    /// Canonical texts of a list's elements, or of the value alone.
    Texts,
    /// Numbers of the same.
    Numbers,
    /// Instants of the same, in milliseconds since the epoch.
    Instants,
}

impl Form {
    /// Functions that choose one.
    pub const FUNCTIONS: [(&'static str, Form); 7] = [
        ("number", Form::Number),
        ("text", Form::Text),
        ("json", Form::Json),
        ("instant", Form::Instant),
        ("texts", Form::Texts),
        ("numbers", Form::Numbers),
        ("instants", Form::Instants),
    ];
}

/// The type of a column that is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    Number,
    Text,
    Bool,
    Json,
    Instant,
    Texts,
    Numbers,
    Instants,
}

impl Filled {
    /// As Arrow knows it.
    pub fn data_type(self) -> DataType {
        match self {
            Filled::Number => DataType::Float64,
            Filled::Text | Filled::Json => DataType::Utf8,
            Filled::Bool => DataType::Boolean,
            Filled::Instant => instant_type("UTC"),
            Filled::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Filled::Numbers | Filled::Instants => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
            }
        }
    }
}

/// The type of instants.
pub(crate) fn instant_type(zone: &str) -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into()))
}

/// What a made-up column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A property in a form.
    Property(PropertyRef, Form),
    /// The first group of a type.
    Group(String),
    /// Whether a selector of this name, or of `$active`, means the row.
    IsEvent(String),
}

/// A made-up column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Virtual {
    /// Name in the schema of its table.
    pub name: String,
    /// Its content.
    pub what: What,
}

/// How values of a property are read in this form.
pub(crate) fn filled(property: &PropertyRef, form: Form, stats: &ProjectStats) -> Filled {
    match form {
        Form::Number => Filled::Number,
        Form::Text => Filled::Text,
        Form::Json => Filled::Json,
        Form::Instant => Filled::Instant,
        Form::Texts => Filled::Texts,
        Form::Numbers => Filled::Numbers,
        Form::Instants => Filled::Instants,
        Form::Natural => match types(property, stats).as_slice() {
            ["number"] => Filled::Number,
            ["boolean"] => Filled::Bool,
            _ => Filled::Text,
        },
    }
}

/// Types that a property was sent with; empty if that is not known.
fn types(property: &PropertyRef, stats: &ProjectStats) -> Vec<&'static str> {
    let Some(scope) = counted(&property.scope) else { return Vec::new() };
    // What lies inside objects may be anything.
    if path_columns(&property.path).nth(1).is_some_and(|outer| known(scope, outer, stats)) {
        return Vec::new();
    }
    let found = stats.properties.get(&(scope, property.path.clone()));
    found.map(|p| p.types.names()).unwrap_or_default()
}

fn counted(scope: &Scope) -> Option<PropertyScope> {
    match scope {
        Scope::Event => Some(PropertyScope::Event),
        Scope::User | Scope::Person => Some(PropertyScope::User),
        _ => None,
    }
}

fn known(scope: PropertyScope, name: &str, stats: &ProjectStats) -> bool {
    stats.properties.contains_key(&(scope, name.to_owned()))
}

/// Fails for a property that nobody ever sent, and for a definition that there is not.
pub(crate) fn check(
    property: &PropertyRef,
    stats: &ProjectStats,
    vocabulary: &Vocabulary,
) -> Result<(), QueryError> {
    if let Some(problem) = vocabulary.missing(property) {
        return Err(unclear(format!("sql: {problem}")));
    }
    let Some(scope) = counted(&property.scope) else { return Ok(()) };
    // Beyond a number of names, names are no longer kept.
    if stats.unnamed > 0 || path_columns(&property.path).any(|name| known(scope, name, stats)) {
        return Ok(());
    }
    let folded = property.path.to_lowercase();
    let names = stats.properties.keys().filter(|(of, _)| *of == scope).map(|(_, name)| name);
    let near: Vec<&str> =
        names.filter(|n| is_near(&n.to_lowercase(), &folded)).take(3).map(String::as_str).collect();
    let hint = match near.is_empty() {
        true => String::new(),
        false => format!("; there is {}", near.join(", ")),
    };
    let of = if scope == PropertyScope::Event { "event" } else { "person" };
    Err(unclear(format!("sql: no {of} was ever sent with a property {:?}{hint}", property.path)))
}

fn is_near(a: &str, b: &str) -> bool {
    a == b || (b.len() > 2 && (a.contains(b) || (a.len() > 2 && b.contains(a))))
}
