//! Which events a question is about.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tallymark_model::is_operation;
use tallymark_predicate::Expr;
use tallymark_store::RowGroup;

/// Event names a selector means. Operations are meant by [`Names::Rows`] only.
#[derive(Debug, Clone)]
pub enum Names {
    /// Any event.
    Any,
    /// Any event whose name is not in this set.
    Except(Arc<HashSet<String>>),
    /// These.
    Of(BTreeSet<String>),
    /// Any row, operations too: whoever sent anything.
    Rows,
}

impl Names {
    /// True if an event of this name is meant.
    pub fn mean(&self, name: &str) -> bool {
        match self {
            Names::Rows => true,
            _ if is_operation(name) => false,
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
    /// Of each actor's events only one.
    pub nth: Option<Nth>,
}

/// The actor's k-th event ever, up to the scan's `as_of`.
#[derive(Debug, Clone)]
pub struct Nth {
    /// From 1.
    pub k: u32,
    /// What the counted events must pass beside having a name that is meant; the k-th one must pass the
    /// selector's own condition as well.
    pub counted: Option<Expr>,
}

impl Selector {
    /// Events of these names.
    pub fn named<const N: usize>(names: [&str; N]) -> Selector {
        Selector { names: Names::Of(names.into_iter().map(str::to_owned).collect()), filter: None, nth: None }
    }

    /// The events among which `nth` counts.
    pub(crate) fn counted(&self) -> Selector {
        let filter = self.nth.as_ref().and_then(|nth| nth.counted.clone());
        Selector { names: self.names.clone(), filter, nth: None }
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
    /// The person the event was given to when it was processed: no later merges.
    PersonAtIngest,
}
