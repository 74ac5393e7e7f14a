//! Which events a question is about.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tallymark_model::is_operation;
use tallymark_predicate::Expr;
use tallymark_store::RowGroup;

/// Event names a selector means. Operations are never meant.
#[derive(Debug, Clone)]
pub enum Names {
    /// Any event.
    Any,
    /// Any event whose name is not in this set.
    Except(Arc<HashSet<String>>),
    /// These.
    Of(BTreeSet<String>),
}

impl Names {
    /// True if an event of this name is meant.
    pub fn mean(&self, name: &str) -> bool {
        !is_operation(name)
            && match self {
                Names::Any => true,
                Names::Except(inactive) => !inactive.contains(name),
                Names::Of(names) => names.contains(name),
            }
    }

    /// False if certainly no row of the group is meant.
    pub(crate) fn may_occur(&self, group: &RowGroup) -> bool {
        match (&group.names, self) {
            (Some(names), _) => names.iter().any(|n| self.mean(n)),
            (None, Names::Of(wanted)) => {
                wanted.range(group.name_min.clone()..=group.name_max.clone()).next().is_some()
            }
            (None, _) => true,
        }
    }
}

/// Events by name and condition.
#[derive(Debug, Clone)]
pub struct Selector {
    /// By name.
    pub names: Names,
    /// By their properties and their actor's.
    pub filter: Option<Expr>,
}

impl Selector {
    /// Events of these names.
    pub fn named<const N: usize>(names: [&str; N]) -> Selector {
        Selector { names: Names::Of(names.into_iter().map(str::to_owned).collect()), filter: None }
    }
}

/// Whose events are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// The person behind the event's ids.
    #[default]
    Person,
    /// The device.
    Device,
    /// The first group of this type that the event carries.
    Group(Arc<str>),
}
