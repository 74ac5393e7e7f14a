//! One property of persons, by its path, at any instant: what conditions on the persons themselves read.

use crate::{Context, PropertyTimeline, QueryError, Snapshot, ValueColumn};
use tallymark_model::Millis;
use tallymark_predicate::path_columns;

/// A property of every person over time, paths into objects included.
#[derive(Debug)]
pub struct PersonProperty {
    literal: PropertyTimeline,
    /// The property that the first part of a path names, and the rest of the path.
    outer: Option<(PropertyTimeline, String)>,
}

impl PersonProperty {
    /// Folds the operations with time up to `as_of`.
    pub fn load(
        snapshot: &Snapshot,
        path: &str,
        as_of: Millis,
        context: &Context,
    ) -> Result<PersonProperty, QueryError> {
        let literal = PropertyTimeline::load(snapshot, path, as_of, context)?;
        let outer = match (path_columns(path).nth(1), path.split_once('.')) {
            (Some(first), Some((_, rest))) => {
                Some((PropertyTimeline::load(snapshot, first, as_of, context)?, rest.to_owned()))
            }
            _ => None,
        };
        Ok(PersonProperty { literal, outer })
    }

    /// The values of these persons at the end of these milliseconds.
    pub fn at(&self, persons: &[u32], time: &dyn Fn(usize) -> Millis) -> ValueColumn {
        let end = |row: usize| (time(row), Millis::MAX, u64::MAX);
        let literal = self.literal.as_of(persons, end);
        match &self.outer {
            Some((outer, rest)) => literal.or_inside(&outer.as_of(persons, end), rest),
            None => literal,
        }
    }
}
