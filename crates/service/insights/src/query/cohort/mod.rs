//! `type: "cohort"` (chapter 9): who belongs to a cohort, and how many did at the end of each bucket.

mod clause;
mod definition;
mod window;

pub(crate) use clause::{Comparison, Measure, Performed, selector_of};
pub(crate) use definition::{Definition, check};
pub(crate) use window::Window;

use super::parts::{self, Common, CountBy};
use super::reader::Reader;
use crate::Error;
use tallymark_query::Unit;

/// Parsed, not bound.
#[derive(Debug, Clone)]
pub(crate) struct CohortQuery {
    pub common: Common,
    pub definition: Definition,
    /// Size over time, if a range was given.
    pub interval: Option<Unit>,
}

impl CohortQuery {
    pub(super) fn read(query: Reader<'_>) -> Result<CohortQuery, Error> {
        let common = Common::read_or(&query, parts::always())?;
        if common.segment.is_some() {
            let hint = "conditions on events stand in the clauses of the definition";
            return Err(query.wrong("segment", "means nothing for a cohort", hint));
        }
        if common.count_by != CountBy::Person {
            return Err(query.wrong("count_by", "cohorts are made of persons", "leave it out"));
        }
        let hint = "an id, or a definition";
        let value = query.get("cohort").ok_or_else(|| query.missing("cohort", hint))?;
        let definition = Definition::parse(value, "cohort")?;
        let interval = match query.get("range") {
            Some(_) => parts::interval(&query, Unit::Day)?,
            None if query.get("interval").is_some() => {
                return Err(query.missing("range", "`interval` asks for sizes over a range"));
            }
            None => None,
        };
        query.finish()?;
        Ok(CohortQuery { common, definition, interval })
    }
}
